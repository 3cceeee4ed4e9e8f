"""Which account plays which role: the changes, newest last, and the lock between those who change and those who post.

The lock is an advisory one that PostgreSQL keeps in memory: it costs a posting no write. Tenants share a fixed number of
them, so that a group of any number of tenants holds a bounded number of locks.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from libs.common.contracts.ledger_money import Role
from libs.common.db import Connection
from libs.common.errors import Unavailable

_LOCK_CLASS = 4003
"""The first of the two numbers of our advisory locks; nothing else in the ledger uses it."""
_LOCKS = 64
"""The tenants are spread over this many locks."""
_LOCK_TIMEOUT_MILLISECONDS = 2000
"""How long a change waits for the groups that are being posted, which wait for it meanwhile."""


class RoleChange(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a tenant's configuration."""

    tenant_id: str
    revision: int
    role: Role
    account_id: UUID
    changed_at: datetime
    changed_by: str


async def hold_roles(tx: Connection, tenant_ids: Iterable[str]) -> None:
    """Keep the roles of some tenants as they are until the transaction ends; any number of transactions may at once.

    Read them in a statement after this one: a statement does not see what was committed while it waited for a lock.
    """
    await tx.execute(
        # In ascending order: those who wait for a change never wait in a circle.
        "SELECT pg_advisory_xact_lock_shared($1, lock) FROM unnest($2::int4[]) AS lock",
        _LOCK_CLASS,
        sorted({_lock_of(tenant_id) for tenant_id in tenant_ids}),
    )


async def lock_roles(tx: Connection, tenant_id: str) -> None:
    """Wait until nobody posts by the roles of a tenant, and keep everybody from it until the transaction ends.

    Raises:
        Unavailable: when a group that is being posted takes too long.
    """
    await tx.execute(f"SET LOCAL lock_timeout = {_LOCK_TIMEOUT_MILLISECONDS}")
    try:
        await tx.execute("SELECT pg_advisory_xact_lock($1, $2)", _LOCK_CLASS, _lock_of(tenant_id))
    except asyncpg.LockNotAvailableError as fault:
        raise Unavailable("entries are being posted by the roles that are to be changed") from fault


def _lock_of(tenant_id: str) -> int:
    return zlib.crc32(tenant_id.encode()) % _LOCKS


async def role_revisions(tx: Connection, tenant_ids: Sequence[str]) -> dict[str, int]:
    """Read the number of each tenant's last change; a tenant without one is left out."""
    rows = await tx.fetch(
        "SELECT tenant_id, last.revision FROM unnest($1::text[]) AS wanted(tenant_id) CROSS JOIN LATERAL "
        "(SELECT c.revision FROM role_changes AS c WHERE c.tenant_id = wanted.tenant_id "
        "ORDER BY c.revision DESC LIMIT 1) AS last",
        list(tenant_ids),
    )
    return {row["tenant_id"]: row["revision"] for row in rows}


async def assigned_roles(tx: Connection, tenant_ids: Sequence[str]) -> Mapping[str, Mapping[Role, RoleChange]]:
    """Read the last change of each role of some tenants."""
    rows = await tx.fetch(
        "SELECT DISTINCT ON (tenant_id, role) tenant_id, revision, role, account_id, changed_at, changed_by "
        "FROM role_changes WHERE tenant_id = ANY($1::text[]) ORDER BY tenant_id, role, revision DESC",
        list(tenant_ids),
    )
    found: dict[str, dict[Role, RoleChange]] = {}
    for row in rows:
        change = _change(row)
        found.setdefault(change.tenant_id, {})[change.role] = change
    return found


async def role_changes(connection: Connection, tenant_id: str, role: Role, *, limit: int) -> list[RoleChange]:
    """Read the changes of one role, newest first."""
    rows = await connection.fetch(
        "SELECT tenant_id, revision, role, account_id, changed_at, changed_by FROM role_changes "
        "WHERE tenant_id = $1 AND role = $2 ORDER BY revision DESC LIMIT $3",
        tenant_id,
        role.value,
        limit,
    )
    return [_change(row) for row in rows]


async def add_role_change(tx: Connection, change: RoleChange) -> None:
    """Write a change down; whoever does holds the tenant's lock."""
    await tx.execute(
        "INSERT INTO role_changes (tenant_id, revision, role, account_id, changed_at, changed_by) "
        "VALUES ($1, $2, $3, $4, $5, $6)",
        change.tenant_id,
        change.revision,
        change.role.value,
        change.account_id,
        change.changed_at,
        change.changed_by,
    )


def _change(row: asyncpg.Record) -> RoleChange:
    return RoleChange(
        tenant_id=row["tenant_id"],
        revision=row["revision"],
        role=Role(row["role"]),
        account_id=row["account_id"],
        changed_at=row["changed_at"],
        changed_by=row["changed_by"],
    )
