# ruff: noqa: S608 - statements are put together from our own words; every value is a parameter
"""Reading holds."""

from datetime import datetime
from uuid import UUID

from libs.common.db import Connection
from services.ledger.core import Hold, HoldState
from services.ledger.posting import HOLD_COLUMNS, read_hold


async def due_holds(connection: Connection, *, now: datetime, limit: int) -> list[Hold]:
    """List open holds whose time is over, the longest overdue first."""
    rows = await connection.fetch(
        f"SELECT {HOLD_COLUMNS} FROM holds WHERE state = 'OPEN' AND expires_at <= $1 ORDER BY expires_at LIMIT $2",
        now,
        limit,
    )
    return [read_hold(row) for row in rows]


async def hold_page(
    connection: Connection,
    tenant_id: str,
    *,
    state: HoldState | None,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Hold]:
    """Read a tenant's holds, newest first by (placed_at, id)."""
    rows = await connection.fetch(
        f"SELECT {HOLD_COLUMNS} FROM holds WHERE tenant_id = $1 AND ($2::text IS NULL OR state = $2) "
        "AND ($3::timestamptz IS NULL OR (placed_at, id) < ($3, $4::uuid)) ORDER BY placed_at DESC, id DESC LIMIT $5",
        tenant_id,
        None if state is None else state.value,
        None if before is None else before[0],
        None if before is None else before[1],
        limit,
    )
    return [read_hold(row) for row in rows]


async def forget_holds(connection: Connection, before: datetime, limit: int) -> int:
    """Delete the holds that ended first, before an instant, none younger than 90 days; returns how many."""
    return int(await connection.fetchval("SELECT forget_holds($1, $2)", before, limit))
