"""What we decide: write the attempt down, ask the processor with no transaction open, record and say the outcome.

Three rules, in this order, make a charge happen once:

1. The attempt and its idempotency key are committed before the processor hears of it.
2. Whoever asks, however often, whoever else asks at the same time: it is the same key.
3. An outcome is recorded only where there is none, and said in the same commit.

A process that dies in between leaves a PENDING attempt. The command comes again, because it was not acknowledged; and
if it did not, the resolver finds the attempt when its lease has ended. Both ask the same question again.
"""

import asyncio
from datetime import datetime
from typing import assert_never

import msgspec

from libs.common.clock import Clock
from libs.common.contracts.gateway import AuthorizePayment, CapturePayment
from libs.common.messaging import Heard
from libs.common.observability.correlation import Correlation, correlated
from libs.common.observability.logging import get_logger
from services.gateway import metrics, outbox
from services.gateway.domain import Attempt, AttemptStatus, Operation, Patience, attempt_id, check_amount
from services.gateway.errors import AttemptConflict, ProcessorUnavailable
from services.gateway.processor import (
    Answer,
    Approved,
    Authorize,
    Capture,
    Declined,
    GuardedProcessor,
    NotTaken,
    Processor,
    Unknown,
)
from services.gateway.store import AttemptStore, Recording

log = get_logger("gateway.commands")


class Commands:
    """The decisions of the gateway, over one processor.

    `processor` asks as often as helps within the deadline; `resolver` asks once, since the schedule repeats anyway.
    """

    def __init__(
        self,
        *,
        store: AttemptStore,
        processor: GuardedProcessor,
        resolver: GuardedProcessor,
        patience: Patience,
        deadline_seconds: float,
        parked_after_retries: int,
        clock: Clock,
    ) -> None:
        self._store = store
        self._processor = processor
        self._resolver = resolver
        self._patience = patience
        self._deadline_seconds = deadline_seconds
        self._parked_after_retries = parked_after_retries
        self._clock = clock

    async def authorize(self, heard: Heard[AuthorizePayment]) -> None:
        """Hold the funds of a payment, once.

        Raises:
            ProcessorUnavailable: when the circuit is open; the command waits and comes again.
            AttemptConflict: when the same payment was to be authorized before with other money.
            Invalid: when the command is not one that anybody could carry out.
        """
        await self._carry_out(heard, Operation.AUTHORIZE, customer_ref=heard.body.customer_ref, gateway_ref="")

    async def capture(self, heard: Heard[CapturePayment]) -> None:
        """Take the held funds of a payment, once.

        Raises:
            ProcessorUnavailable: when the circuit is open; the command waits and comes again.
            AttemptConflict: when the same payment was to be captured before with other money.
            Invalid: when the command is not one that anybody could carry out.
        """
        await self._carry_out(heard, Operation.CAPTURE, customer_ref="", gateway_ref=heard.body.gateway_ref)

    async def _carry_out(
        self,
        heard: Heard[AuthorizePayment] | Heard[CapturePayment],
        operation: Operation,
        *,
        customer_ref: str,
        gateway_ref: str,
    ) -> None:
        body = heard.body
        check_amount(body.amount_minor, body.currency)
        available = self._is_available(heard.attempt)
        now = self._clock.now()
        proposed = Attempt(
            tenant_id=heard.tenant_id,
            id=attempt_id(tenant_id=heard.tenant_id, subject_id=body.payment_intent_id, operation=operation),
            payment_intent_id=body.payment_intent_id,
            operation=operation,
            processor=self._processor.name,
            status=AttemptStatus.PENDING,
            amount_minor=body.amount_minor,
            currency=body.currency,
            customer_ref=customer_ref,
            gateway_ref=gateway_ref,
            asked_at=now if available else None,
            next_ask_at=now + (self._patience.lease if available else self._patience.pause),
            created_at=now,
            correlation_id=heard.correlation.correlation_id,
            traceparent=heard.correlation.traceparent,
        )
        attempt = await self._store.open(proposed)
        if not attempt.asks_for_the_same(proposed):
            raise AttemptConflict(f"payment {body.payment_intent_id} was to {operation} another amount before")
        if attempt.is_decided:
            # Its outcome was said in the commit that recorded it; there is nothing to add.
            metrics.ATTEMPTS_REPEATED.labels(operation).inc()
        elif available and attempt.asked_at is not None:
            await self._find_out(attempt, self._processor)
        # Else it waits in the table, never asked: the resolver's claim commits that it will be, before it is.

    def _is_available(self, retries: int) -> bool:
        """Whether to ask now; if not, the command waits in redelivery, and after so many times in the attempts table."""
        try:
            self._processor.ensure_available()
        except ProcessorUnavailable:
            if retries < self._parked_after_retries:
                raise
            return False
        return True

    async def resolve_due(self, *, limit: int) -> int:
        """Ask again about attempts that are due; returns how many there were.

        Attempts without an answer, those that a dead process left behind, and those that waited for the processor.
        """
        try:
            self._resolver.ensure_available()
        except ProcessorUnavailable:
            return 0
        due = await self._store.claim(now=self._clock.now(), lease=self._patience.lease, limit=limit)
        # Not a task group: one attempt that trips over a bug must not cancel the questions about its neighbours.
        results = await asyncio.gather(*(self._resolve(attempt) for attempt in due), return_exceptions=True)
        for result in results:
            if result is not None:
                raise result
        return len(due)

    async def _resolve(self, attempt: Attempt) -> None:
        with correlated(
            Correlation(
                correlation_id=attempt.correlation_id, tenant_id=attempt.tenant_id, traceparent=attempt.traceparent
            )
        ):
            await self._find_out(attempt, self._resolver)

    async def _find_out(self, attempt: Attempt, processor: Processor) -> None:
        """Ask the processor about an attempt and record what it says."""
        now = self._clock.now()
        if not self._patience.may_ask(attempt, now=now):
            if attempt.next_ask_at is not None:
                await self._leave_to_a_person(attempt, reason=attempt.reason or "never_heard")
            return
        answer = await _ask(processor, attempt, timeout_seconds=self._deadline_seconds)
        match answer:
            case Approved() | Declined():
                await self._decide(attempt, answer)
            case Unknown() | NotTaken():
                await self._postpone(attempt, answer)
            case _:
                assert_never(answer)

    async def _decide(self, attempt: Attempt, answer: Approved | Declined) -> None:
        now = self._clock.now()
        decided = _approved(attempt, answer) if isinstance(answer, Approved) else _declined(attempt, answer, now=now)
        decided_at = decided.decided_at or now
        saying = outbox.outcome(attempt, answer, decided_at=decided_at)
        recorded = await self._store.record(Recording(attempt=decided, saying=saying, recorded_at=now))
        if recorded and attempt.status is AttemptStatus.UNKNOWN:
            metrics.OUTCOMES_RESOLVED.labels(attempt.operation, decided.status).inc()
            log.info("attempt.resolved", attempt_id=attempt.id, operation=attempt.operation, status=decided.status)
        elif recorded and decided.status is AttemptStatus.DECLINED:
            log.info("attempt.declined", attempt_id=attempt.id, operation=attempt.operation, reason=decided.reason)

    async def _postpone(self, attempt: Attempt, answer: Unknown | NotTaken) -> None:
        now = self._clock.now()
        asked_at = attempt.asked_at or now
        unknown = isinstance(answer, Unknown)
        next_ask_at = (
            self._patience.after_silence(asked_at=asked_at, now=now)
            if unknown
            else self._patience.after_refusal_to_listen(asked_at=asked_at, now=now)
        )
        postponed = msgspec.structs.replace(
            attempt,
            status=AttemptStatus.UNKNOWN if unknown else attempt.status,
            reason=answer.reason,
            asks=attempt.asks + answer.asks,
            next_ask_at=next_ask_at,
        )
        if next_ask_at is None:
            await self._leave_to_a_person(postponed, reason=answer.reason)
            return
        await self._store.record(Recording(attempt=postponed, saying=None, recorded_at=now))
        log.warning(
            "attempt.postponed",
            attempt_id=attempt.id,
            operation=attempt.operation,
            reason=answer.reason,
            asks=postponed.asks,
            next_ask_at=next_ask_at,
        )

    async def _leave_to_a_person(self, attempt: Attempt, *, reason: str) -> None:
        """Stop asking: the processor may have forgotten the key, so asking could charge twice, and a guess could lose."""
        overdue = msgspec.structs.replace(attempt, status=AttemptStatus.UNKNOWN, reason=reason, next_ask_at=None)
        if await self._store.record(Recording(attempt=overdue, saying=None, recorded_at=self._clock.now())):
            metrics.OUTCOMES_OVERDUE.labels(attempt.operation).inc()
            log.error(
                "attempt.left_to_a_person",
                attempt_id=attempt.id,
                payment_intent_id=attempt.payment_intent_id,
                operation=attempt.operation,
                processor=attempt.processor,
                reason=reason,
                asked_at=attempt.asked_at,
                asks=attempt.asks,
            )


