"""What each answer of Stripe means for each operation: one table, printed into `docs/gateway.md` and held by the parity suite.

    python -m tests.support.stripe_outcomes

prints the document with the table as it is now. A line stands for all pairs of its operations, moments, replies and states; no
pair stands in two lines.
"""

from collections.abc import Iterator
from enum import StrEnum
from itertools import product
from pathlib import Path
from typing import Any

import msgspec

from services.gateway.processors.port import Operation
from tests.support.stripe_answers import (
    AUTHORIZE,
    CALLS,
    CAPTURE,
    CLOSE,
    EXPIRE,
    READABLE,
    REFUND,
    UNDECIDED,
    VOID,
    Moment,
    Pair,
    Point,
    Reply,
    State,
    read_after,
)

DOCUMENT = Path(__file__).parents[2] / "docs" / "gateway.md"
BEGIN, END = "<!-- outcomes, written by `just docs` -->\n", "<!-- end of the outcomes -->\n"


class Done(StrEnum):
    """Whether the operation was carried out, as far as the answer shows."""

    YES = "done"
    NO = "not done"
    LATER = "taken on"
    UNKNOWN = "unknown"


class Reading(StrEnum):
    """Whether reading shows more than the answer."""

    NEEDLESS = "-"
    NOW = "read at once"
    LATER = "later"


class Outcome(StrEnum):
    """What the attempt becomes, and what is done next."""

    DONE = "done"
    DECLINED = "declined"
    STILL_HELD = "declined, still held"
    STILL_OPEN = "still open"
    ADOPTED = "adopted"
    PENDING = "pending"
    ACTION = "customer acts"
    UNKNOWN = "unknown"
    NOT_TAKEN = "not taken"
    WAITS = "waits"
    READ_AGAIN = "still pending"


NEXT = {
    Outcome.DONE: "published, final",
    Outcome.DECLINED: "published, final",
    Outcome.STILL_HELD: (
        "published; after a capture the hold is released at once, a void may be requested again, the end of a hold is requested "
        "again after an hour"
    ),
    Outcome.STILL_OPEN: "cancelled again after an hour, for a week; then the log has `attempt.left_open`, for a person",
    Outcome.ADOPTED: (
        "it was taken: published as captured, where that is not known, and as authorized before where it was declined here and "
        "paid in another way; of a void also that it was refused"
    ),
    Outcome.PENDING: "the end comes by webhook, or is read on a schedule",
    Outcome.ACTION: "published with the customer's link; the end comes by webhook, or is read on a schedule",
    Outcome.UNKNOWN: (
        "called about again with the same key on a schedule, looked up once the key is forgotten, left to a person only where that "
        "fails for days"
    ),
    Outcome.NOT_TAKEN: "called about again after `Retry-After` or a pause; what was in doubt before stays in doubt",
    Outcome.WAITS: (
        "called about again every half minute until the key is mended; an authorization of which nothing was ever in doubt is "
        "declined after minutes"
    ),
    Outcome.READ_AGAIN: "read again soon",
}


AFTER = {
    Point.BEFORE_COUNTING: "nothing is known of it: the command comes again, what is due is found, and it is the first call",
    Point.COUNTED: "it may have been sent: after the lease it is called about with the same key, or read again",
    Point.ANSWERED: "it may have been sent: after the lease it is called about with the same key, or read again",
    Point.ADOPTED: "it is called about or read again, and what was captured stays adopted, once",
    Point.BEFORE_RECORDING: "it may have been sent: after the lease it is called about with the same key, or read again",
    Point.RECORDED: "outcome and message stand in one commit: Stripe is not called again, and the outbox sends",
}
"""What the next process finds after a death, and does."""


