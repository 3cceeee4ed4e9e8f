"""How we remember attempts: the only SQL. Both writes of an attempt join a group commit, one statement per group."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, get_args, get_type_hints
from uuid import UUID

import msgspec

from libs.common.contracts.gateway_declines import DeclineCodes
from libs.common.db import Connection, Database, GroupCommit
from libs.common.db.statements import Statement, columns_of, reader_of
from libs.common.messaging import OUTBOX_ARRAYS, OUTBOX_COLUMNS, Publication, publish
from services.gateway.operations.domain.attempts import Attempt
from services.gateway.operations.domain.changes import RELEASED_AGAIN_AFTER
from services.gateway.operations.sql.again import IS_AFTER_OPEN_ONE, IS_OPEN, after_open_ones
from services.gateway.operations.sql.recording import Opened, OpenOutcomes, Recording, in_halves

_GROUP_MAX = 500
"""Attempts that one statement writes at most."""
_WAITING_MAX = 20_000
"""Attempts that may wait for the next group; far more than the consumers carry at a time."""

OUTCOME = (
    *("status", "gateway_ref", "result_ref", "action_url", "next_action", "expires_at", "reason", "detail", "asks"),
    *DeclineCodes.__struct_fields__,
    *("next_ask_at", "decided_at"),
)
"""The columns that change when something is learnt about an attempt."""
RENEWED = ("asked_at", "in_doubt", "amount_minor")
"""Written when an attempt is opened, and changed by a later claim, or by an answer or a notice about another amount."""
_RECORDED = (*OUTCOME, "amount_minor")
"""The columns that an answer changes."""
_KEPT = {
    "result_ref": "g.result_ref = ''",
    **dict.fromkeys(("action_url", "next_action"), "g.action_url = '' AND g.next_action = ''"),
}
"""What a notice may have named while a call was made, and when the answer to that call, which names nothing, leaves it as it is."""
_OPENED = (*(name for name in Attempt.__struct_fields__ if name not in OUTCOME), "gateway_ref", "next_ask_at")
"""The columns that are written when an attempt is opened; the others have their defaults."""

COLUMNS = columns_of(Attempt)
attempt_of = reader_of(Attempt)
"""Reads an attempt from a row with `COLUMNS`."""


_TYPES = {UUID: "uuid", int: "bigint", bool: "boolean", datetime: "timestamptz"}


def _arrays(names: Sequence[str], *, of: str = "attempts") -> str:
    """List columns of attempts as parameters: `:attempts[].tenant_id::text[], ...`."""
    hints = get_type_hints(Attempt)
    kinds = {name: _TYPES.get(next(iter(get_args(hints[name])), hints[name]), "text") for name in names}
    return ", ".join(f":{of}[].{name}::{kinds[name]}[]" for name in names)


_BUILT_ON = {
    "processor": "coalesce(taken.processor, held.processor, a.processor)",
    "gateway_ref": "coalesce(nullif(a.gateway_ref, ''), nullif(taken.gateway_ref, ''), held.gateway_ref, '')",
}
"""What a new attempt has from what it builds on."""

# Whoever authorized a payment has it: every later operation on it goes to that processor, wherever new ones go by now. A
# refund goes to whoever took the money, under the reference of that: what was declined and paid all the same has another
# authorization than the last one, and the api may not know its reference.
# The rows are written in the order of their keys, so that two processes with the same attempts never wait in a circle.
_OPEN = Statement(
    """
INSERT INTO attempts ({columns}, status, updated_at)
SELECT {values}, 'PENDING', a.created_at
FROM unnest({arrays}, :authorization_ids::uuid[], :taken_ids::uuid[]) AS a ({columns}, authorization_id, taken_id)
LEFT JOIN attempts taken ON taken.id = a.taken_id AND taken.tenant_id = a.tenant_id
LEFT JOIN attempts held ON held.id = a.authorization_id AND held.tenant_id = a.tenant_id
ORDER BY a.tenant_id, a.id
ON CONFLICT (tenant_id, id) DO NOTHING
RETURNING tenant_id, id, processor, gateway_ref
""",
    columns=", ".join(_OPENED),
    values=", ".join(_BUILT_ON.get(name, f"a.{name}") for name in _OPENED),
    arrays=_arrays(_OPENED),
)

# Apart from `_OPEN`, in whose snapshot a row is missing that another process has just inserted.
_STORED = Statement(
    """
