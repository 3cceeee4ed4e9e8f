"""Which amounts force which outcomes: the only place where they stand, and the page about them."""

from enum import StrEnum
from typing import Any

import msgspec

from services.gateway.processors.port import DeclineReason, Operation

ENDING_MODULUS = 10_000
"""The last four digits of the minor amount choose the case: ordinary prices rarely end in 90.01 to 90.79."""

FOR_EVER = 1_000_000_000
"""More repetitions than anybody makes."""


class Trouble(StrEnum):
    """What goes wrong on the way to the true answer."""

    TIMEOUT = "no answer"
    ERROR = "answers 500"
    RATE_LIMIT = "answers 429"
    SLOW = "answers late"


class Start(StrEnum):
    """What the processor answers at first, where the end comes later."""

    ACTION = "requires an action of the customer"
    PENDING = "pending"


class Later(StrEnum):
    """What happens by itself some seconds afterwards, and is reported by notice."""

    AUTHENTICATED = "authenticated"
    NOT_AUTHENTICATED = "not_authenticated"
    PAID = "paid"
    UNPAID = "unpaid"
    REFUND_ARRIVED = "refund_arrived"
    REFUND_FAILED = "refund_failed"
    DISPUTED = "disputed"
    DISPUTE_WON = "dispute_won"
    DISPUTE_LOST = "dispute_lost"


