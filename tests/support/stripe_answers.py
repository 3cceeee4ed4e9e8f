"""Everything that Stripe can answer to an operation: the pairs for which `stripe_outcomes` has one line each."""

from collections.abc import Iterator
from enum import StrEnum
from itertools import product

import msgspec

from services.gateway.processors.port import Operation


class Moment(StrEnum):
    """When Stripe is called."""

    CALL = "call"
    """The operation is requested for the first time, nothing in doubt."""
    AGAIN = "repetition"
    """It is requested again under its key, an earlier call in doubt."""
    READ = "reading"
    """Stripe has taken it on; what it gave a reference to is read."""
    LOOK_UP = "look-up"
    """The key is forgotten and no call can arrive any more; Stripe's records are read."""


class Reply(StrEnum):
    """What comes back."""

    OK = "200"
    BAD_REQUEST = "400"
    KEY_REUSED = "400 `idempotency_error`"
    UNAUTHORIZED = "401"
    DECLINE = "402"
    FORBIDDEN = "403"
    MISSING = "404 `resource_missing`"
    KEY_IN_USE = "409 `idempotency_key_in_use`"
    LOCKED = "409 `lock_timeout`"
    CONFLICT = "409"
    CONFLICT_RETRY = "409, `Stripe-Should-Retry: true`"
    RATE_LIMIT = "429"
    RATE_LIMIT_WAIT = "429, `Retry-After`"
    ENDPOINT_LIMIT = "429 `endpoint-rate`"
    LOCK_TIMEOUT = "429 `lock_timeout`"
    ERROR = "500"
    ERROR_RETRY = "500, `Stripe-Should-Retry: true`"
    ERROR_KEPT = "500, `Stripe-Should-Retry: false`"
    DOWN = "503"
    DOWN_WAIT = "503, `Retry-After`"
    NO_CONNECTION = "no connection"
    LOST = "connection lost after sending"
    CUT = "connection lost within the answer"
    TIMEOUT = "no answer in time"
    MALFORMED = "200, malformed JSON"
    SHAPELESS = "200, another object"


class State(StrEnum):
    """What the payment or refund shows: in the answer, or read after an error."""

    NOTHING = "-"
    """The answer shows no object, and none is read."""
    ABSENT = "none"
    UNREADABLE = "unreadable"
    HELD = "requires_capture"
    TAKEN = "succeeded"
    OTHER_AMOUNT = "another amount"
    PROCESSING = "processing"
    ACTION = "requires_action"
    NO_METHOD = "requires_payment_method"
    UNCONFIRMED = "requires_confirmation"
    CANCELED = "canceled"
    EXPIRED = "canceled, expired"
    PENDING = "pending"
    FAILED = "failed"
    NEW = "a new status"


class Point(StrEnum):
    """Where a process dies that calls Stripe, or reads what became of a call."""

    BEFORE_COUNTING = "before the call is counted"
    COUNTED = "counted and not sent"
    ANSWERED = "answered and not recorded"
    ADOPTED = "what somebody else has captured adopted, and the answer not recorded"
    BEFORE_RECORDING = "before the answer is recorded"
    RECORDED = "recorded"


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """One operation and one answer."""

    operation: Operation
    moment: Moment
    reply: Reply
    state: State

    def __str__(self) -> str:
        """Name the pair in a test's id."""
        return f"{self.operation}-{self.moment}-{self.reply}-{self.state}".replace("`", "")


AUTHORIZE, CAPTURE, VOID, EXPIRE, REFUND, CLOSE = Operation
READABLE = (AUTHORIZE, CAPTURE, REFUND)
"""The operations that Stripe takes on and ends later."""
CALLS = (Moment.CALL, Moment.AGAIN)
"""The moments at which the operation is requested; at the others Stripe is only read."""

_INTENT = (
    *(State.HELD, State.TAKEN, State.PROCESSING, State.ACTION, State.NO_METHOD, State.UNCONFIRMED),
    *(State.CANCELED, State.EXPIRED, State.NEW),
)
STATES = {
    AUTHORIZE: (*_INTENT, State.OTHER_AMOUNT),
    CAPTURE: (*_INTENT, State.OTHER_AMOUNT),
    VOID: _INTENT,
    EXPIRE: _INTENT,
    CLOSE: _INTENT,
    REFUND: (State.TAKEN, State.PENDING, State.ACTION, State.FAILED, State.CANCELED, State.NEW, State.OTHER_AMOUNT),
}
"""Every state that an answer can show, by operation."""
SEARCHED = (AUTHORIZE, REFUND)
"""The operations of which reading may find nothing: they make an object of their own."""

UNDECIDED = (Reply.KEY_REUSED, Reply.CONFLICT, Reply.ERROR_KEPT, Reply.MALFORMED, Reply.SHAPELESS)


def read_after(operation: Operation) -> tuple[Reply, ...]:
    """Return the replies to a call after which the state is read."""
    refusal = Reply.MISSING if operation is AUTHORIZE else Reply.DECLINE
    return (Reply.BAD_REQUEST, refusal, *UNDECIDED)


def pairs() -> Iterator[Pair]:
    """List every pair."""
    for operation, moment in product(Operation, Moment):
        if moment is Moment.READ and operation not in READABLE:
            continue
        is_call = moment in CALLS
        found = (State.ABSENT,) if operation in SEARCHED else ()
        reads = read_after(operation) if is_call else ()
        for reply in Reply:
            shown: tuple[State, ...] = (State.NOTHING,)
            if reply is Reply.OK:
                shown = STATES[operation] + (found if moment is Moment.LOOK_UP else ())
            elif reply in reads:
                shown = (*STATES[operation], *found, State.UNREADABLE)
            for state in shown:
                yield Pair(operation=operation, moment=moment, reply=reply, state=state)
