"""The SQL of Stripe's events: stored raw when it comes, worked on later, each by one worker at a time."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import msgspec

from libs.common.contracts.gateway_requests import ProcessorEvent
from libs.common.db import Connection, Database, GroupCommit
from libs.common.db.statements import Statement, columns_of
from libs.common.messaging import OUTBOX_ARRAYS, OUTBOX_COLUMNS, Publication

_GROUP_MAX = 500
_WAITING_MAX = 10_000

# An event that is known already changes nothing.
_KEEP = Statement(
    """
INSERT INTO stripe_events (tenant_id, processor, id, type, status, body, next_try_at, happened_at, received_at)
SELECT tenant_id, processor, id, type, 'RECEIVED', body, received_at, happened_at, received_at
FROM unnest(:events[].tenant_id::text[], :events[].processor::text[], :events[].id::text[], :events[].type::text[],
            :events[].body::text[], :events[].happened_at::timestamptz[], :events[].received_at::timestamptz[])
    AS e (tenant_id, processor, id, type, body, happened_at, received_at)
ORDER BY id ON CONFLICT (id, processor, tenant_id) DO NOTHING
"""
)

# The index is visited once for each account that has something waiting, and each account that has something due gets the
# same share of a claim: however long the queue of one, what another has waits for no more than one round. Chance decides
# only where more accounts have something due than a claim has places.
_CLAIM = Statement(
    """
WITH RECURSIVE heads AS (
    (SELECT tenant_id, processor, next_try_at FROM stripe_events WHERE next_try_at IS NOT NULL
      ORDER BY tenant_id, processor, next_try_at LIMIT 1)
    UNION ALL
    SELECT following.*
      FROM heads, LATERAL (
           SELECT tenant_id, processor, next_try_at FROM stripe_events
            WHERE next_try_at IS NOT NULL AND (tenant_id, processor) > (heads.tenant_id, heads.processor)
            ORDER BY tenant_id, processor, next_try_at LIMIT 1) AS following
), accounts AS (
    SELECT *, greatest(1, :limit::int / count(*) OVER ()) AS share FROM heads WHERE next_try_at <= :now ORDER BY random() LIMIT :limit
), due AS (
    SELECT picked.*
      FROM accounts CROSS JOIN LATERAL (
           SELECT tenant_id, processor, id FROM stripe_events AS e
            WHERE e.tenant_id = accounts.tenant_id AND e.processor = accounts.processor AND e.next_try_at <= :now
            ORDER BY e.next_try_at LIMIT accounts.share FOR UPDATE SKIP LOCKED) AS picked
)
UPDATE stripe_events e SET next_try_at = :now + :lease::interval, tries = tries + 1
FROM due WHERE (e.id, e.processor, e.tenant_id) = (due.id, due.processor, due.tenant_id)
RETURNING e.tenant_id, e.processor, e.id, e.type, e.body, e.tries, e.happened_at, e.received_at
"""
)

# What is published because of an event is published in the statement that marks it done, and only by whoever marks it: by
# its place in the group, because one event may stand in it twice, and two accounts may have events of one id. `tries` is
# the fence: whose lease has ended marks nothing once another has claimed the event.
_FINISH = Statement(
    """
WITH done AS (
    UPDATE stripe_events e SET status = d.status, reason = d.reason, payment_intent_id = d.payment_intent_id,
        next_try_at = d.next_try_at, handled_at = :at
    FROM unnest(:events[].tenant_id::text[], :events[].processor::text[], :events[].id::text[], :finished[].status::text[],
        :finished[].reason::text[], :finished[].payment_intent_id::uuid[], :finished[].next_try_at::timestamptz[],
        :events[].tries::int[])
        WITH ORDINALITY
        AS d (tenant_id, processor, id, status, reason, payment_intent_id, next_try_at, tries, place)
    WHERE (e.id, e.processor, e.tenant_id) = (d.id, d.processor, d.tenant_id) AND e.next_try_at IS NOT NULL
        AND e.tries = d.tries
    RETURNING d.place
)
INSERT INTO outbox ({outbox_columns})
SELECT {outbox_columns}
FROM unnest(:of_places::int[], {outbox}) AS s (of_place, {outbox_columns})
WHERE of_place IN (SELECT place FROM done)
""",
    outbox_columns=OUTBOX_COLUMNS,
    outbox=OUTBOX_ARRAYS,
)

# By `ix_stripe_events_tenant`; the id decides where two came at one instant.
_LIST = Statement(
    """
SELECT {columns} FROM stripe_events
WHERE tenant_id = :tenant_id AND (cardinality(:statuses::text[]) = 0 OR status = ANY (:statuses::text[])) ORDER BY received_at DESC, id LIMIT :limit
""",
    columns=columns_of(ProcessorEvent),
)

# All counts from one snapshot: an event that ends meanwhile is not counted both as waiting and as kept. Each side has an index
# of its own (`ix_stripe_events_waiting`, `ix_stripe_events_kept`): what is done, which is nearly all, is never read.
_COUNT = Statement(
    """
