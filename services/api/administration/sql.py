"""The SQL of tenants, users, roles and policies as those who administer them read and change them."""

from datetime import datetime
from uuid import UUID

from libs.common.db import Connection, Database
from libs.common.db.statements import Statement, columns_of, reader_of, values_of
from services.api.access import Account, Policy, Tenant
from services.api.administration.domain import NamedPermission, Role, User
from services.api.http.callers import PLATFORM_TENANT
from services.api.http.cursors import Position

_tenant_of = reader_of(Tenant)
_policy_of = reader_of(Policy)


_user_of, _role_of, _permission_of = reader_of(User), reader_of(Role), reader_of(NamedPermission)

# In the order of ids, which is that of the primary key: a page costs the same however far it is.
_TENANTS = Statement(
    "SELECT {columns} FROM tenants WHERE id > :after ORDER BY id LIMIT :limit", columns=columns_of(Tenant)
)

# Whatever its status.
_TENANT = Statement("SELECT {columns} FROM tenants WHERE id = :tenant_id", columns=columns_of(Tenant))

# What an operator states counts as much as what a seed does; what the suite states afterwards counts again, and an event of
# before that comes late, or again, does not: it would let in whom the operator has suspended.
_CHANGE_TENANT = Statement(
    """
UPDATE tenants SET name = :tenant.name, plan = :tenant.plan, region = :tenant.region,
                   status = CASE WHEN :states_status THEN :tenant.status ELSE status END,
                   origin = CASE origin WHEN 'token' THEN 'seed' ELSE origin END, updated_at = :at,
                   name_stated_at = greatest(name_stated_at, :at), plan_stated_at = greatest(plan_stated_at, :at),
                   region_stated_at = greatest(region_stated_at, :at),
                   status_stated_at = CASE WHEN :states_status THEN greatest(status_stated_at, :at) ELSE status_stated_at END
 WHERE id = :tenant.id
RETURNING {columns}
""",
    columns=columns_of(Tenant),
)

_USERS = """
SELECT {columns} FROM users AS u WHERE {whose}{after} ORDER BY u.created_at DESC, u.id DESC LIMIT :limit
"""
_OF_TENANT = "u.tenant_id = :tenant_id"
# Operators belong to no tenant, and are administered through that of the platform.
_OF_PLATFORM = "(u.tenant_id = :tenant_id OR u.tenant_id IS NULL)"
_AFTER = " AND (u.created_at, u.id) < (:after.created_at, :after.id)"
# Newest first, from the index in that order.
_FIRST_USERS = Statement(_USERS, columns=columns_of(User), whose=_OF_TENANT, after="")
# Another statement, so that it is planned for a place in the index.
_NEXT_USERS = Statement(_USERS, columns=columns_of(User), whose=_OF_TENANT, after=_AFTER)
# Sorted: the platform has few users.
_FIRST_OPERATORS = Statement(_USERS, columns=columns_of(User), whose=_OF_PLATFORM, after="")
# The next page of few.
_NEXT_OPERATORS = Statement(_USERS, columns=columns_of(User), whose=_OF_PLATFORM, after=_AFTER)

# Of two changes at once the second one starts from what the first has left.
_LOCK_USER = Statement(
    """
SELECT {columns} FROM users
 WHERE id = :user_id AND (tenant_id = :tenant_id OR (tenant_id IS NULL AND :tenant_id::text = '{platform}')) FOR UPDATE
""",
    columns=columns_of(User),
    platform=PLATFORM_TENANT,
)

# A login name that somebody has is no error of the statement, so that the transaction goes on and says so.
_ADD_USER = Statement(
    """
INSERT INTO users ({columns}, created_at) VALUES ({values}, :at) ON CONFLICT (email) DO NOTHING RETURNING 1
""",
    columns=columns_of(Account, without=("permissions",)),
    values=values_of("account", Account, without=("permissions",)),
)

# An empty hash leaves the password as it is. Where tokens of before are refused from now on, the table itself publishes
# `access.changed`; from when is read while the row is locked, by the clock that tells logins when they read it.
_CHANGE_USER = Statement("""
UPDATE users SET roles = :user.roles, disabled_at = :user.disabled_at,
                 password_hash = CASE :password_hash WHEN '' THEN password_hash ELSE :password_hash END,
                 tokens_from = CASE WHEN :ends_tokens THEN greatest(tokens_from, clock_timestamp()) ELSE tokens_from END
 WHERE id = :user.id
""")

# Without a filter: a handful of rows.
_ROLES = Statement("""
SELECT r.name, r.description,
       ARRAY(SELECT p.permission FROM role_permissions AS p WHERE p.role = r.name ORDER BY 1) AS permissions
  FROM roles AS r ORDER BY r.name
""")

