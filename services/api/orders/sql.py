"""The SQL of orders: their rows are held while one is charged or cancelled."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.db import Connection, Database
from libs.common.db.statements import Statement, arrays_of, columns_of, reader_of
from services.api.access import TenantStatus


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an order."""

    tenant_id: str
    order_id: str
    payment_intent_id: UUID | None = None
    """The payment that collects it; None: none was requested."""
    cancelled_at: datetime | None = None
    """When its cancellation reached us."""
    due_at: datetime | None = None
    """When its payment is looked at again; None: nothing is left to cancel."""

    @property
    def key(self) -> tuple[str, str]:
        """Its id within its tenant."""
        return self.tenant_id, self.order_id


_KINDS = {
    "tenant_id": "text",
    "order_id": "text",
    "payment_intent_id": "uuid",
    "cancelled_at": "timestamptz",
    "due_at": "timestamptz",
}
_order_of = reader_of(Order)

# The update changes nothing, and locks the row: two transactions about one order follow each other, whoever was first to
# insert it. In order, so that two batches never wait for each other in a circle.
_LOCK = Statement(
    """
INSERT INTO orders AS o (tenant_id, order_id, created_at)
SELECT w.tenant_id, w.order_id, :at FROM unnest(:tenant_ids::text[], :order_ids::text[]) AS w(tenant_id, order_id)
 ORDER BY w.tenant_id, w.order_id
ON CONFLICT (order_id, tenant_id) DO UPDATE SET created_at = o.created_at
RETURNING {columns}
""",
    columns=columns_of(Order),
)

# All columns that change, of rows that are held.
_SAVE = Statement(
    """
UPDATE orders o SET payment_intent_id = w.payment_intent_id, cancelled_at = w.cancelled_at, due_at = w.due_at
  FROM unnest({arrays}) AS w({columns}) WHERE o.tenant_id = w.tenant_id AND o.order_id = w.order_id
""",
    arrays=arrays_of("orders", _KINDS),
    columns=", ".join(_KINDS),
)

# One process takes a row, the others pass over it.
_DUE = Statement(
    """
SELECT {columns} FROM orders WHERE due_at <= :at ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED
""",
    columns=columns_of(Order),
)

# One of which something is left to do stays, however old, and so does one that was cancelled lately. By `ctid`, so that the rows
# are found once, in the order of the index on `created_at`; one that is being decided about is passed over.
_FORGET = Statement(
    """
WITH forgotten AS (
    DELETE FROM orders WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM orders
         WHERE created_at < :before AND due_at IS NULL AND (cancelled_at IS NULL OR cancelled_at < :before)
         ORDER BY created_at LIMIT :limit FOR UPDATE SKIP LOCKED))
    RETURNING 1
)
SELECT count(*) AS forgotten FROM forgotten
""",
)

# Without a lock: a tenant that is refused in this moment is refused from the next order on.
_TENANTS = Statement("SELECT id, status FROM tenants WHERE id = ANY(:ids::text[])")


async def lock(tx: Connection, keys: Sequence[tuple[str, str]], *, at: datetime) -> dict[tuple[str, str], Order]:
    """Hold the rows of orders, new ones included."""
    rows = await _LOCK.fetch(
        tx, tenant_ids=[tenant for tenant, _ in keys], order_ids=[order_id for _, order_id in keys], at=at
    )
    return {(row["tenant_id"], row["order_id"]): _order_of(row) for row in rows}


async def save(tx: Connection, orders: Sequence[Order]) -> None:
    """Save orders whose rows are held."""
    await _SAVE.execute(tx, orders=orders)


async def due(tx: Connection, *, at: datetime, limit: int) -> list[Order]:
    """Hold the cancelled orders whose payments are to be looked at, the longest due first."""
    return [_order_of(row) for row in await _DUE.fetch(tx, at=at, limit=limit)]


async def statuses(tx: Connection, tenant_ids: Sequence[str]) -> Mapping[str, TenantStatus]:
    """Read the status of each of these tenants that is known."""
    return {row["id"]: TenantStatus(row["status"]) for row in await _TENANTS.fetch(tx, ids=tenant_ids)}


async def forget(database: Database, *, before: datetime, limit: int) -> int:
    """Delete orders that are over since before an instant; returns how many, at most `limit`."""
    row = await _FORGET.fetchrow(database, before=before, limit=limit)
    return 0 if row is None else int(row["forgotten"])