SELECT {columns} FROM attempts
JOIN unnest(:attempts[].tenant_id::text[], :attempts[].id::uuid[]) AS known (tenant_id, id) USING (tenant_id, id)
""",
    columns=COLUMNS,
)

# By `ix_attempts_payment_intent`, without a lock: its readers show what is known, or publish it again, and change
# nothing.
_OF_INTENT = Statement(
    """
SELECT {columns} FROM attempts WHERE tenant_id = :tenant_id AND payment_intent_id = :payment_intent_id
ORDER BY created_at, operation, id
""",
    columns=COLUMNS,
)

# An attempt changes only out of the statuses that the change was decided for, and only then is it published: in this one
# statement, or not at all. The rows are locked in the order of their keys, so that two processes with the same attempts
# never wait in a circle.
# What follows from it is written down in the same statement too, or not at all.
# A call that was not taken does not undo that another one got no answer, and neither of them undoes that the processor has
# taken the operation on.
RECORD = Statement(
    """
WITH given AS (
    SELECT * FROM unnest({keys}, {outcomes}, :over::text[], :settled::int[], :in_doubt_max::int[])
        AS g ({key_columns}, {outcome_columns}, over, settled, in_doubt_max)
), open AS (
    SELECT tenant_id, id FROM attempts JOIN given USING (tenant_id, id)
    WHERE attempts.status = ANY (string_to_array(given.over, ',')) AND attempts.in_doubt <= given.in_doubt_max ORDER BY tenant_id, id FOR UPDATE OF attempts
), recorded AS (
    UPDATE attempts a SET
        status = CASE WHEN g.status = 'PENDING' OR (g.status = 'UNKNOWN' AND a.status <> 'PENDING') THEN a.status
            ELSE g.status END,
        asks = greatest(a.asks, g.asks), in_doubt = greatest(a.in_doubt - g.settled, 0), {assignments},
        updated_at = :recorded_at
    FROM given g JOIN open USING (tenant_id, id)
    WHERE a.tenant_id = g.tenant_id AND a.id = g.id
    RETURNING a.tenant_id, a.id
), published AS (
    INSERT INTO outbox ({outbox_columns})
    SELECT event_id, contract, p.tenant_id, correlation_id, traceparent, occurred_at, body
    FROM unnest(:attempt_ids::uuid[], {outbox}) AS p (attempt_id, {outbox_columns})
    JOIN recorded ON recorded.tenant_id = p.tenant_id AND recorded.id = p.attempt_id
), followed AS (
    INSERT INTO attempts ({opened_columns}, status, updated_at)
    SELECT {opened_values}, 'PENDING', :recorded_at
    FROM unnest(:followed_ids::uuid[], {following}) AS f (followed_id, {opened_columns})
    JOIN recorded ON recorded.tenant_id = f.tenant_id AND recorded.id = f.followed_id
    ON CONFLICT (tenant_id, id) DO NOTHING
)
SELECT tenant_id, id FROM recorded
""",
    keys=_arrays(("tenant_id", "id")),
    key_columns="tenant_id, id",
    outcomes=_arrays(_RECORDED),
    outcome_columns=", ".join(_RECORDED),
    assignments=", ".join(
        f"{name} = CASE WHEN {_KEPT[name]} THEN a.{name} ELSE g.{name} END" if name in _KEPT else f"{name} = g.{name}"
        for name in _RECORDED
        if name not in ("status", "asks")
    ),
    outbox_columns=OUTBOX_COLUMNS,
    outbox=OUTBOX_ARRAYS,
    opened_columns=", ".join(_OPENED),
    opened_values=", ".join(f"f.{name}" for name in _OPENED),
    following=_arrays(_OPENED, of="following"),
)

# Committed before the call: from now on the processor may have received the key. Where it certainly had not until now, the
# lifetime of the key begins now.
_CLAIM = Statement(
    """