# Before its permissions, whose foreign keys refer to it; whoever changes the same role waits here.
_PUT_ROLE = Statement("""
INSERT INTO roles (name, description) VALUES (:name, :description)
ON CONFLICT (name) DO UPDATE SET description = excluded.description
""")

# What the role has no more.
_TAKE_PERMISSIONS = Statement(
    "DELETE FROM role_permissions WHERE role = :name AND NOT permission = ANY(:permissions::text[])"
)

# What it has from now on.
_GIVE_PERMISSIONS = Statement("""
INSERT INTO role_permissions (role, permission) SELECT :name, unnest(:permissions::text[]) ON CONFLICT DO NOTHING
""")

# Without a filter: a handful of rows.
_PERMISSIONS = Statement("SELECT name, description FROM permissions ORDER BY name")

# Without a filter: one row for a permission.
_POLICIES = Statement("SELECT {columns} FROM policies ORDER BY permission", columns=columns_of(Policy))

# The table itself publishes `access.changed`, so that every process follows it at once.
_PUT_POLICY = Statement(
    """
INSERT INTO policies ({columns}) VALUES ({values})
ON CONFLICT (permission) DO UPDATE
   SET effect = excluded.effect, allowed_plans = excluded.allowed_plans, allowed_regions = excluded.allowed_regions,
       admits_home_region = excluded.admits_home_region
""",
    columns=columns_of(Policy),
    values=values_of("policy", Policy),
)


async def tenants(database: Database, *, after: str, limit: int) -> list[Tenant]:
    """Read tenants in the order of their ids, from the one after `after` on."""
    return [_tenant_of(row) for row in await _TENANTS.fetch(database, after=after, limit=limit)]


async def tenant(database: Database, tenant_id: str) -> Tenant | None:
    """Read one tenant."""
    row = await _TENANT.fetchrow(database, tenant_id=tenant_id)
    return None if row is None else _tenant_of(row)


async def change_tenant(tx: Connection, tenant: Tenant, *, states_status: bool, at: datetime) -> Tenant:
    """Write what a tenant is from now on, its status only where it is stated; returns what it is then."""
    row = await _CHANGE_TENANT.fetchrow(tx, tenant=tenant, states_status=states_status, at=at)
    assert row is not None, "it was made known in the same transaction"
    return _tenant_of(row)


async def users(database: Database, tenant_id: str, *, limit: int, after: Position | None) -> list[User]:
    """Read a tenant's users, newest first; for the platform's tenant its operators too."""
    is_platform = tenant_id == PLATFORM_TENANT
    if after is None:
        first = _FIRST_OPERATORS if is_platform else _FIRST_USERS
        rows = await first.fetch(database, tenant_id=tenant_id, limit=limit)
    else:
        next_ = _NEXT_OPERATORS if is_platform else _NEXT_USERS
        rows = await next_.fetch(database, tenant_id=tenant_id, limit=limit, after=after)
    return [_user_of(row) for row in rows]


async def lock_user(tx: Connection, tenant_id: str, user_id: UUID) -> User | None:
    """Read one user and lock it."""
    row = await _LOCK_USER.fetchrow(tx, tenant_id=tenant_id, user_id=user_id)
    return None if row is None else _user_of(row)


async def add_user(tx: Connection, account: Account, *, at: datetime) -> bool:
    """Add a user; False when somebody has the login name."""
    return await _ADD_USER.fetchrow(tx, account=account, at=at) is not None


async def change_user(tx: Connection, user: User, *, password_hash: str, ends_tokens: bool) -> None:
    """Save a locked user, the password where a hash is given, and that its tokens of before are refused where they end."""
    await _CHANGE_USER.execute(tx, user=user, password_hash=password_hash, ends_tokens=ends_tokens)


async def roles(source: Database | Connection) -> list[Role]:
    """Read every role with its permissions."""
    return [_role_of(row) for row in await _ROLES.fetch(source)]


async def put_role(tx: Connection, role: Role) -> None:
    """Write a role and what it allows."""
    await _PUT_ROLE.execute(tx, name=role.name, description=role.description)
    await _TAKE_PERMISSIONS.execute(tx, name=role.name, permissions=list(role.permissions))
    await _GIVE_PERMISSIONS.execute(tx, name=role.name, permissions=list(role.permissions))


async def permissions(source: Database | Connection) -> list[NamedPermission]:
    """Read every permission."""
    return [_permission_of(row) for row in await _PERMISSIONS.fetch(source)]


async def policies(source: Database | Connection) -> list[Policy]:
    """Read every policy."""
    return [_policy_of(row) for row in await _POLICIES.fetch(source)]


async def put_policy(tx: Connection, policy: Policy) -> None:
    """Write the policy of a permission."""
    await _PUT_POLICY.execute(tx, policy=policy)