_WORDS = {
    Later.AUTHENTICATED: "approved",
    Later.NOT_AUTHENTICATED: "declined, `authentication_failed`",
    Later.PAID: "paid",
    Later.UNPAID: "expired unpaid",
    Later.REFUND_ARRIVED: "approved",
    Later.REFUND_FAILED: "failed, `processor_refused`",
    Later.DISPUTED: "disputed by the customer's bank",
    Later.DISPUTE_WON: "the dispute is won",
    Later.DISPUTE_LOST: "the dispute is lost",
}


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What one ending of the amount forces."""

    ending: int
    """The last four digits of the minor amount."""
    operation: Operation
    """Which operation it concerns; the other ones succeed."""
    decline: DeclineReason | None = None
    """The true answer: None is an approval."""
    trouble: Trouble | None = None
    """What stands between us and the true answer."""
    calls: int = 0
    """How many of the first calls meet the trouble."""
    start: Start | None = None
    """What is answered at first, where the true answer comes later."""
    later: tuple[Later, ...] = ()
    """What happens by itself afterwards, one after the other."""
    ends_soon: bool = False
    """Whether the hold ends after seconds instead of days."""
    only_first: bool = False
    """Whether it is for the first authorization of a payment alone; the next one is approved."""
    by_slip: bool = False
    """Whether it is for what is paid by a code or a slip alone; by card such an amount is approved."""
    shows: str
    """What can be seen with it, for the documentation."""


def _hold(ending: int, shows: str, **forced: Any) -> Case:
    return Case(ending=ending, operation=Operation.AUTHORIZE, shows=shows, **forced)


def _slip(ending: int, shows: str, *later: Later) -> Case:
    return _hold(ending, shows, start=Start.ACTION, later=later, by_slip=True)


def _take(ending: int, shows: str, **forced: Any) -> Case:
    return Case(ending=ending, operation=Operation.CAPTURE, shows=shows, **forced)


def _release(ending: int, shows: str, **forced: Any) -> Case:
    return Case(ending=ending, operation=Operation.VOID, shows=shows, **forced)


def _give_back(ending: int, shows: str, **forced: Any) -> Case:
    return Case(ending=ending, operation=Operation.REFUND, shows=shows, **forced)


CASES: tuple[Case, ...] = (
    _hold(9001, "FAILED with this reason", decline=DeclineReason.INSUFFICIENT_FUNDS),
    _hold(9002, "FAILED with this reason", decline=DeclineReason.CARD_DECLINED),
    _hold(9003, "FAILED with this reason", decline=DeclineReason.EXPIRED_CARD),
    _hold(9004, "FAILED with this reason", decline=DeclineReason.PROCESSOR_REFUSED),
    _hold(
        9005,
        "FAILED with this reason; confirmed again with a payment method, SETTLED",
        decline=DeclineReason.CARD_DECLINED,
        only_first=True,
    ),
    _hold(9011, "timeout after success: called again at once with the same key", trouble=Trouble.TIMEOUT, calls=1),
    _hold(
        9012,
        "timeout after a decline: called again at once, and FAILED only then",
        trouble=Trouble.TIMEOUT,
        calls=1,
        decline=DeclineReason.INSUFFICIENT_FUNDS,
    ),
    _hold(9013, "PROCESSING until the resolver finds out, seconds later", trouble=Trouble.TIMEOUT, calls=4),
    _hold(
        9014, "PROCESSING for good: nothing is guessed, it ends in an alert", trouble=Trouble.TIMEOUT, calls=FOR_EVER
    ),
    _hold(9021, "a processor error, then success on the retry", trouble=Trouble.ERROR, calls=1),
    _hold(9022, "rate-limited, then success on the retry", trouble=Trouble.RATE_LIMIT, calls=1),
    _hold(9023, "a slow authorization: confirm may answer 202", trouble=Trouble.SLOW, calls=FOR_EVER),
    _take(9031, "AUTHORIZED, then the capture is refused", decline=DeclineReason.AUTHORIZATION_EXPIRED),
    _take(9032, "AUTHORIZED, then the capture is refused", decline=DeclineReason.PROCESSOR_REFUSED),
    _take(9033, "captured, but the answer is lost: called again with the same key", trouble=Trouble.TIMEOUT, calls=1),
    _take(9034, "AUTHORIZED until the resolver finds out, then SETTLED", trouble=Trouble.TIMEOUT, calls=4),
    _take(9035, "a processor error, then success on the retry", trouble=Trouble.ERROR, calls=1),
    _take(9036, "a slow capture: AUTHORIZED for a while, then SETTLED", trouble=Trouble.SLOW, calls=FOR_EVER),
    _hold(9041, "REQUIRES_ACTION, then AUTHORIZED", start=Start.ACTION, later=(Later.AUTHENTICATED,)),
    _hold(9042, "REQUIRES_ACTION, then FAILED", start=Start.ACTION, later=(Later.NOT_AUTHENTICATED,)),
    _hold(
        9043,
        "REQUIRES_ACTION until you void it: the customer has left; confirmed again with another payment method, SETTLED",
        start=Start.ACTION,
        only_first=True,
    ),
    _hold(9044, "with `capture_method: manual`: AUTHORIZED, then EXPIRED", ends_soon=True),
    _slip(9045, "Pix, boleto: REQUIRES_ACTION until you void it: the customer has left"),
    _slip(9046, "Pix, boleto: REQUIRES_ACTION, then EXPIRED", Later.UNPAID),
    _slip(
        9047,
        "Pix, boleto: REQUIRES_ACTION, then EXPIRED, then SETTLED: paid in the last moment",
        Later.UNPAID,
        Later.PAID,
    ),
    _hold(9048, "Pix, boleto: SETTLED without REQUIRES_ACTION: paid before the answer", by_slip=True),
    _give_back(9051, "the refund is FAILED and undone", decline=DeclineReason.PROCESSOR_REFUSED),
    _give_back(9052, "PENDING, then COMPLETED", start=Start.PENDING, later=(Later.REFUND_ARRIVED,)),
    _give_back(9053, "PENDING, then FAILED and undone", start=Start.PENDING, later=(Later.REFUND_FAILED,)),
    _give_back(9054, "COMPLETED, then FAILED and undone in the books", later=(Later.REFUND_FAILED,)),
    _give_back(9055, "given back, but the answer is lost: called again", trouble=Trouble.TIMEOUT, calls=1),
    _give_back(9056, "PENDING until the resolver finds out, then COMPLETED", trouble=Trouble.TIMEOUT, calls=4),
    _release(9061, "the void is refused: AUTHORIZED again", decline=DeclineReason.PROCESSOR_REFUSED),
    _release(9062, "released, but the answer is lost: called again", trouble=Trouble.TIMEOUT, calls=1),
    _release(9063, "AUTHORIZED until the resolver finds out, then VOIDED", trouble=Trouble.TIMEOUT, calls=4),
    _take(9071, "SETTLED, then a dispute that stays open", later=(Later.DISPUTED,)),
    _take(9072, "SETTLED, then a dispute that is won", later=(Later.DISPUTED, Later.DISPUTE_WON)),
    _take(9073, "SETTLED, then a dispute that is lost", later=(Later.DISPUTED, Later.DISPUTE_LOST)),
)
"""Every amount that is not simply approved."""

_BY_ENDING = {(case.operation, case.ending): case for case in CASES}
_ORDINARY = {operation: Case(ending=0, operation=operation, shows="") for operation in Operation}


_SLIP = Case(ending=0, operation=Operation.AUTHORIZE, start=Start.ACTION, later=(Later.PAID,), shows="")
"""What is paid by a code or a slip is paid by itself some seconds later."""


def case_of(operation: Operation, amount_minor: int, *, by_slip: bool = False) -> Case:
    """The case of an amount; an ordinary one has no ending of its own.

    `by_slip` is for an authorization that a code or a slip is made for.
    """
    ordinary = _SLIP if by_slip else _ORDINARY[operation]
    case = _BY_ENDING.get((operation, amount_minor % ENDING_MODULUS), ordinary)
    if case.by_slip and not by_slip:
        return ordinary
    is_plain = case.start is None and case.decline is None and not case.by_slip and not case.ends_soon
    if by_slip and is_plain:
        return msgspec.structs.replace(case, start=_SLIP.start, later=_SLIP.later)
    return case


def _sequence(case: Case) -> str:
    if case.start is not None:
        sequence = ", then ".join([case.start, *(_WORDS[later] for later in case.later)])
        return f"{sequence}; the next authorization approved" if case.only_first else sequence
    truth = f"declined, `{case.decline}`" if case.decline else "approved"
    if case.only_first:
        return f"{truth}; the next authorization approved"
    if case.ends_soon:
        return f"{truth}; the hold ends after seconds"
    if case.later:
        return ", then ".join([truth, *(_WORDS[later] for later in case.later)])
    if case.trouble is None:
        return truth
    if case.trouble is Trouble.SLOW:
        return f"{truth}, {case.trouble} (`SANDBOX_SLOW_SECONDS`)"
    if case.calls == FOR_EVER:
        return f"{case.trouble}, ever"
    times = "the first time" if case.calls == 1 else f"the first {case.calls} times"
    return f"{case.trouble} {times}, then {truth}"


def sandbox_page() -> str:
    """Write `docs/sandbox.md`: how to force each outcome."""
    rows = "\n".join(
        f"| `{case.ending}` | {case.ending // 100}.{case.ending % 100:02d} | {case.operation} "
        f"| {_sequence(case)} | {case.shows} |"
        for case in CASES
    )
    return f"""# The sandbox processor: amounts that force outcomes

