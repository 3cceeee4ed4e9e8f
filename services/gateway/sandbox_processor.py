"""The sandbox: a processor that moves no money, and whose every answer is decided by the amount.

It keeps no memory. An answer is a pure function of the operation, the amount, the idempotency key and the number of the
repetition that the request carries, so any number of processes, restarted or killed at any moment, tell the same truth
about the same key. A table of keys would be truer to life, but it would cost a commit per call on the path that is being
measured and would have to survive a kill in the middle of itself; the number of the repetition stands in our own attempt
row anyway. What a kill loses of that number is only that the sandbox plays dead once more.

`CASES` is the only place where the special amounts stand; `docs/sandbox.md` is written from it.
"""

import asyncio
import hashlib
import re
from datetime import timedelta
from enum import StrEnum
from typing import Any

import msgspec

from services.gateway.domain import Operation
from services.gateway.processor import (
    Answer,
    Approved,
    Authorize,
    Capture,
    Declined,
    DeclineReason,
    NotTaken,
    NotTakenReason,
    ProcessorRequest,
    Unknown,
    UnknownReason,
)

_ENDING_MODULUS = 10_000
"""The last four digits of the minor amount choose the case: ordinary prices rarely end in 90.01 to 90.39."""

_FOR_EVER = 1_000_000_000
"""More repetitions than anybody makes."""

_HOLD = timedelta(days=7)
"""How long an authorization is valid; the usual validity of a card authorization for online payments (Stripe's
documentation, "Place a hold on a payment method")."""

_REF = re.compile(r"sandbox_[0-9a-f]{24}\Z")

_SENTENCES = {
    DeclineReason.INSUFFICIENT_FUNDS: "The card has insufficient funds to complete the payment.",
    DeclineReason.CARD_DECLINED: "The issuer declined the payment.",
    DeclineReason.EXPIRED_CARD: "The card has expired.",
    DeclineReason.AUTHORIZATION_EXPIRED: "The authorization has expired.",
    DeclineReason.PROCESSOR_REFUSED: "The processor refused the request.",
}


