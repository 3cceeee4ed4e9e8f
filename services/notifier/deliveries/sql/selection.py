"""Events of an endpoint chosen by what became of them: delivered, failed, or never sent.

A range of time is a range of event ids (UUIDv7), so choosing walks the messages of a tenant along their primary key, a
bounded number at a time.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from libs.common.db import Connection
from libs.common.db.statements import Statement
from services.notifier.deliveries.domain import Selection, delivery_id

_COUNTED_MAX = 100_000
"""Messages among which a selection is counted at most: a tenant may have millions, and the caller waits."""

# The delivery of each message is looked up by its whole key. OFFSET keeps the planner from joining in another way, which
# it would choose badly for tables of which it has no statistics yet.
_JOINED = """
    walked AS m
      LEFT JOIN LATERAL (
        SELECT status, attempts, replays FROM deliveries
         WHERE tenant_id = :tenant_id AND endpoint_id = :endpoint_id AND event_id = m.event_id OFFSET 0) AS d ON true
"""
# Attempts and replays are counted in two bytes. What was tried ten thousand times is not replayed any more.
_IS_CHOSEN = """
    coalesce(((d.status = 'FAILED' AND 'failed' = ANY(:selection.outcomes::text[])
               AND greatest(d.attempts, d.replays) < 10000)
              OR (d.status = 'DELIVERED' AND 'delivered' = ANY(:selection.outcomes::text[])
                  AND greatest(d.attempts, d.replays) < 10000)
              OR (d.status IS NULL AND 'missing' = ANY(:selection.outcomes::text[])
                  AND m.type = ANY(:selection.listed_types::text[])))
             AND (cardinality(:selection.event_types::text[]) = 0 OR m.type = ANY(:selection.event_types::text[])), false)
"""
_RANGE = """
    SELECT * FROM messages
     WHERE tenant_id = :tenant_id AND event_id > :after AND event_id <= :until
       AND (cardinality(:selection.event_ids::uuid[]) = 0 OR event_id = ANY(:selection.event_ids::uuid[]))
"""

# Bounded, since it is answered while somebody waits.
_COUNT = Statement(
    "WITH walked AS ({range} ORDER BY event_id LIMIT {counted_max}) SELECT count(*) FROM {joined} WHERE {is_chosen}",
    range=_RANGE,
    counted_max=_COUNTED_MAX,
    joined=_JOINED,
    is_chosen=_IS_CHOSEN,
)

# Walked first and judged afterwards, so that one step reads a bounded range whatever it selects.
CHOOSE = Statement(
    """
WITH walked AS MATERIALIZED ({range} ORDER BY event_id LIMIT :limit)
SELECT event_id, type, is_chosen, status, payment_intent_id,
       CASE WHEN is_chosen THEN coalesce((body::json #>> '{data,sequence}')::int, 0) END AS sequence
  FROM (SELECT m.*, d.status, {is_chosen} AS is_chosen FROM {joined}) AS c
 ORDER BY event_id
""",
    range=_RANGE,
    joined=_JOINED,
    is_chosen=_IS_CHOSEN,
)
"""The messages of a step beside what is delivered of them; read by its plan in tests."""

# Only what is over; a delivery that somebody took up again meanwhile is left alone. What is delivered again keeps its id
# and its body; its attempts go on being counted, and the retry schedule begins anew.
_AGAIN = Statement("""
UPDATE deliveries AS d
   SET status = 'PENDING', next_attempt_at = :now, ended_at = NULL, end_reason = NULL, fence = d.fence + 1,
       attempts_before = d.attempts, replays = d.replays + 1
 WHERE d.tenant_id = :tenant_id AND d.endpoint_id = :endpoint_id AND d.event_id = ANY(:event_ids::uuid[])
   AND d.status <> 'PENDING' AND greatest(d.attempts, d.replays) < 10000
""")

# Events without a delivery; one that was scheduled meanwhile stays as it is.
_ADD = Statement("""
INSERT INTO deliveries (tenant_id, endpoint_id, event_id, id, event_type, status, attempts, next_attempt_at, fence,
                        created_at, ordering_key, sequence, replays)
SELECT :tenant_id, :endpoint_id, event_id, id, type, 'PENDING', 0, :now, 0, :now, ordering_key, sequence, 1
  FROM unnest(:event_ids::uuid[], :ids::uuid[], :types::text[], :ordering_keys::uuid[], :sequences::int[])
       AS n(event_id, id, type, ordering_key, sequence)
ON CONFLICT DO NOTHING
""")


async def count_selected(
    connection: Connection, selection: Selection, *, tenant_id: str, endpoint_id: UUID, after: UUID, until: UUID
) -> int:
    """Count what a selection has now, between two events, among the first 100,000 messages of that time."""
    count = await _COUNT.fetchval(
        connection, tenant_id=tenant_id, endpoint_id=endpoint_id, after=after, until=until, selection=selection
    )
    return int(count or 0)


async def choose(
    tx: Connection, selection: Selection, *, tenant_id: str, endpoint_id: UUID, after: UUID, until: UUID, limit: int
) -> list[asyncpg.Record]:
    """Read the next messages of a range, each with whether the selection has it and what its delivery came to."""
    return await CHOOSE.fetch(
        tx, tenant_id=tenant_id, endpoint_id=endpoint_id, after=after, until=until, selection=selection, limit=limit
    )


async def schedule_again(
    tx: Connection,
    chosen: Sequence[asyncpg.Record],
    *,
    tenant_id: str,
    endpoint_id: UUID,
    is_ordered: bool,
    now: datetime,
) -> int:
    """Make chosen messages pending, those delivered before and those that never were; returns how many."""
    missing = [row for row in chosen if row["status"] is None]
    again = await _AGAIN.execute(
        tx,
        tenant_id=tenant_id,
        endpoint_id=endpoint_id,
        event_ids=[row["event_id"] for row in chosen if row["status"] is not None],
        now=now,
    )
    added = await _ADD.execute(
        tx,
        tenant_id=tenant_id,
        endpoint_id=endpoint_id,
        now=now,
        event_ids=[row["event_id"] for row in missing],
        ids=[delivery_id(row["event_id"], endpoint_id) for row in missing],
        types=[row["type"] for row in missing],
        ordering_keys=[row["payment_intent_id"] if is_ordered else None for row in missing],
        sequences=[row["sequence"] for row in missing],
    )
    return again + added
