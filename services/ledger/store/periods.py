"""Closed periods."""

from libs.common.contracts.ledger_books import Period
from libs.common.db import Connection

_ALONE = "SELECT pg_advisory_xact_lock(x'636c6f7365'::int8)"
"""Waits for the groups that are on their way, and keeps the next ones out: every group shares this lock."""


async def keep_groups_out(tx: Connection) -> None:
    """Wait until no group is being posted, and let none begin before this transaction ends."""
    await tx.execute(_ALONE)


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
