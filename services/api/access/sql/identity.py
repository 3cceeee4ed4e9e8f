"""The SQL of tenants, users, roles and policies."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from libs.common.db import Connection, Database
from libs.common.db.statements import Statement, columns_of, reader_of, values_of
from libs.common.messaging import INSERT_OUTBOX, Publication
from services.api.access.domain import Account, Policy, Tenant
from services.api.http.callers import ANY_TENANT

_tenant_of = reader_of(Tenant)
_policy_of = reader_of(Policy)
_account_of = reader_of(Account)

# A few users of a partial index; tokens of before `since` have expired.
_CHANGED = """
SELECT u.email, extract(epoch FROM u.tokens_from)::float8 AS first
  FROM users AS u WHERE u.tenant_id {whose} AND u.tokens_from > :since
"""

# Whatever its status: the caller refuses a suspended or deleted tenant, with the error that says which. Its changed users come
# with it, to save a round trip.
_TENANT = Statement(
    """
SELECT {columns}, changed.users AS changed_users, changed.firsts AS changed_firsts FROM tenants
 CROSS JOIN (SELECT array_agg(email) AS users, array_agg(first) AS firsts FROM ({changed}) AS each) AS changed
 WHERE id = :tenant_id
""",
    columns=columns_of(Tenant),
    changed=_CHANGED.format(whose="= :tenant_id"),
)

# Those who belong to no tenant.
_CHANGED_OPERATORS = Statement(_CHANGED, whose="IS NULL")

# Without a filter: one row per permission, kept in memory as a whole and forgotten as a whole.
_POLICIES = Statement("SELECT {columns} FROM policies", columns=columns_of(Policy))

# By the unique index on `email`, which is stored in lower case; with the permissions, to save a login one round trip. The lock
# waits for whoever is changing the user, and then the row and the instant are those of after the change: of two instants of
# this one clock, the token's is before that of a change which it does not know.
_ACCOUNT = Statement(
    """
SELECT {columns}, ARRAY(SELECT DISTINCT permission FROM role_permissions WHERE role = ANY(roles) ORDER BY 1) AS permissions,
       clock_timestamp() AS read_at
  FROM users WHERE email = :email FOR SHARE OF users
""",
    columns=columns_of(Account, without=("permissions",)),
)

# By the unique index on `email`, for tokens that are older than what is remembered of changes.
_TOKENS_FROM = Statement("""
SELECT extract(epoch FROM tokens_from)::float8 AS first FROM users
 WHERE email = :email AND coalesce(tenant_id, :any_tenant) = :tid AND tokens_from IS NOT NULL
""")

# By the unique index on `email`; who is no user of ours, a key for example, has no row. Of the tenant that the token proves:
# an identity provider's subject may be called like a user of another one.
_DISABLED = Statement("""
SELECT 1 FROM users WHERE email = :email AND coalesce(tenant_id, :any_tenant) = :tid AND disabled_at IS NOT NULL
""")

# Locked before it is compared: of two changes at once the second one finds another password than it has checked. A login reads
# the user under a lock too, so that its token is of before this change or knows it.
_LOCK_PASSWORD = Statement("SELECT password_hash FROM users WHERE id = :user_id AND disabled_at IS NULL FOR UPDATE")

# Of a locked user, so that the instant from which tokens count is after every login that read the old password. The table
# itself publishes `access.changed`.
_CHANGE_PASSWORD = Statement("""
UPDATE users SET password_hash = :password_hash, tokens_from = greatest(tokens_from, clock_timestamp()) WHERE id = :user_id
""")

# The tenant's message goes out only where the row is new: many requests may meet an unknown tenant at once.
_ADD_TENANT = Statement(
    """
