"""How we remember attempts: the only SQL. Both writes of an attempt join a group commit, one statement per group."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from libs.common.db import Database, GroupCommit
from libs.common.messaging import OUTBOX_COLUMNS, Publication, outbox_arrays, publish
from services.gateway.errors import Unstorable
from services.gateway.operations.domain.attempts import UNDECIDED, Attempt, AttemptStatus, attempt_id
from services.gateway.processors.port import Operation

_GROUP_MAX = 500
"""Attempts that one statement writes at most."""
_WAITING_MAX = 20_000
"""Attempts that may wait for the next group; far more than the consumers carry at a time."""

COLUMNS = (
    "tenant_id, id, payment_intent_id, refund_id, operation, processor, status, amount_minor, currency, customer_ref, "
    "payment_method, capture_method, note, gateway_ref, result_ref, action_url, expires_at, reason, detail, asks, asked_at, next_ask_at, "
    "decided_at, created_at, correlation_id, traceparent"
)

_NAMES = tuple(COLUMNS.split(", "))
_OPENING = (
    "tenant_id, id, payment_intent_id, refund_id, operation, processor, amount_minor, currency, customer_ref, "
    "payment_method, capture_method, note, gateway_ref, asked_at, next_ask_at, created_at, correlation_id, traceparent"
)
_OPENING_NAMES = tuple(_OPENING.split(", "))
_OPENING_KINDS = (
    *("text", "uuid", "uuid", "uuid", "text", "text", "bigint", "text", "text"),
    *("text", "text", "text", "text", "timestamptz", "timestamptz", "timestamptz", "text", "text"),
)


def insert_attempts(first: int) -> str:
    """Write the INSERT of new attempts, whose arrays, from `opening_arrays`, are parameters `first` and following.

    Whoever authorized a payment has it: every later operation on it goes to that processor, wherever new ones go by now.
    """
    slots = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate((*_OPENING_KINDS, "uuid"), start=first))
    values = (
        "coalesce(held.processor, a.processor)" if name == "processor" else f"a.{name}" for name in _OPENING_NAMES
    )
    return f"""