WITH due AS (
    SELECT tenant_id, id FROM attempts
    WHERE {is_open} AND next_ask_at <= :now AND split_part(processor, ':', 1) = ANY (:processors::text[]) AND NOT ({is_after_open_one})
    ORDER BY next_ask_at LIMIT :limit FOR UPDATE SKIP LOCKED
)
UPDATE attempts SET next_ask_at = :now + :lease::interval, updated_at = :now,
    asked_at = CASE WHEN asked_at IS NULL OR (in_doubt = 0 AND status = 'PENDING') THEN :now ELSE asked_at END,
    in_doubt = in_doubt + 1
FROM due WHERE attempts.tenant_id = due.tenant_id AND attempts.id = due.id
RETURNING {columns}
""",
    is_open=IS_OPEN,
    is_after_open_one=IS_AFTER_OPEN_ONE,
    columns=", ".join(f"attempts.{name}" for name in Attempt.__struct_fields__),
)

# A command that comes again calls beside the lease of the first one, so its call is counted like any other.
_COUNT_CALL = Statement(
    """
UPDATE attempts SET in_doubt = in_doubt + 1, asked_at = coalesce(asked_at, :now), updated_at = :now
WHERE tenant_id = :tenant_id AND id = :id AND {is_open} AND next_ask_at IS NOT NULL
RETURNING {columns}
""",
    is_open=IS_OPEN,
    columns=COLUMNS,
)

# What is being recorded just now is left alone: its lease is over by that.
_HOLD = Statement(
    """
WITH held AS (
    SELECT tenant_id, id FROM attempts JOIN unnest(:tenant_ids::text[], :ids::uuid[]) AS h (tenant_id, id) USING (tenant_id, id)
    WHERE {is_open} AND next_ask_at < :until FOR UPDATE OF attempts SKIP LOCKED
)
UPDATE attempts SET next_ask_at = :until FROM held
WHERE attempts.tenant_id = held.tenant_id AND attempts.id = held.id
""",
    is_open=IS_OPEN,
)

# Locked until the release stands, in the same commit: one hold gets one release. A later operation that was declined
# does not count, since it left the funds held.
_EXPIRED = Statement(
    """
SELECT {columns}, EXISTS (
    SELECT 1 FROM attempts later
    WHERE later.payment_intent_id = a.payment_intent_id AND later.tenant_id = a.tenant_id AND later.number = a.number
      AND later.operation IN ('expire', 'capture', 'void') AND later.status <> 'DECLINED'
) AS is_looked_after, EXISTS (
    SELECT 1 FROM attempts later
    WHERE later.payment_intent_id = a.payment_intent_id AND later.tenant_id = a.tenant_id AND later.number = a.number
      AND later.operation IN ('capture', 'void') AND later.{is_open}
) AS is_awaited
FROM attempts a WHERE expires_at <= :now ORDER BY expires_at LIMIT :limit FOR UPDATE SKIP LOCKED
""",
    columns=COLUMNS,
    is_open=IS_OPEN,
)

# Without a comparison: `_EXPIRED` has locked the rows. NULL takes a hold out of `ix_attempts_expires`.
_LOOKED_AFTER = Statement(
    """
UPDATE attempts a SET expires_at = expired.again_at
FROM unnest(:tenant_ids::text[], :ids::uuid[], :again_at::timestamptz[]) AS expired (tenant_id, id, again_at)
WHERE a.tenant_id = expired.tenant_id AND a.id = expired.id
"""
)

# Through a function: our role may not delete attempts, and it keeps 180 days and payments with an open attempt,
# whatever it is given.
_FORGET = Statement("SELECT forget_attempts(:before, :limit) AS forgotten")

# With the predicate of `ix_attempts_open`, so that the cost grows with what is open alone.
_COUNT_OPEN = Statement(
    """