The sandbox moves no money, and keeps books like a processor that does: it refuses to take more than is held, to give back
more than was taken and is not in dispute, to capture twice, to refund what was never captured, and a key that is used again
with other money. Every amount is approved, except those whose minor units end in one of the four-digit endings below;
anything may stand before the ending (9001 and 129001 are both declined). The column *amount* is for currencies with two
decimals: in BRL `"90.01"` or `"1290.01"`, in JPY `"9001"`, in KWD `"9.001"`. The amount is that of the operation: of the
capture, of the refund; for a void, of the authorization.

| ending | amount | operation | the processor | what you will see |
|---|---|---|---|---|
{rows}

What is to be paid by Pix or boleto needs an action of the customer, and is paid by itself `SANDBOX_LATER_SECONDS` later, unless
its ending says otherwise; nothing is ever drawn or transferred.

A payment of 90.05 that was declined is approved when it is confirmed again with any `payment_method`; all other declines come again.
So is one of 90.43 that waits for its customer, confirmed again with another `payment_method`.

What comes "then" by itself comes `SANDBOX_LATER_SECONDS` later, one after the other. The same idempotency key always leads
to the same outcome and the same `gateway_ref`, in any process and after any restart. A timeout is never taken for a failure:
the gateway calls again with the same key until it knows.

This page is written by `python -m services.gateway sandbox-table > docs/sandbox.md`; a test keeps it true.
"""