WITH added AS (
    INSERT INTO tenants ({columns}, created_at, updated_at) VALUES ({values}, :at, :at)
    ON CONFLICT (id) DO NOTHING RETURNING 1
),
published AS ({insert_outbox} WHERE EXISTS (SELECT 1 FROM added))
SELECT count(*) AS added FROM added
""",
    columns=columns_of(Tenant),
    values=values_of("tenant", Tenant),
    insert_outbox=INSERT_OUTBOX,
)

# Conflicts by `email`: two processes that seed at once mint different ids, and the first password and roles stay.
_ADD_USER = Statement(
    "INSERT INTO users ({columns}, created_at) VALUES ({values}, :at) ON CONFLICT (email) DO NOTHING",
    columns=columns_of(Account, without=("permissions",)),
    values=values_of("account", Account, without=("permissions",)),
)


async def tenant(database: Database, tenant_id: str, *, since: datetime) -> tuple[Tenant, dict[str, float]] | None:
    """Read one tenant, and which of its users changed after `since`: the instant from which their tokens count."""
    row = await _TENANT.fetchrow(database, tenant_id=tenant_id, since=since)
    if row is None:
        return None
    return _tenant_of(row), dict(zip(row["changed_users"] or (), row["changed_firsts"] or (), strict=True))


async def changed_operators(database: Database, *, since: datetime) -> dict[str, float]:
    """Read which users without a tenant changed after `since`: the instant from which their tokens count."""
    return {row["email"]: row["first"] for row in await _CHANGED_OPERATORS.fetch(database, since=since)}


async def add_tenant(database: Database, tenant: Tenant, *, publications: Sequence[Publication], at: datetime) -> bool:
    """Add a tenant and publish it, in one round trip; False, and nothing published, when it was known."""
    row = await _ADD_TENANT.write(database, tenant=tenant, publications=publications, at=at)
    return row is not None and row["added"] == 1


async def add_tenant_within(
    tx: Connection, tenant: Tenant, *, publications: Sequence[Publication], at: datetime
) -> bool:
    """Add a tenant and publish it, inside the caller's transaction; False, and nothing published, when it was known."""
    row = await _ADD_TENANT.fetchrow(tx, tenant=tenant, publications=publications, at=at)
    return row is not None and row["added"] == 1


async def policies(database: Database) -> dict[str, Policy]:
    """Read all policies, by permission."""
    return {row["permission"]: _policy_of(row) for row in await _POLICIES.fetch(database)}


async def account(database: Database, email: str) -> Account | None:
    """Read the user with this login name."""
    found = await account_to_log_in(database, email)
    return None if found is None else found[0]


async def account_to_log_in(database: Database, email: str) -> tuple[Account, datetime] | None:
    """Read the user with this login name, and when it was read, by the clock by which tokens of before a change are refused."""
    row = await _ACCOUNT.fetchrow(database, email=email)
    return None if row is None else (_account_of(row), row["read_at"])


async def tokens_from(database: Database, *, email: str, tid: str) -> float | None:
    """Read since when the tokens of a user of a tenant, or of none, `*`, count, in seconds since 1970; None: all of them do."""
    row = await _TOKENS_FROM.fetchrow(database, email=email, tid=tid, any_tenant=ANY_TENANT)
    return None if row is None else row["first"]


async def is_disabled(source: Database | Connection, *, email: str, tid: str) -> bool:
    """Tell whether this is the login name of somebody of a tenant, or of none, `*`, who may not log in any more."""
    return await _DISABLED.fetchrow(source, email=email, tid=tid, any_tenant=ANY_TENANT) is not None


async def lock_password(tx: Connection, user_id: UUID) -> str | None:
    """Read the hash of a user's password and lock the user; None where it is disabled."""
    row = await _LOCK_PASSWORD.fetchrow(tx, user_id=user_id)
    return None if row is None else row["password_hash"]


async def change_password(tx: Connection, user_id: UUID, *, password_hash: str) -> None:
    """Save another password of a locked user; its tokens of before are refused."""
    await _CHANGE_PASSWORD.execute(tx, user_id=user_id, password_hash=password_hash)


async def add_account(database: Database, account: Account, *, at: datetime) -> None:
    """Add a user; one who is already there keeps password and roles."""
    await _ADD_USER.fetch(database, account=account, at=at)
