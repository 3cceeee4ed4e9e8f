"""The SQL of holds beyond what the engine reads and writes: those that are due, pages of them, and the oldest to forget."""

from datetime import datetime
from uuid import UUID

from libs.common.db import Connection
from libs.common.db.statements import Statement
from services.ledger.core import Hold, HoldState
from services.ledger.posting import HOLD_COLUMNS, read_hold

# By `ix_holds_expires_at`, without a lock: each is decided under the lock of its balances, and one that has ended
# meanwhile is refused there.
_DUE = Statement(
    "SELECT {columns} FROM holds WHERE state = 'OPEN' AND expires_at <= :now ORDER BY expires_at LIMIT :limit",
    columns=HOLD_COLUMNS,
)
# In the order of `ix_holds_placed_at`; the id decides where two were placed at one instant.
_PAGE = Statement(
    """
SELECT {columns} FROM holds
 WHERE tenant_id = :tenant_id AND (:state::text IS NULL OR state = :state)
   AND (:before_at::timestamptz IS NULL OR (placed_at, id) < (:before_at, :before_id::uuid))
 ORDER BY placed_at DESC, id DESC LIMIT :limit
""",
    columns=HOLD_COLUMNS,
)
# Through a function: our role may not delete holds, and it keeps 90 days, whatever it is given.
_FORGET = Statement("SELECT forget_holds(:before, :limit)")


async def due_holds(connection: Connection, *, now: datetime, limit: int) -> list[Hold]:
    """List open holds whose time is over, the longest overdue first."""
    return [read_hold(row) for row in await _DUE.fetch(connection, now=now, limit=limit)]


async def hold_page(
    connection: Connection,
    *,
    tenant_id: str,
    state: HoldState | None,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Hold]:
    """Read a tenant's holds, newest first by (placed_at, id)."""
    before_at, before_id = before or (None, None)
    rows = await _PAGE.fetch(
        connection, tenant_id=tenant_id, state=state, before_at=before_at, before_id=before_id, limit=limit
    )
    return [read_hold(row) for row in rows]


async def forget_holds(connection: Connection, before: datetime, limit: int) -> int:
    """Delete the holds that ended first, before an instant, none younger than 90 days; returns how many."""
    return int(await _FORGET.fetchval(connection, before=before, limit=limit))