SELECT count(*) FILTER (WHERE status = 'UNKNOWN') AS unknown, count(*) FILTER (WHERE next_ask_at IS NULL) AS overdue,
coalesce(extract(epoch FROM now() - min(created_at) FILTER (WHERE status = 'UNKNOWN')), 0)::float8 AS oldest_seconds
FROM attempts WHERE {is_open}
""",
    is_open=IS_OPEN,
)

type _Key = tuple[str, UUID]


class AttemptStore:
    """The attempts table, behind two group commits: one that writes attempts down, one that records what became of them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._opening: GroupCommit[Attempt, Opened] = GroupCommit(
            self._open, group_max=_GROUP_MAX, waiting_max=_WAITING_MAX, isolates=True
        )
        self._recording: GroupCommit[Recording, bool] = GroupCommit(
            self._record, group_max=_GROUP_MAX, waiting_max=_WAITING_MAX, isolates=True
        )

    async def open(self, attempt: Attempt) -> Opened:
        """Write an attempt down, committed, and return it; or return the one that already stands under its id.

        Raises:
            Unstorable: when it contains what the database does not take.
        """
        return await self._opening.submit(attempt)

    async def count_call(self, attempt: Attempt, *, now: datetime) -> Attempt | None:
        """Count a call before it is made, and return the attempt as it stands; None when no call is to be made any more."""
        row = await _COUNT_CALL.fetchrow(self._database, tenant_id=attempt.tenant_id, id=attempt.id, now=now)
        return None if row is None else attempt_of(row)

    async def record(self, recording: Recording) -> bool:
        """Write down what became of an attempt and publish it, in one commit; False when its outcome is known already."""
        return await self._recording.submit(recording)

    async def publish(self, publications: Sequence[Publication]) -> None:
        """Publish what is known already."""
        async with self._database.transaction() as tx:
            await publish(tx, publications)

    async def claim(self, *, now: datetime, lease: timedelta, processors: Sequence[str], limit: int) -> list[Attempt]:
        """Take attempts at these kinds of processors that are due, each for one caller at a time, until the lease ends."""
        rows = await _CLAIM.fetch(self._database, now=now, limit=limit, lease=lease, processors=list(processors))
        return [attempt_of(row) for row in rows]

    async def after_open_ones(self, *, now: datetime, waiting_since: datetime, limit: int) -> list[Attempt]:
        """Read authorizations that are due and not to be sent: an earlier one of the payment will not be cancelled, or not in time."""
        return await after_open_ones(self._database, now=now, waiting_since=waiting_since, limit=limit)

    async def hold(self, keys: Sequence[tuple[str, UUID]], *, until: datetime) -> None:
        """Keep attempts for whoever calls about them, until a later instant."""
        tenant_ids, ids = [tenant_id for tenant_id, _ in keys], [attempt for _, attempt in keys]
        await _HOLD.fetch(self._database, tenant_ids=tenant_ids, ids=ids, until=until)

    async def let_go_of_expired(
        self, *, now: datetime, limit: int, releasing: Callable[[Attempt], Attempt]
    ) -> tuple[int, int]:
        """Look after holds whose time is over: for each that nobody has captured or released, write down a release.

        `releasing` makes the attempt that releases a hold, due at once, for the resolver. Returns how many holds were
        looked at and how many releases were written down.
        """
        async with self._database.transaction() as tx:
            rows = await _EXPIRED.fetch(tx, now=now, limit=limit)
            ended = [releasing(attempt_of(row)) for row in rows if not row["is_looked_after"]]
            # A capture or void without an outcome may still be refused, and leave the funds held: looked at again.
            await _LOOKED_AFTER.execute(
                tx,
                tenant_ids=[row["tenant_id"] for row in rows],
                ids=[row["id"] for row in rows],
                again_at=[now + RELEASED_AGAIN_AFTER if row["is_awaited"] else None for row in rows],
            )
            if ended:
                await open_attempts(tx, ended)
        return len(rows), len(ended)

    async def forget(self, *, before: datetime, limit: int) -> int:
        """Delete attempts of payments whose last attempt was decided before an instant; returns how many."""
        row = await _FORGET.fetchrow(self._database, before=before, limit=limit)
        return 0 if row is None else int(row["forgotten"])

    async def count_open(self) -> OpenOutcomes:
        """Count the attempts without an outcome."""
        row = await _COUNT_OPEN.fetchrow(self._database)
        assert row is not None
        return OpenOutcomes(unknown=row["unknown"], overdue=row["overdue"], oldest_seconds=row["oldest_seconds"])

    async def of_intent(self, *, tenant_id: str, payment_intent_id: UUID) -> list[Attempt]:
        """Read the attempts of one payment intent, oldest first."""
        rows = await _OF_INTENT.fetch(self._database, tenant_id=tenant_id, payment_intent_id=payment_intent_id)
        return [attempt_of(row) for row in rows]

    async def _open(self, attempts: Sequence[Attempt]) -> list[Opened | Exception]:
        return await in_halves(self._open_group, attempts)

    async def _record(self, recordings: Sequence[Recording]) -> list[bool | Exception]:
        return await in_halves(self._record_group, recordings)

    async def _open_group(self, attempts: Sequence[Attempt]) -> list[Opened | Exception]:
        new = await open_attempts(self._database, attempts)
        # A statement of its own, because a row that another process has just inserted is not in the snapshot of the first.
        known = [attempt for attempt in attempts if (attempt.tenant_id, attempt.id) not in new]
        rows = await _STORED.fetch(self._database, attempts=known) if known else []
        stored = {(row["tenant_id"], row["id"]): attempt_of(row) for row in rows}
        opened: list[Opened | Exception] = []
        for attempt in attempts:
            key = (attempt.tenant_id, attempt.id)
            # Twice in one group, the second one finds the first.
            if (built_on := new.pop(key, None)) is not None:
                processor, gateway_ref = built_on
                stored[key] = msgspec.structs.replace(attempt, processor=processor, gateway_ref=gateway_ref)
                opened.append(Opened(stored[key], is_new=True))
            else:
                opened.append(Opened(stored[key], is_new=False))
        return opened

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
            values = recording_values([recordings[number] for number in together.values()])
            for row in await self._database.write_all(RECORD.text, *RECORD.arguments(values)):
                results[together[row["tenant_id"], row["id"]]] = True
        return results