class Trouble(StrEnum):
    """What goes wrong on the way to the true answer."""

    TIMEOUT = "no answer"
    ERROR = "answers 500"
    RATE_LIMIT = "answers 429"
    SLOW = "answers late"


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What one ending of the amount forces."""

    ending: int
    """The last four digits of the minor amount."""
    operation: Operation
    """Which operation it concerns; the other one succeeds."""
    decline: DeclineReason | None = None
    """The true answer: None is an approval."""
    trouble: Trouble | None = None
    """What stands between us and the true answer."""
    asks: int = 0
    """How many of the first asks meet the trouble."""
    shows: str
    """What can be seen with it, for the documentation."""


def _hold(ending: int, shows: str, **forced: Any) -> Case:
    return Case(ending=ending, operation=Operation.AUTHORIZE, shows=shows, **forced)


def _take(ending: int, shows: str, **forced: Any) -> Case:
    return Case(ending=ending, operation=Operation.CAPTURE, shows=shows, **forced)


CASES: tuple[Case, ...] = (
    _hold(9001, "FAILED with this reason", decline=DeclineReason.INSUFFICIENT_FUNDS),
    _hold(9002, "FAILED with this reason", decline=DeclineReason.CARD_DECLINED),
    _hold(9003, "FAILED with this reason", decline=DeclineReason.EXPIRED_CARD),
    _hold(9004, "FAILED with this reason", decline=DeclineReason.PROCESSOR_REFUSED),
    _hold(9011, "timeout after success: asked again at once with the same key", trouble=Trouble.TIMEOUT, asks=1),
    _hold(
        9012,
        "timeout after a decline: asked again at once, and FAILED only then",
        trouble=Trouble.TIMEOUT,
        asks=1,
        decline=DeclineReason.INSUFFICIENT_FUNDS,
    ),
    _hold(9013, "PROCESSING until the resolver finds out, seconds later", trouble=Trouble.TIMEOUT, asks=4),
    _hold(9014, "PROCESSING for good: nobody guesses, it ends in an alert", trouble=Trouble.TIMEOUT, asks=_FOR_EVER),
    _hold(9021, "a processor error, then success on the retry", trouble=Trouble.ERROR, asks=1),
    _hold(9022, "told to come back later, then success on the retry", trouble=Trouble.RATE_LIMIT, asks=1),
    _hold(9023, "a slow authorization: confirm may answer 202", trouble=Trouble.SLOW, asks=_FOR_EVER),
    _take(9031, "AUTHORIZED, then the capture is refused", decline=DeclineReason.AUTHORIZATION_EXPIRED),
    _take(9032, "AUTHORIZED, then the capture is refused", decline=DeclineReason.PROCESSOR_REFUSED),
    _take(9033, "captured, but the answer is lost: asked again with the same key", trouble=Trouble.TIMEOUT, asks=1),
    _take(9034, "AUTHORIZED until the resolver finds out, then SETTLED", trouble=Trouble.TIMEOUT, asks=4),
    _take(9035, "a processor error, then success on the retry", trouble=Trouble.ERROR, asks=1),
    _take(9036, "a slow capture: AUTHORIZED for a while, then SETTLED", trouble=Trouble.SLOW, asks=_FOR_EVER),
)
"""Every amount that is not simply approved."""

_BY_ENDING = {(case.operation, case.ending): case for case in CASES}


class SandboxProcessor:
    """The sandbox, as an adapter of the port."""

    name = "sandbox"

    def __init__(self, *, latency_seconds: float = 0.0, slow_seconds: float = 2.0) -> None:
        self._latency_seconds = latency_seconds
        self._slow_seconds = slow_seconds

    async def authorize(self, request: Authorize) -> Answer:
        """Hold nothing, and say so or not, by the amount."""
        digest = hashlib.sha256(request.idempotency_key.encode()).hexdigest()
        approved = Approved(
            gateway_ref=f"sandbox_{digest[:24]}",
            approved_at=request.requested_at,
            expires_at=request.requested_at + _HOLD,
        )
        return await self._answer(Operation.AUTHORIZE, request, approved)

    async def capture(self, request: Capture) -> Answer:
        """Take nothing, and say so or not, by the amount."""
        if not _REF.match(request.gateway_ref):
            return Declined(reason=DeclineReason.PROCESSOR_REFUSED, detail="There is no such authorization.")
        approved = Approved(gateway_ref=request.gateway_ref, approved_at=request.requested_at)
        return await self._answer(Operation.CAPTURE, request, approved)

    async def _answer(self, operation: Operation, request: ProcessorRequest, approved: Approved) -> Answer:
        case = _BY_ENDING.get((operation, request.amount_minor % _ENDING_MODULUS))
        slow = self._slow_seconds if case is not None and case.trouble is Trouble.SLOW else 0.0
        if late_seconds := self._latency_seconds + slow:
            await asyncio.sleep(min(late_seconds, request.timeout_seconds))
            if late_seconds > request.timeout_seconds:
                return Unknown(reason=UnknownReason.TIMEOUT)
        if case is None:
            return approved
        if case.trouble is not None and request.ask <= case.asks:
            match case.trouble:
                case Trouble.TIMEOUT:
                    # Said at once instead of after the timeout: what matters is that nobody knows, not the waiting.
                    return Unknown(reason=UnknownReason.TIMEOUT)
                case Trouble.ERROR:
                    return Unknown(reason=UnknownReason.PROCESSOR_ERROR)
                case Trouble.RATE_LIMIT:
                    return NotTaken(reason=NotTakenReason.RATE_LIMITED)
                case Trouble.SLOW:
                    pass
        if case.decline is not None:
            return Declined(reason=case.decline, detail=_SENTENCES[case.decline])
        return approved


def _sequence(case: Case) -> str:
    truth = f"declined, `{case.decline}`" if case.decline else "approved"
    if case.trouble is None:
        return truth
    if case.trouble is Trouble.SLOW:
        return f"{truth}, {case.trouble} (`GATEWAY_SANDBOX_SLOW_SECONDS`)"
    if case.asks == _FOR_EVER:
        return f"{case.trouble}, ever"
    times = "the first time" if case.asks == 1 else f"the first {case.asks} times"
    return f"{case.trouble} {times}, then {truth}"


def sandbox_page() -> str:
    """Write `docs/sandbox.md`: how to force each outcome."""
    rows = "\n".join(
        f"| `{case.ending}` | {case.ending // 100}.{case.ending % 100:02d} | {case.operation} "
        f"| {_sequence(case)} | {case.shows} |"
        for case in CASES
    )
    return f"""# The sandbox processor: amounts that force outcomes

The sandbox moves no money. Every amount is approved, except those whose minor units end in one of the four-digit endings
below; anything may stand before the ending (9001 and 129001 are both declined). The column *amount* is for currencies
with two decimals: in BRL `"90.01"` or `"1290.01"`, in JPY `"9001"`, in KWD `"9.001"`.

| ending | amount | operation | the processor | what you will see |
|---|---|---|---|---|
{rows}

The same idempotency key always leads to the same outcome and the same `gateway_ref`, in any process and after any
restart. A timeout is never taken for a failure: the gateway asks again with the same key until it knows.

This page is written by `python -m services.gateway sandbox-table > docs/sandbox.md`; a test keeps it true.
"""