def _approved(attempt: Attempt, answer: Approved) -> Attempt:
    return msgspec.structs.replace(
        attempt,
        status=AttemptStatus.APPROVED,
        gateway_ref=answer.gateway_ref,
        reason="",
        detail="",
        asks=attempt.asks + answer.asks,
        next_ask_at=None,
        decided_at=answer.approved_at,
    )


def _declined(attempt: Attempt, answer: Declined, *, now: datetime) -> Attempt:
    return msgspec.structs.replace(
        attempt,
        status=AttemptStatus.DECLINED,
        reason=answer.reason,
        detail=answer.detail,
        asks=attempt.asks + answer.asks,
        next_ask_at=None,
        decided_at=now,
    )


async def _ask(processor: Processor, attempt: Attempt, *, timeout_seconds: float) -> Answer:
    match attempt.operation:
        case Operation.AUTHORIZE:
            return await processor.authorize(
                Authorize(
                    tenant_id=attempt.tenant_id,
                    payment_intent_id=attempt.payment_intent_id,
                    idempotency_key=attempt.idempotency_key,
                    amount_minor=attempt.amount_minor,
                    currency=attempt.currency,
                    requested_at=attempt.created_at,
                    ask=attempt.asks + 1,
                    timeout_seconds=timeout_seconds,
                    customer_ref=attempt.customer_ref,
                )
            )
        case Operation.CAPTURE:
            return await processor.capture(
                Capture(
                    tenant_id=attempt.tenant_id,
                    payment_intent_id=attempt.payment_intent_id,
                    idempotency_key=attempt.idempotency_key,
                    amount_minor=attempt.amount_minor,
                    currency=attempt.currency,
                    requested_at=attempt.created_at,
                    ask=attempt.asks + 1,
                    timeout_seconds=timeout_seconds,
                    gateway_ref=attempt.gateway_ref,
                )
            )
        case _:
            assert_never(attempt.operation)
