"""The sandbox as an adapter of the port: trouble on the way, and behind it the truth of its books."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial

from libs.common.clock import Clock, SystemClock
from libs.common.contracts.gateway_declines import DeclineCodes
from services.gateway.processors.port import (
    Answer,
    Applied,
    Authorize,
    Capture,
    Declined,
    DeclineReason,
    Finding,
    Notice,
    NotTaken,
    NotTakenReason,
    Operation,
    ProcessorRequest,
    Refund,
    Unknown,
    UnknownReason,
    Void,
)
from services.gateway.processors.sandbox import account, records
from services.gateway.processors.sandbox.book import Book, MemoryBook
from services.gateway.processors.sandbox.cases import Trouble, case_of
from services.gateway.processors.sandbox.notices import notice_of
from services.gateway.processors.sandbox.nouns import Happening, SandboxPayment
from services.gateway.processors.sandbox.vault import PROOF_EACH_TIME

_LEASE = timedelta(seconds=30)
"""How long a process may take to report what has happened to a payment before another one does."""

type Apply = Callable[[Notice], Awaitable[Applied]]
"""Where what happens by itself is reported."""


class SandboxProcessor:
    """A processor that moves no money."""

    name = account.NAME

    def __init__(
        self,
        *,
        book: Book | None = None,
        clock: Clock | None = None,
        latency_seconds: float = 0.0,
        slow_seconds: float = 2.0,
        later_seconds: float = 2.0,
    ) -> None:
        self._book = book or MemoryBook()
        self._clock = clock or SystemClock()
        self._latency_seconds = latency_seconds
        self._slow_seconds = slow_seconds
        self._later = timedelta(seconds=later_seconds)

    async def authorize(self, request: Authorize) -> Answer:
        """Hold nothing, and answer or not, by the amount."""
        if request.off_session and request.payment_method.endswith(PROOF_EACH_TIME):
            return Declined(
                reason=DeclineReason.AUTHENTICATION_REQUIRED,
                detail="The customer must prove who they are.",
                codes=DeclineCodes(decline_code="authentication_required"),
            )
        ref = self._ref_of(request)
        decide = partial(account.authorize, request=request, ref=ref, now=self._clock.now(), later=self._later)
        return await self._answer(Operation.AUTHORIZE, request, ref, decide)

    async def capture(self, request: Capture) -> Answer:
        """Take nothing, and answer or not, by the amount."""
        decide = partial(account.capture, request=request, now=self._clock.now(), later=self._later)
        return await self._answer(Operation.CAPTURE, request, request.gateway_ref, decide)

    async def void(self, request: Void) -> Answer:
        """Release nothing, and answer or not, by the amount that was authorized."""
        return await self._answer(Operation.VOID, request, request.gateway_ref, partial(account.void, request=request))

    async def refund(self, request: Refund) -> Answer:
        """Give nothing back, and answer or not, by the amount."""
        decide = partial(account.refund, request=request, now=self._clock.now(), later=self._later)
        return await self._answer(Operation.REFUND, request, request.gateway_ref, decide)

    async def look_up(self, request: ProcessorRequest) -> Finding:
        """Read what the books have of a request."""
        ref = request.gateway_ref if isinstance(request, Capture | Void | Refund) else self._ref_of(request)
        now = self._clock.now()
        return await self._book.change(
            ref, lambda payment: (None, records.look_up(payment and account.pass_time(payment, now=now), request))
        )

    def _ref_of(self, request: ProcessorRequest) -> str:
        digest = hashlib.sha256(request.idempotency_key.encode()).hexdigest()
        return f"{self.name}_{digest[:24]}"

    async def report(self, apply: Apply, *, limit: int) -> int:
        """Let happen what is due by itself, and report it; returns how many payments were looked at.

        It is reported before it is forgotten: after a crash in between it is reported again, and a notice takes effect once.
        """
        now = self._clock.now()
        refs = await self._book.claim(now=now, lease=_LEASE, limit=limit)
        for ref in refs:
            happened = await self._book.change(ref, lambda payment: (None, _happened(payment, now=now)))
            for notice in happened.values():
                if notice is not None:
                    await apply(notice)
            await self._book.change(ref, partial(_forget, now=now, reported=list(happened)))
        return len(refs)

    async def _answer(
        self,
        operation: Operation,
        request: ProcessorRequest,
        ref: str,
        decide: Callable[[SandboxPayment | None], account.Result],
    ) -> Answer:
        case = case_of(operation, request.amount_minor)
        slow = self._slow_seconds if case.trouble is Trouble.SLOW else 0.0
        if late_seconds := self._latency_seconds + slow:
            await asyncio.sleep(min(late_seconds, request.timeout_seconds))
            if late_seconds > request.timeout_seconds:
                return Unknown(reason=UnknownReason.TIMEOUT)
        is_troubled = case.trouble is not None and request.call <= case.calls
        if is_troubled and case.trouble is Trouble.RATE_LIMIT:
            return NotTaken(reason=NotTakenReason.RATE_LIMITED)
        now = self._clock.now()
        answer = await self._book.change(ref, lambda payment: decide(payment and account.pass_time(payment, now=now)))
        if is_troubled and case.trouble is Trouble.TIMEOUT:
            # Answered at once instead of after the timeout: what matters is the unknown outcome, not the waiting.
            return Unknown(reason=UnknownReason.TIMEOUT)
        if is_troubled and case.trouble is Trouble.ERROR:
            return Unknown(reason=UnknownReason.PROCESSOR_ERROR)
        return answer


def _happened(payment: SandboxPayment | None, *, now: datetime) -> dict[Happening, Notice | None]:
    assert payment is not None, "a payment that was claimed stands in the book for ever"
    after = account.pass_time(payment, now=now)
    return {h: notice_of(after, h) for h in after.happenings if h.has_happened}


def _forget(
    payment: SandboxPayment | None, *, now: datetime, reported: list[Happening]
) -> tuple[SandboxPayment | None, None]:
    assert payment is not None, "a payment that was claimed stands in the book for ever"
    return account.forget(account.pass_time(payment, now=now), reported), None
