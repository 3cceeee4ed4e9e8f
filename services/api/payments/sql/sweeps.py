"""The SQL of payments and refunds that wait for another service: found by age, by one sweeper at a time, each with its pause."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from libs.common.db import Connection, Database
from libs.common.db.statements import Statement, reader_of
from services.api.payments.domain import Due, Refund, Stuck, Sweep, Waiting
from services.api.payments.sql.intents import INTENT_COLUMNS, intent_of

IS_WAITING = (
    "status = 'PROCESSING' OR (status = 'REQUIRES_ACTION' AND is_voiding) OR (status = 'AUTHORIZED' AND "
    "(capture_method = 'automatic' OR capturing_minor > 0 OR captured_minor > 0 OR is_voiding))"
)
"""Which intents wait for another service, not for a person: the predicate of `ix_payment_intents_waiting`."""

_REFUND = tuple(Refund.__struct_fields__)
_STAGE = (
    "CASE WHEN status = 'PROCESSING' AND is_voiding THEN 'cancelling' WHEN status = 'PROCESSING' THEN 'processing' "
    "WHEN status = 'REQUIRES_ACTION' THEN 'abandoning' "
    "WHEN captured_minor > 0 THEN 'captured' WHEN is_voiding THEN 'voiding' "
    "WHEN capturing_minor > 0 THEN 'capturing' ELSE 'authorized_automatic' END"
)
_CORRELATION = (
    "(SELECT e.correlation_id FROM payment_intent_events e WHERE e.payment_intent_id = i.id "
    "AND e.tenant_id = i.tenant_id ORDER BY e.id DESC LIMIT 1) AS correlation_id"
)

# A sweep of an earlier version of the intent does not count: the payment has moved on since, and waits anew. Rows that
# another process has locked are passed over: it sweeps them, or moves them.
_DUE_INTENTS = Statement(
    """
SELECT {columns}, CASE WHEN s.version = i.version THEN s.repeats ELSE 0 END AS repeats, {correlation}
  FROM payment_intents i LEFT JOIN sweeps s ON s.subject_id = i.id AND s.tenant_id = i.tenant_id
 WHERE ({is_waiting}) AND i.updated_at < :before AND i.updated_at > :after
   AND (s.subject_id IS NULL OR s.version <> i.version OR s.next_at <= :now)
 ORDER BY i.updated_at LIMIT :limit FOR UPDATE OF i SKIP LOCKED
""",
    columns=INTENT_COLUMNS,
    correlation=_CORRELATION,
    is_waiting=IS_WAITING,
)

# By `ix_payment_intents_customers`. A code or a slip ends by itself at the processor, a slip after days. Rows that another
# process has locked are passed over: it cancels them, or moves them.
_DUE_CUSTOMERS = Statement(
    """
SELECT {columns}, 0 AS repeats, {correlation} FROM payment_intents i
 WHERE i.status = 'REQUIRES_ACTION' AND NOT i.is_voiding AND i.updated_at < :before AND i.payment_method_type = 'card'
 ORDER BY i.updated_at LIMIT :limit FOR UPDATE OF i SKIP LOCKED
""",
    columns=INTENT_COLUMNS,
    correlation=_CORRELATION,
)

# The refund's row alone is locked: its payment may change while the refund waits.
_DUE_REFUNDS = Statement(
    """
SELECT {columns}, {refund}, coalesce(s.repeats, 0) AS repeats, {correlation}
  FROM refunds r JOIN payment_intents i ON i.id = r.payment_intent_id AND i.tenant_id = r.tenant_id
  LEFT JOIN sweeps s ON s.subject_id = r.id AND s.tenant_id = r.tenant_id
 WHERE r.status = 'PENDING' AND r.updated_at < :before AND r.updated_at > :after
   AND (s.subject_id IS NULL OR s.next_at <= :now)
 ORDER BY r.updated_at LIMIT :limit FOR UPDATE OF r SKIP LOCKED
""",
    columns=INTENT_COLUMNS,
    refund=", ".join(f"r.{column} AS refund_{column}" for column in _REFUND),
    correlation=_CORRELATION,
)

# Returns only what no other process has swept meanwhile: of two that hold the same row one publishes.
_WRITE = Statement("""
INSERT INTO sweeps (tenant_id, subject_id, version, repeats, next_at)
SELECT * FROM unnest(:sweeps[].tenant_id::text[], :sweeps[].subject_id::uuid[], :sweeps[].version::int[],
                     :sweeps[].repeats::int[], :sweeps[].next_at::timestamptz[])
