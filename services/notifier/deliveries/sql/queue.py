"""Messages, the queue of deliveries, and the attempts at them.

A delivery is claimed by raising its fence and moving `next_attempt_at` to the end of the lease: a worker that dies leaves
a row that is simply due again later, and what it might still record does not carry the new fence. Nobody waits for a row
lock in a circle: claims and mass endings skip locked rows, and an outcome touches only rows whose fence its worker holds.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from uuid import UUID

import asyncpg
import msgspec

from libs.common.db import Connection
from libs.common.db.statements import Statement
from services.notifier.deliveries.domain import Claimed, DeliveryStatus, EndReason

# Message and deliveries in one statement, in the order of their keys: two consumers of one event do not deadlock.
_SCHEDULE = Statement("""
WITH scheduled AS (
    INSERT INTO messages (tenant_id, event_id, type, payment_intent_id, body, occurred_at, created_at, correlation_id,
                          traceparent)
    SELECT tenant_id, event_id, :event_type, payment_intent_id, body, occurred_at, :now, correlation_id, traceparent
      FROM unnest(:messages[].tenant_id::text[], :messages[].event_id::uuid[], :messages[].payment_intent_id::uuid[],
                  :messages[].body::text[], :messages[].occurred_at::timestamptz[], :messages[].correlation_id::text[],
                  :messages[].traceparent::text[])
           AS m(tenant_id, event_id, payment_intent_id, body, occurred_at, correlation_id, traceparent)
     ORDER BY tenant_id, event_id
    ON CONFLICT DO NOTHING
)
INSERT INTO deliveries
       (tenant_id, endpoint_id, event_id, id, event_type, status, attempts, next_attempt_at, fence, created_at,
        ordering_key, sequence)
SELECT tenant_id, endpoint_id, event_id, id, :event_type, 'PENDING', 0, first_attempt_at, 0, :now, ordering_key, sequence
  FROM unnest(:deliveries[].tenant_id::text[], :deliveries[].endpoint_id::uuid[], :deliveries[].event_id::uuid[],
              :deliveries[].id::uuid[], :deliveries[].first_attempt_at::timestamptz[],
              :deliveries[].ordering_key::uuid[], :deliveries[].sequence::int[])
       AS d(tenant_id, endpoint_id, event_id, id, first_attempt_at, ordering_key, sequence)
 ORDER BY tenant_id, endpoint_id, event_id