INSERT INTO attempts ({_OPENING}, status, updated_at)
SELECT {", ".join(values)}, 'PENDING', a.created_at
FROM unnest({slots}) AS a ({_OPENING}, authorization_id)
LEFT JOIN attempts held ON held.id = a.authorization_id AND held.tenant_id = a.tenant_id
ORDER BY a.tenant_id, a.id
ON CONFLICT (tenant_id, id) DO NOTHING
RETURNING tenant_id, id, processor
"""  # noqa: S608 - no input in it


_OPEN_ATTEMPTS = insert_attempts(1)

_STORED = f"""
SELECT {COLUMNS} FROM attempts
JOIN unnest($1::text[], $2::uuid[]) AS wanted (tenant_id, id) USING (tenant_id, id)
"""  # noqa: S608 - no input in it

# An attempt changes only out of the statuses that the change was decided for, and only then is it said: in this one
# statement, or not at all. The rows are locked in the order of their keys, so that two processes with the same attempts
# never wait in a circle.
_RECORD = f"""
WITH given AS (
    SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
        $9::timestamptz[], $10::int[], $11::timestamptz[], $12::timestamptz[], $13::text[])
    AS g (tenant_id, id, status, gateway_ref, result_ref, action_url, reason, detail, expires_at, asks, next_ask_at,
        decided_at, over)
), open AS (
    SELECT tenant_id, id FROM attempts JOIN given USING (tenant_id, id)
    WHERE attempts.status = ANY (string_to_array(given.over, ',')) ORDER BY tenant_id, id FOR UPDATE OF attempts
), recorded AS (
    UPDATE attempts a SET
        -- Who was not listened to does not take back that somebody else got no answer, and neither of them takes back that
        -- the processor has taken it on.
        status = CASE WHEN g.status = 'PENDING' OR (g.status = 'UNKNOWN' AND a.status <> 'PENDING') THEN a.status
            ELSE g.status END,
        gateway_ref = g.gateway_ref, result_ref = g.result_ref, action_url = g.action_url, reason = g.reason,
        detail = g.detail, expires_at = g.expires_at, asks = greatest(a.asks, g.asks), next_ask_at = g.next_ask_at,
        decided_at = g.decided_at, updated_at = $14
    FROM given g JOIN open USING (tenant_id, id)
    WHERE a.tenant_id = g.tenant_id AND a.id = g.id
    RETURNING a.tenant_id, a.id
), said AS (
    INSERT INTO outbox ({OUTBOX_COLUMNS})
    SELECT event_id, contract, s.tenant_id, correlation_id, traceparent, occurred_at, body
    FROM unnest($15::uuid[], $16::uuid[], $17::text[], $18::text[], $19::text[], $20::text[], $21::timestamptz[],
        $22::text[])
        AS s (attempt_id, event_id, contract, tenant_id, correlation_id, traceparent, occurred_at, body)
    JOIN recorded ON recorded.tenant_id = s.tenant_id AND recorded.id = s.attempt_id
)
SELECT tenant_id, id FROM recorded
"""  # noqa: S608 - no input in it

_IS_OPEN = "status IN ('PENDING', 'UNKNOWN', 'ACCEPTED', 'ACTION_REQUIRED')"

_CLAIM = f"""
WITH due AS (
    SELECT tenant_id, id FROM attempts
    WHERE {_IS_OPEN} AND next_ask_at <= $1 AND split_part(processor, ':', 1) = ANY ($4::text[])
    ORDER BY next_ask_at LIMIT $2 FOR UPDATE SKIP LOCKED
)
UPDATE attempts SET next_ask_at = $1 + $3::interval, asked_at = coalesce(asked_at, $1), updated_at = $1
FROM due WHERE attempts.tenant_id = due.tenant_id AND attempts.id = due.id
RETURNING {", ".join(f"attempts.{column}" for column in COLUMNS.split(", "))}
"""  # noqa: S608 - no input in it

# What is being recorded just now is left alone: its lease is over by that.
_HOLD = f"""
WITH held AS (
    SELECT tenant_id, id FROM attempts JOIN unnest($1::text[], $2::uuid[]) AS h (tenant_id, id) USING (tenant_id, id)
    WHERE {_IS_OPEN} AND next_ask_at < $3 FOR UPDATE OF attempts SKIP LOCKED
)
UPDATE attempts SET next_ask_at = $3 FROM held
WHERE attempts.tenant_id = held.tenant_id AND attempts.id = held.id
"""  # noqa: S608 - no input in it

_EXPIRED = f"""
SELECT {COLUMNS}, EXISTS (
    SELECT 1 FROM attempts later
    WHERE later.payment_intent_id = a.payment_intent_id AND later.tenant_id = a.tenant_id
      AND (later.operation = 'expire' OR later.operation IN ('capture', 'void') AND later.status <> 'DECLINED')
) AS is_looked_after
FROM attempts a WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
"""  # noqa: S608 - no input in it
_LOOKED_AFTER = (
    "UPDATE attempts a SET expires_at = NULL FROM unnest($1::text[], $2::uuid[]) AS w (tenant_id, id) "
    "WHERE a.tenant_id = w.tenant_id AND a.id = w.id"
)

_FORGET = "SELECT forget_attempts($1, $2) AS forgotten"
_COUNT_OPEN = """
SELECT count(*) FILTER (WHERE status = 'UNKNOWN') AS unknown, count(*) FILTER (WHERE next_ask_at IS NULL) AS overdue
FROM attempts WHERE status IN ('PENDING', 'UNKNOWN', 'ACCEPTED', 'ACTION_REQUIRED')
"""

type _Key = tuple[str, UUID]


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """What an ask has taught us about an attempt, ready to be written."""

    attempt: Attempt
    """The attempt as it is to stand."""
    publication: Publication | None
    """What is said with it; None while there is no outcome."""
    recorded_at: datetime
    """Now."""
    over: frozenset[AttemptStatus] = UNDECIDED
    """The statuses out of which this may be recorded: in another one, somebody else has learnt more meanwhile."""


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
            self._open, group_max=_GROUP_MAX, waiting_max=_WAITING_MAX, isolates=True
        )
        self._recording: GroupCommit[Recording, bool] = GroupCommit(
            self._record, group_max=_GROUP_MAX, waiting_max=_WAITING_MAX, isolates=True
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

    async def publish(self, publications: Sequence[Publication]) -> None:
        """Publish what is known already."""
        async with self._database.transaction() as transaction:
            await publish(transaction, publications)

    async def claim(self, *, now: datetime, lease: timedelta, processors: Sequence[str], limit: int) -> list[Attempt]:
        """Take attempts at these kinds of processors that are due, each for one asker at a time, until the lease ends."""
        return [attempt_of(row) for row in await self._database.fetch(_CLAIM, now, limit, lease, list(processors))]

    async def hold(self, keys: Sequence[tuple[str, UUID]], *, until: datetime) -> None:
        """Keep attempts that are being asked about for their asker, until a later instant."""
        await self._database.fetch(_HOLD, [tenant for tenant, _ in keys], [attempt for _, attempt in keys], until)

    async def let_go_of_expired(
        self, *, now: datetime, limit: int, releasing: Callable[[Attempt], Attempt]
    ) -> tuple[int, int]:
        """Look after holds whose time is over: for each that nobody has captured or released, write down a release.

        `releasing` makes the attempt that releases a hold, due at once, for the resolver. Returns how many holds were
        looked at and how many releases were written down.
        """
        async with self._database.transaction() as transaction:
            rows = await transaction.fetch(_EXPIRED, now, limit)
            ended = [releasing(attempt_of(row)) for row in rows if not row["is_looked_after"]]
            await transaction.execute(_LOOKED_AFTER, [row["tenant_id"] for row in rows], [row["id"] for row in rows])
            if ended:
                await transaction.fetch(_OPEN_ATTEMPTS, *opening_arrays(ended))
        return len(rows), len(ended)

    async def forget(self, *, before: datetime, limit: int) -> int:
        """Delete attempts of payments whose last attempt was decided before an instant; returns how many."""
        row = await self._database.fetchrow(_FORGET, before, limit)
        return 0 if row is None else int(row["forgotten"])

    async def count_open(self) -> OpenOutcomes:
        """Count the attempts without an outcome."""
        row = await self._database.fetchrow(_COUNT_OPEN)
        assert row is not None
        return OpenOutcomes(unknown=row["unknown"], overdue=row["overdue"])

    async def of_intent(self, *, tenant_id: str, payment_intent_id: UUID) -> list[Attempt]:
        """Read the attempts of one payment intent, oldest first."""
        rows = await self._database.fetch(
            f"SELECT {COLUMNS} FROM attempts WHERE tenant_id = $1 AND payment_intent_id = $2 ORDER BY created_at, operation, id",  # noqa: S608
            tenant_id,
            payment_intent_id,
        )
        return [attempt_of(row) for row in rows]

    async def _open(self, attempts: Sequence[Attempt]) -> list[Attempt | Exception]:
        return await _apart(self._open_group, attempts)

    async def _record(self, recordings: Sequence[Recording]) -> list[bool | Exception]:
        return await _apart(self._record_group, recordings)

    async def _open_group(self, attempts: Sequence[Attempt]) -> list[Attempt | Exception]:
        rows = await self._database.fetch(_OPEN_ATTEMPTS, *opening_arrays(attempts))
        new: dict[_Key, str] = {(row["tenant_id"], row["id"]): row["processor"] for row in rows}
        # A statement of its own, because a row that another process has just inserted is not in the snapshot of the first.
        known = [attempt for attempt in attempts if (attempt.tenant_id, attempt.id) not in new]
        rows = await self._database.fetch(_STORED, [a.tenant_id for a in known], [a.id for a in known]) if known else []
        stored = {(row["tenant_id"], row["id"]): attempt_of(row) for row in rows}
        return [
            stored.get((attempt.tenant_id, attempt.id))
            or msgspec.structs.replace(attempt, processor=new[attempt.tenant_id, attempt.id])
            for attempt in attempts
        ]

    async def _record_group(self, recordings: Sequence[Recording]) -> list[bool | Exception]:
        # The same attempt twice in one group: one after the other, as in two groups.
        rounds: list[dict[_Key, int]] = []
        for number, recording in enumerate(recordings):
            key = (recording.attempt.tenant_id, recording.attempt.id)
            free = next((found for found in rounds if key not in found), None)
            if free is None:
                rounds.append(free := {})
            free[key] = number
        results: list[bool | Exception] = [False] * len(recordings)
        for together in rounds:
            arrays = _recording_arrays([recordings[number] for number in together.values()])
            for row in await self._database.write_all(_RECORD, *arrays):
                results[together[row["tenant_id"], row["id"]]] = True
        return results


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


def opening_arrays(attempts: Sequence[Attempt]) -> tuple[list[Any], ...]:
    """Turn new attempts into the arrays that `insert_attempts` expects."""
    return (
        *([getattr(attempt, name) for attempt in attempts] for name in _OPENING_NAMES),
        [_authorization_of(attempt) for attempt in attempts],
    )


def _authorization_of(attempt: Attempt) -> UUID | None:
    if attempt.operation is Operation.AUTHORIZE:
        return None
    return attempt_id(tenant_id=attempt.tenant_id, subject_id=attempt.payment_intent_id, operation=Operation.AUTHORIZE)


def _recording_arrays(recordings: Sequence[Recording]) -> tuple[Any, ...]:
    attempts = [r.attempt for r in recordings]
    said = [(r.attempt.id, r.publication) for r in recordings if r.publication is not None]
    return (
        [a.tenant_id for a in attempts],
        [a.id for a in attempts],
        [a.status for a in attempts],
        [a.gateway_ref for a in attempts],
        [a.result_ref for a in attempts],
        [a.action_url for a in attempts],
        [a.reason for a in attempts],
        [a.detail for a in attempts],
        [a.expires_at for a in attempts],
        [a.asks for a in attempts],
        [a.next_ask_at for a in attempts],
        [a.decided_at for a in attempts],
        [",".join(r.over) for r in recordings],
        max(r.recorded_at for r in recordings),
        [known for known, _ in said],
        *outbox_arrays([publication for _, publication in said]),
    )


def attempt_of(row: asyncpg.Record) -> Attempt:
    """Read an attempt from a row with `COLUMNS`."""
    fields = {name: row[name] for name in _NAMES}
    fields["operation"] = Operation(fields["operation"])
    fields["status"] = AttemptStatus(fields["status"])
    return Attempt(**fields)