ON CONFLICT (subject_id, tenant_id) DO UPDATE
SET version = excluded.version, repeats = excluded.repeats, next_at = excluded.next_at
WHERE sweeps.version <> excluded.version OR sweeps.next_at <= :now
RETURNING subject_id
""")

# By `ctid`, since a DELETE has no LIMIT: a round locks a bounded number of rows, found by `ix_sweeps_next_at`.
_FORGET = Statement("""
DELETE FROM sweeps WHERE ctid = ANY(ARRAY(SELECT ctid FROM sweeps WHERE next_at < :before LIMIT :limit))
""")

# With the predicates of `ix_payment_intents_waiting` and `ix_refunds_pending`: the cost grows with what waits alone.
_AGES = Statement(
    """
SELECT {stage} AS stage, count(*) AS waiting, min(updated_at) AS since
  FROM payment_intents WHERE {is_waiting} GROUP BY 1
UNION ALL
SELECT 'refund_pending', count(*), min(updated_at) FROM refunds WHERE status = 'PENDING'
""",
    stage=_STAGE,
    is_waiting=IS_WAITING,
)

# Each half is limited by itself, so that each reads its index only as far as it shows.
_STUCK = Statement(
    """
WITH waiting AS (
    (SELECT tenant_id, id AS payment_intent_id, NULL::uuid AS refund_id, {stage} AS stage, updated_at AS since
       FROM payment_intents WHERE ({is_waiting}) AND updated_at < :before ORDER BY updated_at LIMIT :limit)
    UNION ALL
    (SELECT tenant_id, payment_intent_id, id, 'refund_pending', updated_at
       FROM refunds WHERE status = 'PENDING' AND updated_at < :before ORDER BY updated_at LIMIT :limit)
)
SELECT w.*, coalesce(s.repeats, 0) AS repeats, s.next_at FROM waiting w
  LEFT JOIN sweeps s ON s.subject_id = coalesce(w.refund_id, w.payment_intent_id) AND s.tenant_id = w.tenant_id
 ORDER BY w.since LIMIT :limit
""",
    stage=_STAGE,
    is_waiting=IS_WAITING,
)

_stuck_of = reader_of(Stuck)


async def due_intents(tx: Connection, *, before: datetime, after: datetime, now: datetime, limit: int) -> list[Due]:
    """Lock the intents that have waited since before an instant, oldest first, and may be swept `now`."""
    rows = await _DUE_INTENTS.fetch(tx, before=before, after=after, now=now, limit=limit)
    return [_due(row) for row in rows]


async def due_customers(tx: Connection, *, before: datetime, limit: int) -> list[Due]:
    """Lock the intents that have waited for their customer since before an instant, oldest first."""
    return [_due(row) for row in await _DUE_CUSTOMERS.fetch(tx, before=before, limit=limit)]


async def due_refunds(tx: Connection, *, before: datetime, after: datetime, now: datetime, limit: int) -> list[Due]:
    """Lock the refunds that have waited since before an instant, oldest first, and may be swept `now`."""
    rows = await _DUE_REFUNDS.fetch(tx, before=before, after=after, now=now, limit=limit)
    return [
        _due(row, refund=msgspec.convert({column: row[f"refund_{column}"] for column in _REFUND}, Refund))
        for row in rows
    ]


async def write_sweeps(tx: Connection, sweeps: Sequence[Sweep], *, now: datetime) -> set[UUID]:
    """Record what is published again; returns the subjects that no other process has swept meanwhile."""
    # In one order, so that two sweepers never wait for each other in a circle.
    ordered = sorted(sweeps, key=lambda sweep: sweep.subject_id)
    return {row["subject_id"] for row in await _WRITE.fetch(tx, sweeps=ordered, now=now)}


async def forget(database: Database, *, before: datetime, limit: int) -> int:
    """Delete sweeps that were due before an instant and were not continued: what they were about has moved on."""
    async with database.connection() as connection:
        return await _FORGET.execute(connection, before=before, limit=limit)


async def ages(database: Database) -> list[Waiting]:
    """Count the payments and refunds that wait, by stage, with the age of the oldest."""
    rows = await _AGES.fetch(database)
    return [Waiting(stage=row["stage"], count=row["waiting"], since=row["since"]) for row in rows]


async def stuck(database: Database, *, before: datetime, limit: int) -> list[Stuck]:
    """Read the payments and refunds that have waited since before an instant, oldest first."""
    return [_stuck_of(row) for row in await _STUCK.fetch(database, before=before, limit=limit)]


def _due(row: asyncpg.Record, *, refund: Refund | None = None) -> Due:
    return Due(intent=intent_of(row), refund=refund, repeats=row["repeats"], correlation_id=row["correlation_id"] or "")