ON CONFLICT DO NOTHING
""")

# The partial index of what is pending has no other rows; the limit bounds what a dead endpoint's queue costs.
_COUNT_PENDING = Statement("""
SELECT count(*) FROM (SELECT FROM deliveries WHERE status = 'PENDING' LIMIT 10000) AS pending
""")


async def count_pending(connection: Connection) -> int:
    """Count the deliveries that are to be attempted, up to 10,000."""
    return int(await _COUNT_PENDING.fetchval(connection) or 0)


# The index is visited once for each endpoint that has something pending, whatever the length of its queue: a dead
# endpoint with a million deliveries costs no more than one with a single delivery. The limit is written into the
# statement so that the planner knows that few rows follow.
#
# `gated` locks the few gates that say something now: an endpoint with an open breaker gets one delivery once its pause is
# over, and the pause moves to the end of the lease, so that nobody else tries meanwhile; an endpoint with a rate limit
# gets what a second's worth of it allows. A gate in another worker's hands counts as shut. Where an endpoint is ordered, an event
# waits while an earlier one of its payment does.
#
# `shared` divides a claim among the tenants: each has one endpoint's turn before any has a second, those with the least
# in progress first, no endpoint takes more than its tenant's share of the claim, and no tenant has more in flight than `:tenant_max`.
_CLAIM = """
WITH RECURSIVE heads AS (
    (SELECT tenant_id, endpoint_id, next_attempt_at FROM deliveries WHERE status = 'PENDING'
      ORDER BY tenant_id, endpoint_id, next_attempt_at LIMIT 1)
    UNION ALL
    SELECT following.*
      FROM heads, LATERAL (
           SELECT tenant_id, endpoint_id, next_attempt_at FROM deliveries
            WHERE status = 'PENDING' AND (tenant_id, endpoint_id) > (heads.tenant_id, heads.endpoint_id)
            ORDER BY tenant_id, endpoint_id, next_attempt_at LIMIT 1) AS following
), gated AS (
    SELECT g.tenant_id, g.endpoint_id,
           CASE WHEN g.paused_until IS NULL THEN 1000000 WHEN g.paused_until <= :now THEN 1 ELSE 0 END AS by_breaker,
           CASE WHEN g.rate_limit_per_second IS NULL THEN 1000000
                ELSE greatest(0, floor(extract(epoch FROM :now + interval '1 second'
                              - greatest(coalesce(g.paced_until, :now), :now)) * g.rate_limit_per_second)) END AS by_pace
      FROM endpoint_gates AS g
     WHERE (g.tenant_id, g.endpoint_id) IN (SELECT tenant_id, endpoint_id FROM heads WHERE next_attempt_at <= :now)
       AND (g.paused_until IS NOT NULL OR g.rate_limit_per_second IS NOT NULL)
       FOR UPDATE SKIP LOCKED
), willing AS (
    SELECT heads.*,
           CASE WHEN g.endpoint_id IS NULL THEN coalesce(known.slots, :slots_default::int)
                ELSE least(coalesce(known.slots, :slots_default::int), coalesce(gated.by_breaker, 0),
                           coalesce(gated.by_pace, 0))::int END AS slots
      FROM heads LEFT JOIN unnest(:endpoint_ids::uuid[], :slots::int[]) AS known(endpoint_id, slots) USING (endpoint_id)
      LEFT JOIN endpoint_gates AS g ON g.tenant_id = heads.tenant_id AND g.endpoint_id = heads.endpoint_id
            AND (g.paused_until IS NOT NULL OR g.rate_limit_per_second IS NOT NULL)
      LEFT JOIN gated ON gated.tenant_id = heads.tenant_id AND gated.endpoint_id = heads.endpoint_id
     WHERE heads.next_attempt_at <= :now AND coalesce(known.slots, :slots_default::int) > 0
), capped AS (
    SELECT tenant_id, endpoint_id, next_attempt_at,
           least(slots, greatest(1, {limit} / (SELECT count(DISTINCT tenant_id) FROM willing)))::int AS slots
      FROM willing
), shared AS (
    SELECT tenant_id, endpoint_id, next_attempt_at, coalesce(busy.in_flight, 0) AS in_flight,
           row_number() OVER tenant AS turn,
           least(capped.slots, :tenant_max::int - coalesce(busy.in_flight, 0) - coalesce(sum(capped.slots) OVER earlier, 0))::int
               AS slots
      FROM capped LEFT JOIN unnest(:busy_tenants::text[], :in_flight::int[]) AS busy(tenant_id, in_flight) USING (tenant_id)
    WINDOW tenant AS (PARTITION BY tenant_id ORDER BY next_attempt_at, endpoint_id),
           earlier AS (tenant ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
), ranked AS (
    SELECT * FROM shared WHERE slots > 0 ORDER BY turn, in_flight, next_attempt_at
), picked AS (
    SELECT due.*
      FROM ranked CROSS JOIN LATERAL (
           SELECT tenant_id, endpoint_id, event_id FROM deliveries AS d
            WHERE d.tenant_id = ranked.tenant_id AND d.endpoint_id = ranked.endpoint_id
              AND d.status = 'PENDING' AND d.next_attempt_at <= :now
              AND (d.ordering_key IS NULL OR NOT EXISTS (
                   SELECT FROM deliveries AS e
                    WHERE e.tenant_id = d.tenant_id AND e.endpoint_id = d.endpoint_id AND e.status = 'PENDING'
                      AND e.ordering_key = d.ordering_key AND (e.sequence, e.event_id) < (d.sequence, d.event_id)))
            ORDER BY d.next_attempt_at, d.event_id LIMIT ranked.slots FOR UPDATE SKIP LOCKED) AS due
     LIMIT {limit}
), passed AS (
    UPDATE endpoint_gates AS g
       SET paused_until = CASE WHEN g.paused_until IS NOT NULL THEN :lease_until::timestamptz END,
           paced_until = greatest(coalesce(g.paced_until, :now), :now)
                         + taken.attempts * interval '1 second' / g.rate_limit_per_second
      FROM (SELECT tenant_id, endpoint_id, count(*) AS attempts FROM picked GROUP BY tenant_id, endpoint_id) AS taken
      JOIN gated USING (tenant_id, endpoint_id)
     WHERE g.tenant_id = taken.tenant_id AND g.endpoint_id = taken.endpoint_id
)
UPDATE deliveries AS d SET fence = d.fence + 1, next_attempt_at = :lease_until
  FROM picked AS p
  JOIN webhook_endpoints AS w ON w.tenant_id = p.tenant_id AND w.id = p.endpoint_id
  JOIN messages AS m ON m.tenant_id = p.tenant_id AND m.event_id = p.event_id
 WHERE d.tenant_id = p.tenant_id AND d.endpoint_id = p.endpoint_id AND d.event_id = p.event_id
RETURNING d.tenant_id, d.endpoint_id, d.event_id, d.id, d.event_type, d.fence, d.attempts, d.created_at,
          w.url, w.secret_sealed, m.body, w.is_active, w.deleted_at IS NOT NULL AS is_deleted, d.attempts_before,
          w.secrets_retired, w.secrets_retired_until, w.headers_sealed, m.correlation_id, m.traceparent
"""

# An outcome raises the fence too, so that it counts once however often it is recorded. It needs no look at the status: who
# holds the fence was the last to try, and if the delivery was ended meanwhile (its endpoint deleted), what really
# happened is still worth more. A retry decided that way ends at its next claim. What the update returns is what it has
# matched: a group may hold a stale and a fresh outcome of one delivery, and a join by key would take both.
_RECORD = Statement("""
WITH recorded AS (
    UPDATE deliveries AS d
       SET status = o.status, attempts = d.attempts + 1, next_attempt_at = o.next_attempt_at,
           ended_at = o.ended_at, end_reason = o.end_reason, fence = d.fence + 1
      FROM unnest(
           :records[].tenant_id::text[], :records[].endpoint_id::uuid[], :records[].event_id::uuid[],
           :records[].fence::bigint[], :records[].attempted_at::timestamptz[], :records[].duration_ms::int[],
           :records[].status_code::smallint[], :records[].error::text[], :records[].response_excerpt::text[],
           :records[].status::text[], :records[].next_attempt_at::timestamptz[], :records[].ended_at::timestamptz[],
           :records[].end_reason::text[]) WITH ORDINALITY
           AS o(tenant_id, endpoint_id, event_id, fence, attempted_at, duration_ms, status_code, error,
                response_excerpt, status, next_attempt_at, ended_at, end_reason, place)
     WHERE d.tenant_id = o.tenant_id AND d.endpoint_id = o.endpoint_id AND d.event_id = o.event_id
       AND d.fence = o.fence
    RETURNING d.tenant_id, d.endpoint_id, d.event_id, d.attempts, o.attempted_at, o.duration_ms, o.status_code, o.error,
              o.response_excerpt, o.place
), kept AS (
    INSERT INTO attempts (tenant_id, endpoint_id, event_id, number, attempted_at, duration_ms, status_code, error,
                          response_excerpt)
    SELECT tenant_id, endpoint_id, event_id, attempts, attempted_at, duration_ms, status_code, error, response_excerpt
      FROM recorded
)
SELECT place FROM recorded
""")

# What a worker has claimed and still holds: the fence says so.
_HELD = """
  FROM unnest(:claimed[].tenant_id::text[], :claimed[].endpoint_id::uuid[], :claimed[].event_id::uuid[],
              :claimed[].fence::bigint[]) AS h(tenant_id, endpoint_id, event_id, fence)
 WHERE d.tenant_id = h.tenant_id AND d.endpoint_id = h.endpoint_id AND d.event_id = h.event_id
   AND d.fence = h.fence AND d.status = 'PENDING'
"""

# Due again at once instead of when the lease ends; what another worker has claimed since is left alone.
_HAND_BACK = Statement("UPDATE deliveries AS d SET next_attempt_at = :at {held}", held=_HELD)

# Under the fence, so that an attempt of another worker is not overwritten.
_ABANDON = Statement(
    """
UPDATE deliveries AS d SET status = 'FAILED', next_attempt_at = NULL, ended_at = :at, end_reason = :reason {held}
""",
    held=_HELD,
)

# Rows in a worker's hands are skipped, so that nobody waits for a lock; they are ended when they are claimed next.
_ABANDON_PENDING = Statement("""
UPDATE deliveries AS d SET status = 'FAILED', next_attempt_at = NULL, ended_at = :at, end_reason = :reason
  FROM (SELECT event_id FROM deliveries
         WHERE tenant_id = :tenant_id AND endpoint_id = :endpoint_id AND status = 'PENDING'
           FOR UPDATE SKIP LOCKED) AS pending
 WHERE d.tenant_id = :tenant_id AND d.endpoint_id = :endpoint_id AND d.event_id = pending.event_id
""")


class NewMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One event as merchants receive it."""

    tenant_id: str
    """The tenant."""
    event_id: UUID
    """The event."""
    payment_intent_id: UUID | None
    """The payment it is about, where it is about one."""
    body: str
    """The JSON exactly as it is sent."""
    occurred_at: datetime
    """When it happened."""
    correlation_id: str
    """The cause it belongs to."""
    traceparent: str
    """W3C trace context under which it was received; empty where nothing is traced."""


class NewDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """One message for one endpoint, before its first attempt."""

    tenant_id: str
    """The tenant."""
    endpoint_id: UUID
    """The endpoint."""
    event_id: UUID
    """The event."""
    id: UUID
    """The delivery."""
    first_attempt_at: datetime
    """When it is tried first."""
    ordering_key: UUID | None = None
    """The payment whose events wait for each other; None when this one waits for none."""
    sequence: int = 0
    """Its place among them."""


async def schedule(
    tx: Connection,
    *,
    event_type: str,
    messages: Sequence[NewMessage],
    deliveries: Sequence[NewDelivery],
    now: datetime,
) -> None:
    """Remember messages of one type and their deliveries; what is there already stays as it is."""
    await _SCHEDULE.execute(tx, event_type=event_type, now=now, messages=messages, deliveries=deliveries)


async def claim(
    connection: Connection,
    *,
    now: datetime,
    lease_until: datetime,
    slots: Mapping[UUID, int],
    slots_default: int,
    limit: int,
    in_flight: Mapping[str, int],
    tenant_max: int,
) -> list[Claimed]:
    """Take due deliveries for this worker, fairly by tenant and oldest first for each of its endpoints.

    At most `slots` of each endpoint, `limit` in all, and so many of a tenant that `tenant_max` are in progress with those
    that are `in_flight`.
    """
    rows = await _claim_of(limit).fetch(
        connection,
        now=now,
        lease_until=lease_until,
        endpoint_ids=list(slots),
        slots=list(slots.values()),
        slots_default=slots_default,
        busy_tenants=list(in_flight),
        in_flight=list(in_flight.values()),
        tenant_max=tenant_max,
    )
    return [_claimed(row, now=now) for row in rows]


@cache
def _claim_of(limit: int) -> Statement:
    return Statement(_CLAIM, limit=limit)


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt, and where it leaves its delivery."""

    tenant_id: str
    """The tenant."""
    endpoint_id: UUID
    """The endpoint."""
    event_id: UUID
    """The event."""
    fence: int
    """The fencing token under which the attempt was made."""
    attempted_at: datetime
    """When it began."""
    duration_ms: int
    """How long the exchange took."""
    status_code: int | None
    """The HTTP status; None when there was none."""
    error: str | None
    """Why there is no complete answer."""
    response_excerpt: str
    """The beginning of the answer's body."""
    status: DeliveryStatus
    """The delivery's status from now on."""
    next_attempt_at: datetime | None = None
    """When it is tried next; None when it is over."""
    ended_at: datetime | None = None
    """When it was over; None while it is not."""
    end_reason: EndReason | None = None
    """Why it is over; None while it is not."""


async def record(tx: Connection, records: Sequence[Record]) -> list[bool]:
    """Record attempts and move their deliveries on; says for each, in order, whether its fence was still the latest."""
    held = {row["place"] for row in await _RECORD.fetch(tx, records=records)}
    return [place in held for place in range(1, len(records) + 1)]


async def hand_back(connection: Connection, claimed: Sequence[Claimed], *, at: datetime) -> None:
    """Release claimed deliveries without an attempt; they are due at `at`."""
    await _HAND_BACK.execute(connection, claimed=claimed, at=at)


async def abandon(connection: Connection, claimed: Sequence[Claimed], *, reason: EndReason, at: datetime) -> None:
    """End claimed deliveries without an attempt."""
    await _ABANDON.execute(connection, claimed=claimed, at=at, reason=reason)


async def abandon_pending(
    tx: Connection, *, tenant_id: str, endpoint_id: UUID, reason: EndReason, at: datetime
) -> None:
    """End what waits for an endpoint that was deleted or switched off; a replay can take it up again."""
    await _ABANDON_PENDING.execute(tx, tenant_id=tenant_id, endpoint_id=endpoint_id, at=at, reason=reason)


def _claimed(row: asyncpg.Record, *, now: datetime) -> Claimed:
    retired = zip(row["secrets_retired"], row["secrets_retired_until"], strict=True)
    return Claimed(
        tenant_id=row["tenant_id"],
        endpoint_id=row["endpoint_id"],
        event_id=row["event_id"],
        id=row["id"],
        event_type=row["event_type"],
        fence=row["fence"],
        attempts=row["attempts"],
        created_at=row["created_at"],
        url=row["url"],
        secret_sealed=row["secret_sealed"],
        body=row["body"],
        is_receiving=row["is_active"] and not row["is_deleted"],
        is_deleted=row["is_deleted"],
        attempts_before=row["attempts_before"],
        secrets_retired=tuple(sealed for sealed, until in retired if until > now),
        headers_sealed=row["headers_sealed"],
        correlation_id=row["correlation_id"],
        traceparent=row["traceparent"],
    )
