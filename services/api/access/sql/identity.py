"""Tenants, users, roles and policies."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import asyncpg
import msgspec

from libs.common.db import Database
from libs.common.messaging import Publication, insert_outbox, outbox_arrays


class TenantStatus(StrEnum):
    """Whether a tenant may use the platform."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    DELETED = "DELETED"


class TenantOrigin(StrEnum):
    """Who told us of a tenant: what a mere token claims is believed less than what an operator or the suite says."""

    SEED = "seed"
    TOKEN = "token"  # noqa: S105 - a word
    SYNC = "sync"


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """A merchant that uses the platform."""

    id: str
    """1 to 64 visible characters."""
    name: str
    """Its name, for people."""
    plan: str
    """Plan as its source wrote it."""
    region: str
    """Region as its source wrote it."""
    status: TenantStatus = TenantStatus.ACTIVE
    """Whether it may use the platform."""
    origin: TenantOrigin
    """Who told us of it."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What narrows a permission: which plans and regions may use it."""

    permission: str
    """The permission, for example `payments:write`."""
    effect: str
    """`allow` or `deny`."""
    allowed_plans: tuple[str, ...]
    """Plans, each admitting higher ones; empty: all."""
    allowed_regions: tuple[str, ...]
    """Regions; empty: all."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A user who logs in with a password, and what the roles allow."""

    id: UUID
    """UUIDv7."""
    email: str
    """Login name, lower case."""
    password_hash: str
    """argon2id in PHC string format."""
    tenant_id: str | None
    """The tenant; none for a global admin."""
    roles: tuple[str, ...]
    """Names of the roles."""
    permissions: tuple[str, ...]
    """What the roles allow, sorted."""


_TENANT = "SELECT id, name, plan, region, status, origin FROM tenants WHERE id = $1"
_POLICIES = "SELECT permission, effect, allowed_plans, allowed_regions FROM policies"
_ACCOUNT = """
SELECT u.id, u.email, u.password_hash, u.tenant_id, u.roles,
       ARRAY(SELECT DISTINCT permission FROM role_permissions WHERE role = ANY(u.roles) ORDER BY 1) AS permissions
FROM users u WHERE u.email = $1
"""
_ADD_TENANT = f"""
WITH met AS (
    INSERT INTO tenants (id, name, plan, region, status, origin, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT (id) DO NOTHING RETURNING 1
),
said AS ({insert_outbox(8, source="met")})
SELECT count(*) AS met FROM met
"""  # noqa: S608 - built from constants
_ADD_ROLES = "INSERT INTO roles (name, description) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING"
_ADD_PERMISSIONS = (
    "INSERT INTO permissions (name, description) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING"
)
_ADD_ROLE_PERMISSIONS = "INSERT INTO role_permissions (role, permission) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING"
_ADD_POLICY = (
    "INSERT INTO policies (permission, effect, allowed_plans, allowed_regions) VALUES ($1, $2, $3, $4) "
    "ON CONFLICT DO NOTHING"
)
_ADD_USER = (
    "INSERT INTO users (id, email, password_hash, tenant_id, roles, created_at) VALUES ($1, $2, $3, $4, $5, $6) "
    "ON CONFLICT (email) DO NOTHING"
)


def _tenant_of(row: asyncpg.Record) -> Tenant:
    return Tenant(
        id=row["id"],
        name=row["name"],
        plan=row["plan"],
        region=row["region"],
        status=TenantStatus(row["status"]),
        origin=TenantOrigin(row["origin"]),
    )


async def tenant(database: Database, tenant_id: str) -> Tenant | None:
    """Read one tenant."""
    row = await database.fetchrow(_TENANT, tenant_id)
    return None if row is None else _tenant_of(row)


async def add_tenant(database: Database, new: Tenant, *, publications: Sequence[Publication], at: datetime) -> bool:
    """Make a tenant known and say so, in one round trip; False, and silence, when it already was."""
    row = await database.write(
        _ADD_TENANT,
        new.id,
        new.name,
        new.plan,
        new.region,
        new.status.value,
        new.origin.value,
        at,
        *outbox_arrays(publications),
    )
    return row is not None and row["met"] == 1


async def policies(database: Database) -> dict[str, Policy]:
    """Read all policies, by permission."""
    return {
        row["permission"]: Policy(
            permission=row["permission"],
            effect=row["effect"],
            allowed_plans=tuple(row["allowed_plans"]),
            allowed_regions=tuple(row["allowed_regions"]),
        )
        for row in await database.fetch(_POLICIES)
    }


async def account(database: Database, email: str) -> Account | None:
    """Read the user with this login name."""
    row = await database.fetchrow(_ACCOUNT, email)
    if row is None:
        return None
    return Account(
        id=row["id"],
        email=row["email"],
        password_hash=row["password_hash"],
        tenant_id=row["tenant_id"],
        roles=tuple(row["roles"]),
        permissions=tuple(row["permissions"]),
    )


async def add_account(database: Database, new: Account, *, at: datetime) -> None:
    """Add a user; one who is already there keeps password and roles."""
    await database.fetch(_ADD_USER, new.id, new.email, new.password_hash, new.tenant_id, list(new.roles), at)


async def add_rules(
    database: Database,
    *,
    roles: dict[str, str],
    permissions: dict[str, str],
    role_permissions: Sequence[tuple[str, str]],
    rules: Sequence[Policy],
) -> None:
    """Add roles, permissions and policies that are missing; what an operator has changed stays changed."""
    async with database.transaction() as connection:
        await connection.execute(_ADD_ROLES, list(roles), list(roles.values()))
        await connection.execute(_ADD_PERMISSIONS, list(permissions), list(permissions.values()))
        await connection.execute(
            _ADD_ROLE_PERMISSIONS, [role for role, _ in role_permissions], [allowed for _, allowed in role_permissions]
        )
        for rule in rules:
            await connection.execute(
                _ADD_POLICY, rule.permission, rule.effect, list(rule.allowed_plans), list(rule.allowed_regions)
            )
