"""How we remember attempts: the only SQL. Both writes of an attempt join a group commit, one statement per group."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from libs.common.db import Database, GroupCommit
from libs.common.messaging import OUTBOX_COLUMNS, Saying, outbox_arrays
from services.gateway.domain import Attempt, AttemptStatus, Operation
from services.gateway.errors import Unstorable

_GROUP_MAX = 500
"""Attempts that one statement writes at most."""
_WAITING_MAX = 20_000
"""Attempts that may wait for the next group; far more than the consumers carry at a time."""

_COLUMNS = (
    "tenant_id, id, payment_intent_id, operation, processor, status, amount_minor, currency, customer_ref, gateway_ref, "
    "reason, detail, asks, asked_at, next_ask_at, decided_at, created_at, correlation_id, traceparent"
)

_OPEN_ATTEMPTS = """
INSERT INTO attempts (tenant_id, id, payment_intent_id, operation, processor, status, amount_minor, currency, customer_ref,
    gateway_ref, asked_at, next_ask_at, created_at, updated_at, correlation_id, traceparent)
SELECT tenant_id, id, payment_intent_id, operation, processor, 'PENDING', amount_minor, currency, customer_ref,
    gateway_ref, asked_at, next_ask_at, created_at, created_at, correlation_id, traceparent
FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[], $9::text[],
        $10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::text[], $14::text[])
    AS a (tenant_id, id, payment_intent_id, operation, processor, amount_minor, currency, customer_ref, gateway_ref,
        asked_at, next_ask_at, created_at, correlation_id, traceparent)
ORDER BY tenant_id, id
ON CONFLICT (tenant_id, id) DO NOTHING
RETURNING tenant_id, id
"""

_STORED = f"""
SELECT {_COLUMNS} FROM attempts
JOIN unnest($1::text[], $2::uuid[]) AS wanted (tenant_id, id) USING (tenant_id, id)
"""  # noqa: S608 - no input in it

# Only an attempt without an outcome takes one, and only then is the outcome said: in this one statement, or not at all.
# The rows are locked in the order of their keys, so that two processes with the same attempts never wait in a circle.
_RECORD = f"""
WITH given AS (
    SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[],
        $8::timestamptz[], $9::timestamptz[])
    AS g (tenant_id, id, status, gateway_ref, reason, detail, asks, next_ask_at, decided_at)
), open AS (
    SELECT tenant_id, id FROM attempts JOIN given USING (tenant_id, id)
    WHERE attempts.status IN ('PENDING', 'UNKNOWN') ORDER BY tenant_id, id FOR UPDATE OF attempts
), recorded AS (
    -- Who was not listened to does not take back that somebody else got no answer.
    UPDATE attempts a SET status = CASE g.status WHEN 'PENDING' THEN a.status ELSE g.status END, gateway_ref = g.gateway_ref, reason = g.reason, detail = g.detail,
        asks = greatest(a.asks, g.asks), next_ask_at = g.next_ask_at, decided_at = g.decided_at, updated_at = $10
    FROM given g JOIN open USING (tenant_id, id)
    WHERE a.tenant_id = g.tenant_id AND a.id = g.id
    RETURNING a.tenant_id, a.id
), said AS (
    INSERT INTO outbox ({OUTBOX_COLUMNS})
    SELECT event_id, contract, s.tenant_id, correlation_id, traceparent, occurred_at, body
    FROM unnest($11::uuid[], $12::uuid[], $13::text[], $14::text[], $15::text[], $16::text[], $17::timestamptz[],
        $18::text[])
        AS s (attempt_id, event_id, contract, tenant_id, correlation_id, traceparent, occurred_at, body)
    JOIN recorded ON recorded.tenant_id = s.tenant_id AND recorded.id = s.attempt_id
)
SELECT tenant_id, id FROM recorded
"""  # noqa: S608 - no input in it

_CLAIM = f"""
WITH due AS (
    SELECT tenant_id, id FROM attempts
    WHERE status IN ('PENDING', 'UNKNOWN') AND next_ask_at <= $1
    ORDER BY next_ask_at LIMIT $2 FOR UPDATE SKIP LOCKED
)
UPDATE attempts SET next_ask_at = $1 + $3::interval, asked_at = coalesce(asked_at, $1), updated_at = $1
FROM due WHERE attempts.tenant_id = due.tenant_id AND attempts.id = due.id
RETURNING {", ".join(f"attempts.{column}" for column in _COLUMNS.split(", "))}
"""  # noqa: S608 - no input in it

_COUNT_OPEN = """
SELECT count(*) FILTER (WHERE status = 'UNKNOWN') AS unknown, count(*) FILTER (WHERE next_ask_at IS NULL) AS overdue
FROM attempts WHERE status IN ('PENDING', 'UNKNOWN')
"""

type _Key = tuple[str, UUID]


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """What an ask has taught us about an attempt, ready to be written."""

    attempt: Attempt
    """The attempt as it is to stand."""
    saying: Saying | None
    """What is said with it; None while there is no outcome."""
    recorded_at: datetime
    """Now."""


class OpenOutcomes(msgspec.Struct, frozen=True, kw_only=True):
    """How many attempts have no outcome."""

    unknown: int
    """Those that were asked and got no answer."""
    overdue: int
    """Those that are left to a person."""


class AttemptStore:
    """The attempts table, behind two group commits: one that writes attempts down, one that records what became of them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._opening: GroupCommit[Attempt, Attempt] = GroupCommit(
            self._open, group_max=_GROUP_MAX, waiting_max=_WAITING_MAX
        )
        self._recording: GroupCommit[Recording, bool] = GroupCommit(
            self._record, group_max=_GROUP_MAX, waiting_max=_WAITING_MAX
        )

    async def open(self, attempt: Attempt) -> Attempt:
        """Write an attempt down, committed, and return it; or return the one that already stands under its id.

        Raises:
            Unstorable: when it contains what the database does not take.
        """
        return await self._opening.submit(attempt)

    async def record(self, recording: Recording) -> bool:
        """Write down what became of an attempt and say it, in one commit; False when its outcome is known already."""
        return await self._recording.submit(recording)

    async def claim(self, *, now: datetime, lease: timedelta, limit: int) -> list[Attempt]:
        """Take attempts that are due, each for one asker at a time, until the lease ends."""
        return [_attempt(row) for row in await self._database.fetch(_CLAIM, now, limit, lease)]

    async def count_open(self) -> OpenOutcomes:
        """Count the attempts without an outcome."""
        row = await self._database.fetchrow(_COUNT_OPEN)
        assert row is not None
        return OpenOutcomes(unknown=row["unknown"], overdue=row["overdue"])

    async def of_intent(self, *, tenant_id: str, payment_intent_id: UUID) -> list[Attempt]:
        """Read the attempts of one payment intent, oldest first."""
        rows = await self._database.fetch(
            f"SELECT {_COLUMNS} FROM attempts WHERE tenant_id = $1 AND payment_intent_id = $2 ORDER BY created_at, operation, id",  # noqa: S608
            tenant_id,
            payment_intent_id,
        )
        return [_attempt(row) for row in rows]

    async def _open(self, attempts: Sequence[Attempt]) -> list[Attempt | Exception]:
        return await _apart(self._open_group, attempts)

    async def _record(self, recordings: Sequence[Recording]) -> list[bool | Exception]:
        return await _apart(self._record_group, recordings)

    async def _open_group(self, attempts: Sequence[Attempt]) -> list[Attempt | Exception]:
        rows = await self._database.fetch(_OPEN_ATTEMPTS, *_opening_arrays(attempts))
        new: set[_Key] = {(row["tenant_id"], row["id"]) for row in rows}
        if len(new) == len(attempts):
            return list(attempts)
        # A statement of its own, because a row that another process has just inserted is not in the snapshot of the first.
        known = [attempt for attempt in attempts if (attempt.tenant_id, attempt.id) not in new]
        rows = await self._database.fetch(_STORED, [a.tenant_id for a in known], [a.id for a in known])
        stored = {(row["tenant_id"], row["id"]): _attempt(row) for row in rows}
        return [stored.get((attempt.tenant_id, attempt.id), attempt) for attempt in attempts]

    async def _record_group(self, recordings: Sequence[Recording]) -> list[bool | Exception]:
        # The same attempt twice in one group: the first outcome counts, as it would in two groups.
        first: dict[_Key, Recording] = {}
        for recording in recordings:
            first.setdefault((recording.attempt.tenant_id, recording.attempt.id), recording)
        rows = await self._database.write_all(_RECORD, *_recording_arrays(list(first.values())))
        written: set[_Key] = {(row["tenant_id"], row["id"]) for row in rows}
        return [
            (key := (recording.attempt.tenant_id, recording.attempt.id)) in written and first[key] is recording
            for recording in recordings
        ]


