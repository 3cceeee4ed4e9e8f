"""The SQL of timelines: what happened to an intent, when, by whom; written together with what happened."""

from collections.abc import Sequence
from uuid import UUID

from libs.common.db import Connection, Database
from libs.common.db.statements import Statement, arrays_of, columns_of, reader_of
from services.api.payments.domain import TimelineEvent

KINDS = {
    "tenant_id": "text",
    "payment_intent_id": "uuid",
    "id": "uuid",
    "type": "text",
    "status": "text",
    "actor": "text",
    "cause_id": "uuid",
    "correlation_id": "text",
    "occurred_at": "timestamptz",
}
"""The columns of a line, and their types."""
INSERT_EVENTS = (
    f"INSERT INTO payment_intent_events ({', '.join(KINDS)}) SELECT * FROM "  # noqa: S608 - constants
    f"unnest({', '.join(f':events[].{column}::{kind}[]' for column, kind in KINDS.items())})"
)
"""Writes lines; for a `Statement` whose value `events` is the lines. A condition may follow."""

INSERT_EVENTS_OF = (
    f"INSERT INTO payment_intent_events ({', '.join(KINDS)}) SELECT {', '.join(f'e.{column}' for column in KINDS)} FROM "  # noqa: S608 - constants
    f"unnest({arrays_of('events', KINDS)}) AS e({', '.join(KINDS)}) "
    "JOIN {decided} AS w ON w.id = e.payment_intent_id"
)
"""The same for many decisions at once: `{decided}` is a CTE of the ids of those that were decided. Of the others no line is
written."""

# By the primary key, so that a late answer to an old command costs as little as any.
_PUBLISHED = Statement("""
SELECT tenant_id, payment_intent_id, id
  FROM unnest(:tenant_ids::text[], :intent_ids::uuid[], :message_ids::uuid[]) AS w(tenant_id, payment_intent_id, id)
  JOIN payment_intent_events USING (tenant_id, payment_intent_id, id)
""")

# From the intent's one partition, by its primary key; sorted afterwards, which a payment's few lines make cheap.
_TIMELINE = Statement(
    """
SELECT {columns} FROM payment_intent_events WHERE tenant_id = :tenant_id AND payment_intent_id = :intent_id
 ORDER BY occurred_at, id LIMIT :limit
""",
    columns=columns_of(TimelineEvent),
)

_event_of = reader_of(TimelineEvent)


async def published(tx: Connection, ids: Sequence[tuple[str, UUID, UUID]]) -> frozenset[tuple[str, UUID, UUID]]:
    """Return which of these (tenant, intent, message) the api has published."""
    rows = await _PUBLISHED.fetch(
        tx,
        tenant_ids=[tenant for tenant, _, _ in ids],
        intent_ids=[intent for _, intent, _ in ids],
        message_ids=[message for _, _, message in ids],
    )
    return frozenset((row["tenant_id"], row["payment_intent_id"], row["id"]) for row in rows)


async def timeline(database: Database, tenant_id: str, intent_id: UUID, *, limit: int) -> list[TimelineEvent]:
    """Read what happened to an intent, oldest first."""
    rows = await _TIMELINE.fetch(database, tenant_id=tenant_id, intent_id=intent_id, limit=limit)
    return [_event_of(row) for row in rows]