class Circuit(StrEnum):
    """Whose circuit counts the answer."""

    NONE = "-"
    STRIPE = "Stripe's"
    ACCOUNT = "the account's"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line: every pair of its operations with its moments, replies and states has this outcome."""

    operations: tuple[Operation, ...]
    moments: tuple[Moment, ...]
    replies: tuple[Reply, ...]
    states: tuple[State, ...] = (State.NOTHING,)
    sent: bool = True
    done: Done
    reading: Reading = Reading.NEEDLESS
    outcome: Outcome
    circuit: Circuit = Circuit.NONE


type _Operations = tuple[Operation, ...]
type _Moments = tuple[Moment, ...]
type _Replies = tuple[Reply, ...]
type _States = tuple[State, ...]

_RELEASES = (VOID, EXPIRE)
_CANCELS = (*_RELEASES, CLOSE)
_BUILDING = (CAPTURE, *_CANCELS, REFUND)
_ALL = tuple(Operation)
_EVER, _READ, _LOOK_UP = tuple(Moment), (Moment.READ,), (Moment.LOOK_UP,)
_NOT_READ = (*CALLS, Moment.LOOK_UP)
_OK = (Reply.OK,)
_NO = (State.NOTHING,)
_KEPT = (Reply.ERROR_KEPT,)
_NOT_KEPT = tuple(reply for reply in UNDECIDED if reply not in _KEPT)
_EARLY = (State.ACTION, State.NO_METHOD, State.UNCONFIRMED)
_GONE = (State.CANCELED, State.EXPIRED)


def _shown(operations: _Operations, states: _States, done: Done, outcome: Outcome) -> Iterator[Row]:
    """A state that decides, whether it is in the answer or read after an error."""
    moments = _EVER if operations[0] in READABLE else _NOT_READ
    yield Row(operations=operations, moments=moments, replies=_OK, states=states, done=done, outcome=outcome)
    yield Row(
        operations=operations,
        moments=CALLS,
        replies=read_after(operations[0]),
        states=states,
        done=done,
        reading=Reading.NOW,
        outcome=outcome,
    )


def _refused(operations: _Operations, states: _States, done: Done, outcome: Outcome) -> Iterator[Row]:
    """A state that shows, after a refusal, what became of the operation."""
    replies = tuple(reply for reply in read_after(operations[0]) if reply not in UNDECIDED)
    yield Row(
        operations=operations,
        moments=CALLS,
        replies=replies,
        states=states,
        done=done,
        reading=Reading.LATER if done is Done.UNKNOWN else Reading.NOW,
        outcome=outcome,
    )


def _open(operations: _Operations, states: _States, *, is_in_answer: bool = True) -> Iterator[Row]:
    """A state that decides nothing: the call may still be carried out, or the state means nothing to us."""
    unknown = Outcome.UNKNOWN
    later: dict[str, Any] = {"states": states, "done": Done.UNKNOWN, "reading": Reading.LATER}
    if is_in_answer:
        yield Row(operations=operations, moments=CALLS, replies=_OK, outcome=unknown, **later)
        if operations[0] in READABLE:
            yield Row(operations=operations, moments=_READ, replies=_OK, outcome=Outcome.READ_AGAIN, **later)
    yield Row(operations=operations, moments=CALLS, replies=_NOT_KEPT, outcome=unknown, **later)
    yield Row(operations=operations, moments=CALLS, replies=_KEPT, outcome=unknown, circuit=Circuit.STRIPE, **later)


def _unread(operations: _Operations, replies: _Replies) -> Row:
    """An error after which the state could not be read."""
    return Row(
        operations=operations,
        moments=CALLS,
        replies=replies,
        states=(State.UNREADABLE,),
        done=Done.UNKNOWN,
        reading=Reading.LATER,
        outcome=Outcome.UNKNOWN,
    )


def _looked_up(operations: _Operations, states: _States, done: Done, outcome: Outcome) -> Row:
    reading = Reading.LATER if done is Done.UNKNOWN else Reading.NEEDLESS
    return Row(
        operations=operations, moments=_LOOK_UP, replies=_OK, states=states, done=done, reading=reading, outcome=outcome
    )


def _errors(
    replies: _Replies,
    *,
    on_call: Outcome | None,
    done: Done = Done.UNKNOWN,
    circuit: Circuit = Circuit.NONE,
    operations: _Operations = _ALL,
    sent: bool = True,
) -> Iterator[Row]:
    """Replies that show no state: to a call, where `on_call` has its outcome, and to a reading, which then decides nothing."""
    if on_call is not None:
        yield Row(
            operations=operations,
            moments=CALLS,
            replies=replies,
            sent=sent,
            done=done,
            reading=Reading.LATER if done is Done.UNKNOWN else Reading.NEEDLESS,
            outcome=on_call,
            circuit=circuit,
        )
    nothing: dict[str, Any] = {
        "replies": replies,
        "sent": sent,
        "done": Done.UNKNOWN,
        "reading": Reading.LATER,
        "circuit": circuit,
    }
    yield Row(operations=READABLE, moments=_READ, outcome=Outcome.READ_AGAIN, **nothing)
    yield Row(operations=_ALL, moments=_LOOK_UP, outcome=Outcome.UNKNOWN, **nothing)


def _row(operations: _Operations, moments: _Moments, replies: _Replies, done: Done, outcome: Outcome) -> Row:
    return Row(operations=operations, moments=moments, replies=replies, done=done, outcome=outcome)


ROWS: tuple[Row, ...] = (
    # The states that decide, operation by operation; then those that do so only after a refusal, or once looked up.
    *_shown((AUTHORIZE,), (State.HELD, State.TAKEN), Done.YES, Outcome.DONE),
    *_shown((AUTHORIZE,), (State.ACTION,), Done.LATER, Outcome.ACTION),
    *_shown((AUTHORIZE,), (State.PROCESSING,), Done.LATER, Outcome.PENDING),
    # Another amount than is requested now: what is requested now was not done under this key.
    *_shown((AUTHORIZE,), (State.NO_METHOD, *_GONE, State.OTHER_AMOUNT), Done.NO, Outcome.DECLINED),
    *_open((AUTHORIZE,), (State.UNCONFIRMED, State.NEW)),
    *_open((AUTHORIZE,), (State.ABSENT,), is_in_answer=False),
    # A key keeps its first result, so under one that is refused nothing was ever held, whether it can be read or not.
    *_refused((AUTHORIZE,), (State.ABSENT, State.UNREADABLE), Done.NO, Outcome.DECLINED),
    *_refused((AUTHORIZE,), (State.UNCONFIRMED, State.NEW), Done.UNKNOWN, Outcome.UNKNOWN),
    _unread((AUTHORIZE,), UNDECIDED),
    _looked_up((AUTHORIZE,), (State.UNCONFIRMED, State.NEW), Done.UNKNOWN, Outcome.UNKNOWN),
    *_shown((CAPTURE,), (State.TAKEN, State.OTHER_AMOUNT), Done.YES, Outcome.DONE),
    *_shown((CAPTURE,), (State.PROCESSING,), Done.LATER, Outcome.PENDING),
    *_shown((CAPTURE,), _GONE, Done.NO, Outcome.DECLINED),
    *_open((CAPTURE,), (State.HELD, *_EARLY, State.NEW)),
    *_refused((CAPTURE,), _EARLY, Done.NO, Outcome.DECLINED),
    _looked_up((CAPTURE,), _EARLY, Done.NO, Outcome.DECLINED),
    *_shown(_CANCELS, _GONE, Done.YES, Outcome.DONE),
    *_shown(_CANCELS, (State.TAKEN,), Done.NO, Outcome.ADOPTED),
    *_open(_CANCELS, (State.HELD, State.PROCESSING, *_EARLY, State.NEW)),
    *_refused(_RELEASES, (State.PROCESSING, *_EARLY), Done.NO, Outcome.DECLINED),
    _looked_up(_RELEASES, (State.PROCESSING, *_EARLY), Done.NO, Outcome.DECLINED),
    # Whatever it is that was declined before: it is open, and somebody may pay it yet.
    *_refused((CLOSE,), (State.HELD, State.PROCESSING, *_EARLY), Done.NO, Outcome.STILL_OPEN),
    _looked_up((CLOSE,), (State.HELD, State.PROCESSING, *_EARLY), Done.NO, Outcome.STILL_OPEN),
    *_refused((CAPTURE, *_RELEASES), (State.HELD,), Done.NO, Outcome.STILL_HELD),
    _looked_up((CAPTURE, *_RELEASES), (State.HELD,), Done.NO, Outcome.STILL_HELD),
    *_shown((REFUND,), (State.TAKEN,), Done.YES, Outcome.DONE),
    *_shown((REFUND,), (State.PENDING, State.ACTION), Done.LATER, Outcome.PENDING),
    *_shown((REFUND,), (State.FAILED, State.CANCELED, State.OTHER_AMOUNT), Done.NO, Outcome.DECLINED),
    *_open((REFUND,), (State.NEW,)),
    *_open((REFUND,), (State.ABSENT,), is_in_answer=False),
    *_refused((REFUND,), (State.ABSENT,), Done.NO, Outcome.DECLINED),
    _looked_up((AUTHORIZE, REFUND), (State.ABSENT,), Done.NO, Outcome.DECLINED),
    *_refused(_BUILDING, (State.NEW,), Done.UNKNOWN, Outcome.UNKNOWN),
    _looked_up(_BUILDING, (State.NEW,), Done.UNKNOWN, Outcome.UNKNOWN),
    _unread(_BUILDING, (Reply.BAD_REQUEST, Reply.DECLINE, *UNDECIDED)),
    # The replies that show no state.
    _row((AUTHORIZE,), CALLS, (Reply.DECLINE,), Done.NO, Outcome.DECLINED),
    *_errors((Reply.BAD_REQUEST, Reply.DECLINE, *_NOT_KEPT), on_call=None),
    *_errors(_KEPT, on_call=None, circuit=Circuit.STRIPE),
    *_errors((Reply.UNAUTHORIZED, Reply.FORBIDDEN), on_call=Outcome.WAITS, done=Done.NO, circuit=Circuit.ACCOUNT),
    *_errors((Reply.MISSING,), on_call=Outcome.WAITS, done=Done.NO, operations=_BUILDING),
    *_errors((Reply.KEY_IN_USE, Reply.CONFLICT_RETRY), on_call=Outcome.UNKNOWN),
    *_errors((Reply.LOCKED, Reply.ENDPOINT_LIMIT, Reply.LOCK_TIMEOUT), on_call=Outcome.NOT_TAKEN, done=Done.NO),
    *_errors(
        (Reply.RATE_LIMIT, Reply.RATE_LIMIT_WAIT), on_call=Outcome.NOT_TAKEN, done=Done.NO, circuit=Circuit.ACCOUNT
    ),
    *_errors((Reply.NO_CONNECTION,), on_call=Outcome.NOT_TAKEN, done=Done.NO, circuit=Circuit.STRIPE, sent=False),
    *_errors(
        (Reply.ERROR, Reply.ERROR_RETRY, Reply.DOWN, Reply.DOWN_WAIT, Reply.LOST, Reply.CUT, Reply.TIMEOUT),
        on_call=Outcome.UNKNOWN,
        circuit=Circuit.STRIPE,
    ),
)


def expanded(row: Row) -> Iterator[Pair]:
    """List the pairs of a line."""
    for operation, moment, reply, state in product(row.operations, row.moments, row.replies, row.states):
        yield Pair(operation=operation, moment=moment, reply=reply, state=state)


def table() -> str:
    """Write the table."""
    lines = [
        "| Operation | When | Stripe answers | It shows | Sent | Carried out | Reading | Outcome | Circuit |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in ROWS:
        columns = (
            "all" if row.operations == _ALL else ", ".join(row.operations),
            "ever" if row.moments == _EVER else ", ".join(row.moments),
            "; ".join(row.replies),
            "; ".join(row.states),
            "yes" if row.sent else "no",
            *(row.done, row.reading, row.outcome, row.circuit),
        )
        lines.append("| " + " | ".join(columns) + " |")
    outcomes = [f"- *{outcome}*: {NEXT[outcome]}." for outcome in Outcome]
    deaths = [
        "A process that dies while it calls or reads changes no outcome, whichever of these states Stripe shows; another one goes on:",
        "",
        "| The process dies | The next one |",
        "|---|---|",
        *(f"| {point} | {AFTER[point]} |" for point in Point),
    ]
    return "\n".join([*lines, "", *outcomes, "", *deaths]) + "\n"


def page() -> str:
    """Write the document: its own text, and the table between the marks."""
    text = DOCUMENT.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin and end, f"{DOCUMENT.name} has no marks"
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    print(page(), end="")