async def open_attempts(connection: Connection | Database, attempts: Sequence[Attempt]) -> dict[_Key, tuple[str, str]]:
    """Write new attempts down; returns (processor, reference of the payment) of each that was not there, by (tenant, id)."""
    rows = await _OPEN.fetch(
        connection,
        attempts=attempts,
        authorization_ids=[attempt.authorization_id for attempt in attempts],
        taken_ids=[attempt.taken_id for attempt in attempts],
    )
    return {(row["tenant_id"], row["id"]): (row["processor"], row["gateway_ref"]) for row in rows}


def recording_values(recordings: Sequence[Recording]) -> dict[str, Any]:
    """Turn recordings, each of another attempt, into the values of `RECORD`."""
    published = [(r.attempt.id, r.publication) for r in recordings if r.publication is not None]
    followed = [(r.attempt.id, r.following) for r in recordings if r.following is not None]
    return {
        "attempts": [r.attempt for r in recordings],
        "over": [",".join(r.over) for r in recordings],
        "settled": [r.settled for r in recordings],
        "in_doubt_max": [r.in_doubt_max for r in recordings],
        "recorded_at": max(r.recorded_at for r in recordings),
        "attempt_ids": [attempt for attempt, _ in published],
        "followed_ids": [attempt for attempt, _ in followed],
        "following": [attempt for _, attempt in followed],
        "publications": [publication for _, publication in published],
    }
