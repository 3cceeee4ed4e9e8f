"""Decisions about operations: write the attempt down, call the processor with no transaction open, record and publish the outcome.

Three rules, in this order, make a charge or a refund happen once:

1. The attempt and its idempotency key are committed before the processor is called.
2. Whoever calls, however often, whoever else calls at the same time: it is the same key, and the call is counted as in
   doubt before it is made.
3. An outcome is recorded only where there is none, and published in the same commit.

A process that dies in between leaves a PENDING attempt. The command comes again, because it was not acknowledged; and
if it did not, the resolver finds the attempt when its lease has ended. Both make the same call again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import msgspec

from libs.common.clock import Clock
from libs.common.contracts.gateway import AuthorizePayment, CapturePayment, RefundPayment, VoidPayment
from libs.common.contracts.gateway_base import PaymentCommand
from libs.common.contracts.gateway_methods import encode_billing_details
from libs.common.messaging import Received
from libs.common.observability.correlation import Correlation, correlated
from libs.common.observability.logging import get_logger
from services.gateway import metrics
from services.gateway.errors import ProcessorUnavailable
from services.gateway.operations import schemas
from services.gateway.operations.commands.calling import FindChargeable, InProgress, nothing_saved
from services.gateway.operations.commands.outcomes import Outcomes
from services.gateway.operations.commands.reporting import report_other_amount
from services.gateway.operations.commands.restoring import Restoring
from services.gateway.operations.domain.attempts import Attempt, AttemptStatus, attempt_id, check_amount, check_number
from services.gateway.operations.domain.changes import check_repeated, release
from services.gateway.operations.domain.patience import Patience
from services.gateway.operations.sql.attempts import AttemptStore
from services.gateway.operations.sql.recording import Opened
from services.gateway.processors.port import (
    Applied,
    GuardedProcessor,
    Notice,
    NotTaken,
    NotTakenReason,
    Operation,
    Processors,
)
from services.gateway.resilience import BulkheadFullError

log = get_logger("gateway.commands")


class Commands:
    """The decisions of the gateway about operations, over the processors of this place.

    `processors` call as often as helps within the deadline; `resolvers` are the same ones, and call once, since the schedule
    repeats anyway. `adopt` lets a notice take effect: of what somebody has paid that was declined.
    """

    def __init__(
        self,
        *,
        store: AttemptStore,
        processors: Processors,
        resolvers: Processors,
        patience: Patience,
        deadline_seconds: float,
        parked_after_retries: int,
        chargeable: FindChargeable = nothing_saved,
        adopt: Callable[[Notice], Awaitable[Applied]],
        restoring: Restoring,
        clock: Clock,
    ) -> None:
        self._store = store
        self._restoring = restoring
        self._processors = processors
        self._resolvers = resolvers
        self._patience = patience
        self._deadline_seconds = deadline_seconds
        self._parked_after_retries = parked_after_retries
        self._clock = clock
        self._chargeable = chargeable
        self._in_progress = InProgress()
        self._outcomes = Outcomes(store=store, patience=patience, adopt=adopt, clock=clock)

    async def authorize(self, received: Received[AuthorizePayment]) -> None:
        """Hold the funds of a payment, once.

        Raises:
            ProcessorUnavailable: when the circuit is open; the command waits and comes again.
            AttemptConflict: when the same payment was to be authorized before with other money.
            Invalid: when the command is not one that anybody could carry out.
        """
        body = received.body
        proposed = msgspec.structs.replace(
            self._propose(received, Operation.AUTHORIZE),
            customer_ref=body.customer_ref,
            payment_method=body.payment_method,
            capture_method=body.capture_method,
            return_url=body.return_url,
            payment_method_type=body.payment_method_type.value,
            billing_details=encode_billing_details(body.billing_details),
            customer_id=body.customer_id,
            saved_method_id=body.saved_method_id,
            off_session=body.off_session,
        )
        await self._carry_out(received, msgspec.structs.replace(proposed, **await self._saved(received)))

    async def _saved(self, received: Received[AuthorizePayment]) -> dict[str, str]:
        """Find what is charged of a saved payment method: at which account, under which references; nothing where it is gone."""
        body = received.body
        if body.saved_method_id is None or body.customer_id is None:
            return {}
        found = await self._chargeable(received.tenant_id, body.customer_id, body.saved_method_id)
        if found is None:
            return {}
        return {
            "processor": found.processor,
            "payment_method": found.method_ref,
            "processor_customer": found.customer_ref,
        }

    async def capture(self, received: Received[CapturePayment]) -> None:
        """Take the held funds of a payment, all or a part, once.

        Raises:
            ProcessorUnavailable: when the circuit is open; the command waits and comes again.
            AttemptConflict: when the same payment was to be captured before with other money.
            Invalid: when the command is not one that anybody could carry out.
        """
        proposed = self._propose(received, Operation.CAPTURE)
        await self._carry_out(received, msgspec.structs.replace(proposed, gateway_ref=received.body.gateway_ref))

    async def void(self, received: Received[VoidPayment]) -> None:
        """Release the held funds of a payment, once.

        Raises:
            ProcessorUnavailable: when the circuit is open; the command waits and comes again.
            Invalid: when the command is not one that anybody could carry out.
        """
        # A refused void may be requested again, so each is an attempt of its own; to cancel twice is to cancel once.
        proposed = self._propose(received, Operation.VOID)
        await self._carry_out(
            received,
            msgspec.structs.replace(
                proposed,
                id=attempt_id(tenant_id=received.tenant_id, subject_id=received.id, operation=Operation.VOID),
                gateway_ref=received.body.gateway_ref,
                note=received.body.reason,
            ),
        )

    async def refund(self, received: Received[RefundPayment]) -> None:
        """Give captured funds back, all or a part, once for each refund.

        Raises:
            ProcessorUnavailable: when the circuit is open; the command waits and comes again.
            AttemptConflict: when the same refund was requested before with other money.
            Invalid: when the command is not one that anybody could carry out.
        """
        body = received.body
        proposed = self._propose(received, Operation.REFUND)
        await self._carry_out(
            received,
            msgspec.structs.replace(
                proposed,
                id=attempt_id(tenant_id=received.tenant_id, subject_id=body.refund_id, operation=Operation.REFUND),
                refund_id=body.refund_id,
                gateway_ref=body.gateway_ref,
                note=body.reason,
            ),
        )

    def _propose[M: PaymentCommand](self, received: Received[M], operation: Operation) -> Attempt:
        body = received.body
        check_amount(body.amount_minor, body.currency, operation)
        check_number(body.attempt)
        return Attempt(
            tenant_id=received.tenant_id,
            id=attempt_id(
                tenant_id=received.tenant_id,
                subject_id=body.payment_intent_id,
                operation=operation,
                number=body.attempt if operation is Operation.AUTHORIZE else 0,
            ),
            payment_intent_id=body.payment_intent_id,
            operation=operation,
            number=body.attempt,
            processor="",
            status=AttemptStatus.PENDING,
            amount_minor=body.amount_minor,
            currency=body.currency,
            customer_ref="",
            gateway_ref="",
            asked_at=None,
            next_ask_at=None,
            created_at=self._clock.now(),
            correlation_id=received.correlation.correlation_id,
            traceparent=received.correlation.traceparent,
        )

    async def _carry_out[M: PaymentCommand](self, received: Received[M], requested: Attempt) -> None:
        is_later = requested.operation is Operation.AUTHORIZE and requested.number > 0
        if is_later:
            # Also where it comes again: what is before it may have become known since.
            await self._outcomes.cancel_before(requested)
        if received.body.is_repeated and await self._repeat(received, requested):
            return
        # For what builds on an authorization this is a guess: the store knows which processor has the payment.
        name = requested.processor or await self._processors.choose(
            tenant_id=requested.tenant_id, currency=requested.currency
        )
        proposed = msgspec.structs.replace(requested, processor=name)
        if is_later:
            # The resolver calls, once the authorization before it is cancelled.
            await self._open_for_later(proposed, command_id=received.id, after=timedelta(0))
            return
        if not self._is_available(name, retries=received.attempt):
            await self._open_for_later(proposed, command_id=received.id, after=self._patience.pause)
            return
        try:
            # Nothing is written while a command waits in line: its deadline and its lease begin when its turn has come.
            async with self._processors.place(name):
                await self._open_and_call(received, proposed)
        except BulkheadFullError:
            # The attempts table is the rest of the line: the resolver takes turns with those who wait here.
            metrics.ATTEMPTS_PARKED.labels(proposed.operation).inc()
            await self._open_for_later(proposed, command_id=received.id, after=timedelta(0))

    async def _repeat[M: PaymentCommand](self, received: Received[M], requested: Attempt) -> bool:
        """Publish again what is known about a payment; False where this was never requested, so that it is done now.

        An attempt without an outcome is left to the resolver, which calls with the same key at the ages of its schedule.
        """
        attempts = await self._store.of_intent(
            tenant_id=requested.tenant_id, payment_intent_id=requested.payment_intent_id
        )
        relevant = [attempt for attempt in attempts if not attempt.is_refusal_before(requested)]
        known = [
            message for attempt in relevant if (message := schemas.again(attempt, cause_id=received.id)) is not None
        ]
        if known:
            await self._store.publish(known)
        metrics.OUTCOMES_REPEATED.labels(requested.operation).inc(len(known))
        return any(attempt.answers(requested) for attempt in relevant)

    async def _open_and_call[M: PaymentCommand](self, received: Received[M], requested: Attempt) -> None:
        now = self._clock.now()
        if not self._is_available(requested.processor, retries=received.attempt):
            await self._open_for_later(requested, command_id=received.id, after=self._patience.pause)
            return
        opened = await self._open(
            msgspec.structs.replace(
                requested, asked_at=now, in_doubt=1, next_ask_at=now + self._patience.lease, created_at=now
            ),
            command_id=received.id,
        )
        if opened is None or opened.attempt.asked_at is None:
            # Decided, or in the table and never called: the resolver's claim commits that the call is made, before it is.
            return
        attempt = opened.attempt
        if not opened.is_new:
            counted = await self._store.count_call(attempt, now=now)
            if counted is None:
                return
            attempt = await self._as_it_stands(counted)
        await self._find_out(attempt, self._processors)

    async def _open_for_later(self, requested: Attempt, *, command_id: UUID, after: timedelta) -> None:
        """Write an attempt down whose processor is not called yet; the resolver calls."""
        await self._open(
            msgspec.structs.replace(requested, next_ask_at=self._clock.now() + after), command_id=command_id
        )

    async def _open(self, proposed: Attempt, *, command_id: UUID) -> Opened | None:
        """Write an attempt down, or find it as it stands; None when it is decided. Other money than before is a conflict.

        A processor's no to a capture is published again: a client may request another after it, under the same attempt, and
        waits for the outcome. (Each void and each refund is an attempt of its own, and a declined payment is over.)
        """
        opened = await self._store.open(proposed)
        attempt, operation = opened.attempt, opened.attempt.operation
        check_repeated(attempt, proposed)
        if operation is Operation.CAPTURE and attempt.amount_minor != proposed.amount_minor:
            report_other_amount(attempt, proposed)
        if attempt.status is AttemptStatus.DECLINED and operation is Operation.CAPTURE:
            known = schemas.again(attempt, cause_id=command_id)
            await self._store.publish([] if known is None else [known])
            metrics.ATTEMPTS_REPEATED.labels(operation).inc()
            return None
        if attempt.is_decided:
            # Its outcome was published in the commit that recorded it; there is nothing to add.
            metrics.ATTEMPTS_REPEATED.labels(operation).inc()
            return None
        return opened

    def _is_available(self, name: str, *, retries: int) -> bool:
        """Whether to call now; if not, the command waits in redelivery, and after so many times in the attempts table."""
        try:
            self._processors.named(name).ensure_available()
        except ProcessorUnavailable:
            if retries < self._parked_after_retries:
                raise
            return False
        return True

    async def resolve_due(self, *, limit: int) -> int:
        """Call again about attempts that are due; returns how many there were.

        Attempts without an answer, those that a dead process left behind, those that waited for their processor, and what
        the processor has taken on.
        """
        await self._outcomes.decline_after_open_ones(limit=limit)
        available = self._resolvers.available()
        if not available:
            return 0
        # Those of a processor that takes no calls are left alone: a claim commits that the key may have been received.
        due = await self._store.claim(
            now=self._clock.now(), lease=self._patience.lease, processors=available, limit=limit
        )
        # Not a task group: one attempt that trips over a bug must not cancel the questions about its neighbours.
        results = await asyncio.gather(*(self._resolve(attempt) for attempt in due), return_exceptions=True)
        for result in results:
            if result is not None:
                raise result
        return len(due)

    async def hold_leases(self) -> None:
        """Renew the leases of the attempts about which this process calls; those of one that has died end soon."""
        if keys := self._in_progress.keys:
            await self._store.hold(keys, until=self._clock.now() + self._patience.lease)

    async def release_expired(self, *, limit: int) -> int:
        """Write down a release for each hold whose time is over and that nobody has looked after; returns how many were due.

        The resolver then calls the processor, which alone knows whether the hold had ended.
        """
        now = self._clock.now()
        looked_at, _ = await self._store.let_go_of_expired(
            now=now, limit=limit, releasing=lambda held: release(held, now=now)
        )
        return looked_at

    async def forget(self, *, older_than: timedelta, limit: int) -> int:
        """Forget payments whose attempts were all decided so long ago; returns how many attempts that were."""
        return await self._store.forget(before=self._clock.now() - older_than, limit=limit)

    async def _resolve(self, attempt: Attempt) -> None:
        with correlated(
            Correlation(
                correlation_id=attempt.correlation_id, tenant_id=attempt.tenant_id, traceparent=attempt.traceparent
            )
        ):
            try:
                # Its lease is renewed while it waits for its place, too.
                with self._in_progress.holding(attempt):
                    async with self._resolvers.place(attempt.processor):
                        await self._find_out(await self._as_it_stands(attempt), self._resolvers)
            except BulkheadFullError:
                await self._outcomes.learn(attempt, NotTaken(reason=NotTakenReason.TOO_MANY_CALLS, calls=0))

    async def _as_it_stands(self, attempt: Attempt) -> Attempt:
        """Return an attempt whose call has been counted, without its saved payment method where that was detached meanwhile.

        Where another call may have been carried out, it stays as it is: what became of that one is found out.
        """
        method, customer = attempt.saved_method_id, attempt.customer_id
        is_first = attempt.status is AttemptStatus.PENDING and attempt.in_doubt <= 1
        if attempt.operation is not Operation.AUTHORIZE or not is_first or method is None or customer is None:
            return attempt
        if await self._chargeable(attempt.tenant_id, customer, method) is not None:
            return attempt
        return msgspec.structs.replace(attempt, processor_customer="")

    async def _find_out(self, attempt: Attempt, processors: Processors) -> None:
        """Call the processor about an attempt, or read its records once another call could do it twice, and record the answer."""
        if attempt.next_ask_at is None:
            # Left to a person, who is looking at it.
            return
        processor = self._find(attempt.processor, processors)
        if processor is None:
            await self._outcomes.learn(attempt, NotTaken(reason=NotTakenReason.CIRCUIT_OPEN, calls=0))
            return
        with self._in_progress.holding(attempt):
            answer = await self._restoring.find_out(processor, attempt, timeout_seconds=self._deadline_seconds)
        await self._outcomes.learn(attempt, answer)

    def _find(self, name: str, processors: Processors) -> GuardedProcessor | None:
        try:
            processor = processors.named(name)
            processor.ensure_available()
        except ProcessorUnavailable:
            return None
        return processor
