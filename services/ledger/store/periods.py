"""Closed periods."""

import asyncpg

from libs.common.contracts.ledger_books import Period
from libs.common.db import Connection
from libs.common.errors import Unavailable

_ALONE = "SELECT pg_advisory_xact_lock(x'636c6f7365'::int8)"
"""Waits for the groups that are on their way, and keeps the next ones out: every group shares this lock."""
_LOCK_TIMEOUT_MILLISECONDS = 1000
"""How long whoever closes waits for a group that hangs: the groups of all tenants wait behind it meanwhile."""


async def keep_groups_out(tx: Connection) -> None:
    """Wait until no group is being posted, and let none begin before this transaction ends.

    Raises:
        Unavailable: when a group that is being posted takes too long.
    """
    await tx.execute(f"SET LOCAL lock_timeout = {_LOCK_TIMEOUT_MILLISECONDS}")
    try:
        await tx.execute(_ALONE)
    except asyncpg.LockNotAvailableError as fault:
        raise Unavailable("entries are being posted while the period is to be closed") from fault


async def closed_periods(connection: Connection, tenant_id: str) -> list[Period]:
    """List a tenant's closed periods, the latest first."""
    rows = await connection.fetch(
        "SELECT ends_before, closed_at, closed_by FROM periods WHERE tenant_id = $1 ORDER BY ends_before DESC",
        tenant_id,
    )
    return [Period(**dict(row)) for row in rows]


async def write_period(tx: Connection, tenant_id: str, period: Period) -> None:
    """Write that a period is closed."""
    await tx.execute(
        "INSERT INTO periods (tenant_id, ends_before, closed_at, closed_by) VALUES ($1, $2, $3, $4)",
        tenant_id,
        period.ends_before,
        period.closed_at,
        period.closed_by,
    )