SELECT waiting.*, kept.* FROM
    (SELECT count(*) AS waiting, min(received_at) AS oldest FROM stripe_events WHERE next_try_at IS NOT NULL) AS waiting,
    (SELECT count(*) FILTER (WHERE status = 'UNMATCHED') AS unmatched,
        count(*) FILTER (WHERE status = 'CONTRADICTED') AS contradicted, count(*) FILTER (WHERE status = 'FAILED') AS failed
       FROM stripe_events WHERE status IN ('UNMATCHED', 'CONTRADICTED', 'FAILED')) AS kept
"""
)

# Only what has taken effect, or means nothing to us; what a person has to look at stays.
_FORGET = Statement(
    """
DELETE FROM stripe_events WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM stripe_events WHERE received_at < :before AND next_try_at IS NULL AND status IN ('HANDLED', 'IGNORED')
    ORDER BY received_at LIMIT :limit))
"""
)


class EventStatus(StrEnum):
    """What became of an event."""

    RECEIVED = "RECEIVED"
    """Stored; to be worked on, or to be tried again."""
    HANDLED = "HANDLED"
    """It has taken effect, or we knew."""
    IGNORED = "IGNORED"
    """Of a type that means nothing to us; kept."""
    UNMATCHED = "UNMATCHED"
    """About a payment or refund that we do not know; kept and shown."""
    CONTRADICTED = "CONTRADICTED"
    """It cannot be true together with what Stripe reported before; kept and shown."""
    FAILED = "FAILED"
    """It could not be worked on, however often it was tried; kept and shown."""


class RawEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it came."""

    tenant_id: str
    """Whose account sent it."""
    processor: str
    """The account."""
    id: str
    """Stripe's id."""
    type: str
    """Stripe's name for what happened."""
    body: str
    """All of it."""
    tries: int = 0
    """How often it was worked on, this time included."""
    happened_at: datetime
    """When, in Stripe's words."""
    received_at: datetime
    """When it first came."""


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """What came of working on an event."""

    event: RawEvent
    """The event."""
    status: EventStatus
    """What became of it."""
    reason: str = ""
    """Why, as a word."""
    payment_intent_id: UUID | None = None
    """The payment, where we know it."""
    next_try_at: datetime | None = None
    """When it is tried again; None when it is done."""
    publications: tuple[Publication, ...] = ()
    """What is published because of it, beside what its notices publish."""
    at: datetime
    """Now."""


class WaitingEvents(msgspec.Struct, frozen=True, kw_only=True):
    """How many events an operator must know of."""

    waiting: int
    """Those that are still to be worked on."""
    oldest: datetime | None
    """When the oldest of them came."""
    unmatched: int
    """Those about a payment that we do not know."""
    contradicted: int
    """Those that cannot be true."""
    failed: int
    """Those that could not be worked on."""


async def keep_in(tx: Connection, event: RawEvent) -> None:
    """Store an event in a transaction of somebody else's; one that is known changes nothing."""
    await _KEEP.execute(tx, events=[event])


class EventStore:
    """The events table; both writes on the path of a webhook join a group commit."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._keeping: GroupCommit[RawEvent, None] = GroupCommit(
            self._keep, group_max=_GROUP_MAX, waiting_max=_WAITING_MAX
        )
        self._finishing: GroupCommit[Finished, None] = GroupCommit(
            self._finish, group_max=_GROUP_MAX, waiting_max=_WAITING_MAX
        )

    async def keep(self, event: RawEvent) -> None:
        """Store an event, committed; one that is known changes nothing."""
        await self._keeping.submit(event)

    async def finish(self, finished: Finished) -> None:
        """Note what became of an event, and publish what follows from it, once."""
        await self._finishing.submit(finished)

    async def claim(self, *, now: datetime, lease: timedelta, limit: int) -> list[RawEvent]:
        """Take events that are due, each for one worker at a time, until the lease ends; of each account its fair share."""
        rows = await _CLAIM.fetch(self._database, now=now, limit=limit, lease=lease)
        return [RawEvent(**dict(row)) for row in rows]

    async def list(self, *, tenant_id: str, statuses: Sequence[str], limit: int) -> Sequence[ProcessorEvent]:
        """Read a tenant's events, newest first."""
        rows = await _LIST.fetch(self._database, tenant_id=tenant_id, statuses=[*statuses], limit=limit)
        return [ProcessorEvent(**dict(row)) for row in rows]

    async def count(self) -> WaitingEvents:
        """Count what an operator must know of."""
        row = await _COUNT.fetchrow(self._database)
        assert row is not None
        return WaitingEvents(**dict(row))

    async def forget(self, *, before: datetime, limit: int) -> int:
        """Delete events that were handled long ago; returns how many."""
        async with self._database.connection() as connection:
            return await _FORGET.execute(connection, before=before, limit=limit)

    async def _keep(self, events: Sequence[RawEvent]) -> Sequence[None]:
        await self._database.write_all(_KEEP.text, *_KEEP.arguments({"events": events}))
        return [None] * len(events)

    async def _finish(self, group: Sequence[Finished]) -> Sequence[None]:
        published = [(place, publication) for place, f in enumerate(group, start=1) for publication in f.publications]
        values = {
            "events": [f.event for f in group],
            "finished": group,
            "at": max(f.at for f in group),
            "of_places": [place for place, _ in published],
            "publications": [publication for _, publication in published],
        }
        await self._database.write_all(_FINISH.text, *_FINISH.arguments(values))
        return [None] * len(group)
