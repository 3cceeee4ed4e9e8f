"""The SQL of payments that orders request: created and confirmed at once, with their timelines and messages."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from libs.common.db import Connection
from libs.common.db.statements import Statement, arrays_of, columns_of, reader_of
from libs.common.messaging import INSERT_OUTBOX, Publication
from services.api.payments.domain import PaymentIntent, TimelineEvent
from services.api.payments.sql.intents import KINDS, metadata_text
from services.api.payments.sql.timeline import INSERT_EVENTS


class Collecting(msgspec.Struct, frozen=True, kw_only=True):
    """The payment that collects an order."""

    tenant_id: str
    order_id: str
    id: UUID
    amount_minor: int
    """What is collected, in minor units."""
    currency: str

    @property
    def key(self) -> tuple[str, str]:
        """The order, within its tenant."""
        return self.tenant_id, self.order_id


_collecting_of = reader_of(Collecting)

# No conflict is passed over: the caller holds the rows of the orders, and has looked for their payments.
_CREATE = Statement(
    """
WITH created AS (
    INSERT INTO payment_intents ({columns})
    SELECT {each} FROM unnest({arrays}, :metadata::jsonb[]) AS i({placed}, metadata)
),
recorded AS ({insert_events})
{insert_outbox}
""",
    columns=", ".join(KINDS),
    each=", ".join(f"i.{column}" for column in KINDS),
    arrays=arrays_of("intents", KINDS, without=["metadata"]),
    placed=", ".join(column for column in KINDS if column != "metadata"),
    insert_events=INSERT_EVENTS,
    insert_outbox=INSERT_OUTBOX,
)

# By the unique index on tenant and order.
_OF_ORDERS = Statement(
    """
SELECT {columns} FROM unnest(:tenant_ids::text[], :order_ids::text[]) AS w(tenant_id, order_id)
  JOIN payment_intents USING (tenant_id, order_id)
""",
    columns=columns_of(Collecting),
)


async def create(
    tx: Connection,
    intents: Sequence[PaymentIntent],
    *,
    publications: Sequence[Publication],
    events: Sequence[TimelineEvent],
) -> None:
    """Write new intents with their timelines and messages, in one round trip."""
    metadata = [metadata_text(intent) for intent in intents]
    await _CREATE.execute(tx, intents=intents, metadata=metadata, publications=publications, events=events)


async def of_orders(tx: Connection, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Collecting]:
    """Find the payments of orders, by (tenant, order)."""
    rows = await _OF_ORDERS.fetch(
        tx, tenant_ids=[tenant for tenant, _ in keys], order_ids=[order_id for _, order_id in keys]
    )
    return {found.key: found for found in map(_collecting_of, rows)}