async def _apart[T, R](
    write: Callable[[Sequence[T]], Awaitable[list[R | Exception]]], group: Sequence[T]
) -> list[R | Exception]:
    """Write a group; what the database will not have is found by halving, so that it fails alone."""
    try:
        return await write(group)
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as fault:
        if len(group) == 1:
            refusal = Unstorable("the database refuses what the command contains")
            refusal.__cause__ = fault
            return [refusal]
    middle = len(group) // 2
    return [*await _apart(write, group[:middle]), *await _apart(write, group[middle:])]


def _opening_arrays(attempts: Sequence[Attempt]) -> tuple[list[Any], ...]:
    return (
        [a.tenant_id for a in attempts],
        [a.id for a in attempts],
        [a.payment_intent_id for a in attempts],
        [a.operation for a in attempts],
        [a.processor for a in attempts],
        [a.amount_minor for a in attempts],
        [a.currency for a in attempts],
        [a.customer_ref for a in attempts],
        [a.gateway_ref for a in attempts],
        [a.asked_at for a in attempts],
        [a.next_ask_at for a in attempts],
        [a.created_at for a in attempts],
        [a.correlation_id for a in attempts],
        [a.traceparent for a in attempts],
    )


def _recording_arrays(recordings: Sequence[Recording]) -> tuple[Any, ...]:
    attempts = [r.attempt for r in recordings]
    said = [(r.attempt.id, r.saying) for r in recordings if r.saying is not None]
    return (
        [a.tenant_id for a in attempts],
        [a.id for a in attempts],
        [a.status for a in attempts],
        [a.gateway_ref for a in attempts],
        [a.reason for a in attempts],
        [a.detail for a in attempts],
        [a.asks for a in attempts],
        [a.next_ask_at for a in attempts],
        [a.decided_at for a in attempts],
        max(r.recorded_at for r in recordings),
        [attempt_id for attempt_id, _ in said],
        *outbox_arrays([saying for _, saying in said]),
    )


def _attempt(row: asyncpg.Record) -> Attempt:
    fields = dict(row)
    fields["operation"] = Operation(fields["operation"])
    fields["status"] = AttemptStatus(fields["status"])
    return Attempt(**fields)
