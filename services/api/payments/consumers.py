"""What the api hears: the gateway's word about payments, refunds and disputes, and the ledger's about its books."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from libs.common.clock import Clock
from libs.common.contracts import gateway, ledger, ledger_books
from libs.common.contracts.ledger import EntryKind
from libs.common.db import Connection
from libs.common.messaging import Bus, Received
from libs.common.observability.logging import get_logger
from services.api import metrics
from services.api.audit import AuditRecord, write_lines
from services.api.errors import ContradictoryOutcome
from services.api.payments import domain
from services.api.payments.commands import Outcomes
from services.api.payments.commands.outcomes import Known, News
from services.api.payments.domain import Decision, Dispute, DisputeStatus, PaymentIntent

log = get_logger("api.consumers")

type Afterwards = Callable[[], None]
"""What is done after the commit."""


class Consumers:
    """One method per message; each hears the same message any number of times and acts on it once."""

    def __init__(self, outcomes: Outcomes, *, clock: Clock) -> None:
        self._outcomes = outcomes
        self._clock = clock

    async def on_payment_action_required(
        self, transaction: Connection, received: Sequence[Received[gateway.PaymentActionRequired]]
    ) -> Afterwards:
        """The customer must act first: REQUIRES_ACTION."""
        return await self._outcomes.record(
            transaction,
            [
                _news(
                    h,
                    partial(
                        domain.require_action,
                        gateway_ref=h.body.gateway_ref,
                        action_url=h.body.action_url,
                        at=self._clock.now(),
                    ),
                )
                for h in received
            ],
        )

    async def on_payment_authorized(
        self, transaction: Connection, received: Sequence[Received[gateway.PaymentAuthorized]]
    ) -> Afterwards:
        """The issuer promised the funds: AUTHORIZED, and the capture is asked for unless the merchant wants to."""
        return await self._outcomes.record(
            transaction,
            [
                _news(
                    h,
                    partial(
                        domain.authorize,
                        gateway_ref=h.body.gateway_ref,
                        expires_at=h.body.expires_at,
                        at=self._clock.now(),
                    ),
                )
                for h in received
            ],
        )

    async def on_authorization_declined(
        self, transaction: Connection, received: Sequence[Received[gateway.AuthorizationDeclined]]
    ) -> Afterwards:
        """The issuer said no: FAILED."""
        return await self._outcomes.record(
            transaction,
            [
                _news(h, partial(domain.decline, code=h.body.reason, message=h.body.detail, at=self._clock.now()))
                for h in received
            ],
        )

    async def on_payment_captured(
        self, transaction: Connection, received: Sequence[Received[gateway.PaymentCaptured]]
    ) -> Afterwards:
        """The processor took the funds, all or a part; the books follow."""
        return await self._outcomes.record(
            transaction,
            [
                _news(
                    h,
                    partial(domain.capture, amount_minor=h.body.amount_minor, at=self._clock.now()),
                    same_money=domain.require_captured_money,
                )
                for h in received
            ],
        )

    async def on_capture_reported(
        self, transaction: Connection, received: Sequence[Received[gateway.CaptureReported]]
    ) -> Afterwards:
        """The gateway has looked up a capture that we did not ask for: it moves the payment, or an operator is alerted."""
        unknown = [h for h in received if h.body.amount_minor == 0]
        recorded = await self._outcomes.record(
            transaction, [self._reported(h) for h in received if h.body.amount_minor > 0]
        )
        await write_lines(transaction, [_capture_unknown(h, at=self._clock.now()) for h in unknown])

        def afterwards() -> None:
            recorded()
            metrics.CAPTURES_UNASKED.labels("confirmed").inc(len(received) - len(unknown))
            for h in unknown:
                metrics.CAPTURES_UNASKED.labels("unknown").inc()
                log.error("payment.capture_unknown", payment_intent_id=h.body.payment_intent_id, tenant_id=h.tenant_id)

        return afterwards

    async def on_capture_failed(
        self, transaction: Connection, received: Sequence[Received[gateway.CaptureFailed]]
    ) -> Afterwards:
        """The processor refused to take the held funds: FAILED."""
        return await self._outcomes.record(
            transaction,
            [
                _news(
                    h,
                    partial(domain.fail_capture, code=h.body.reason, message=h.body.detail, at=self._clock.now()),
                    same_money=domain.require_captured_money,
                )
                for h in received
            ],
        )

    async def on_payment_voided(
        self, transaction: Connection, received: Sequence[Received[gateway.PaymentVoided]]
    ) -> Afterwards:
        """The processor released the funds: VOIDED."""
        return await self._outcomes.record(
            transaction, [_news(h, partial(domain.void, at=self._clock.now())) for h in received]
        )

    async def on_void_failed(
        self, transaction: Connection, received: Sequence[Received[gateway.VoidFailed]]
    ) -> Afterwards:
        """The processor refused to release the funds: they are held as before."""
        return await self._outcomes.record(
            transaction, [_news(h, partial(domain.fail_void, at=self._clock.now())) for h in received]
        )

    async def on_authorization_expired(
        self, transaction: Connection, received: Sequence[Received[gateway.AuthorizationExpired]]
    ) -> Afterwards:
        """The hold ended by itself: EXPIRED."""
        return await self._outcomes.record(
            transaction, [_news(h, partial(domain.expire, at=self._clock.now())) for h in received]
        )

    async def on_refund_succeeded(
        self, transaction: Connection, received: Sequence[Received[gateway.RefundSucceeded]]
    ) -> Afterwards:
        """The processor gave the money back: the refund is COMPLETED."""
        return await self._outcomes.record(
            transaction, [self._refund_news(h, self._completed(h.body)) for h in received]
        )

    async def on_refund_failed(
        self, transaction: Connection, received: Sequence[Received[gateway.RefundFailed]]
    ) -> Afterwards:
        """The money did not reach the customer: the refund is FAILED, and counts for nothing."""
        return await self._outcomes.record(transaction, [self._refund_news(h, self._failed(h.body)) for h in received])

    async def on_dispute_opened(
        self, transaction: Connection, received: Sequence[Received[gateway.DisputeOpened]]
    ) -> Afterwards:
        """The customer's bank took money back until it is decided."""
        return await self._outcomes.record(transaction, [_dispute_news(h, self._opened(h)) for h in received])

    async def on_dispute_won(
        self, transaction: Connection, received: Sequence[Received[gateway.DisputeWon]]
    ) -> Afterwards:
        """The bank gave it back."""
        return await self._outcomes.record(
            transaction, [_dispute_news(h, self._ended(h, is_won=True)) for h in received]
        )

    async def on_dispute_lost(
        self, transaction: Connection, received: Sequence[Received[gateway.DisputeLost]]
    ) -> Afterwards:
        """It is gone."""
        return await self._outcomes.record(
            transaction, [_dispute_news(h, self._ended(h, is_won=False)) for h in received]
        )

    async def on_journal_entry_posted(
        self, transaction: Connection, received: Sequence[Received[ledger.JournalEntryPosted]]
    ) -> Afterwards:
        """The capture stands in the books: SETTLED. What else stands there changes nothing here."""
        return await self._outcomes.record(
            transaction,
            [
                _news(
                    h,
                    partial(domain.settle, amount_minor=h.body.amount_minor, at=self._clock.now()),
                    same_money=domain.require_captured_money,
                    intent_id=h.body.payment_intent_id,
                )
                for h in received
                if h.body.kind is EntryKind.CAPTURE and h.body.payment_intent_id is not None
            ],
        )

    async def on_invariant_broken(
        self, transaction: Connection, received: Sequence[Received[ledger_books.InvariantBroken]]
    ) -> None:
        """The ledger found something in its books that cannot be: it stands in the audit log of whom it concerns."""
        await write_lines(
            transaction,
            [
                AuditRecord(
                    tenant_id=h.tenant_id,
                    id=h.id,
                    actor="ledger",
                    action="ledger.invariant_broken",
                    target=h.body.subject,
                    outcome="failed",
                    detail={"invariant": h.body.invariant, "detail": h.body.detail},
                    correlation_id=h.correlation.correlation_id,
                    at=h.body.found_at,
                )
                for h in received
            ],
        )

    def _refund_news[M: gateway.RefundSucceeded | gateway.RefundFailed](
        self, received: Received[M], decide: Callable[[Known], Decision]
    ) -> News:
        body = received.body

        def decide_same_money(known: Known) -> Decision:
            refund = known.refund
            assert refund is not None, "news of a refund is put off until the refund is known"
            if (refund.amount_minor, refund.currency) != (body.amount_minor, body.currency):
                raise ContradictoryOutcome(
                    f"refund {refund.id} is about {refund.amount_minor} {refund.currency} in minor units, "
                    f"not {body.amount_minor} {body.currency}"
                )
            return decide(known)

        return _told(received, decide_same_money, intent_id=body.payment_intent_id, refund_id=body.refund_id)

    def _completed(self, body: gateway.RefundSucceeded) -> Callable[[Known], Decision]:
        def decide(known: Known) -> Decision:
            assert known.refund is not None, "news of a refund is put off until the refund is known"
            return domain.complete_refund(
                known.intent, known.refund, gateway_ref=body.gateway_ref, at=self._clock.now()
            )

        return decide

    def _failed(self, body: gateway.RefundFailed) -> Callable[[Known], Decision]:
        def decide(known: Known) -> Decision:
            assert known.refund is not None, "news of a refund is put off until the refund is known"
            return domain.fail_refund(
                known.intent, known.refund, code=body.reason, message=body.detail, at=self._clock.now()
            )

        return decide

    def _reported(self, received: Received[gateway.CaptureReported]) -> News:
        body, now = received.body, self._clock.now()

        def decide(known: Known) -> Decision:
            if not known.is_answer:
                raise ContradictoryOutcome(f"nobody asked for a report on the capture of {body.payment_intent_id}")
            domain.require_captured_money(known.intent, amount_minor=body.amount_minor, currency=body.currency)
            return domain.confirm_capture(known.intent, amount_minor=body.amount_minor, at=now)

        return _told(received, decide, intent_id=body.payment_intent_id, command_id=body.command_id)

    def _opened(self, received: Received[gateway.DisputeOpened]) -> Callable[[Known], Decision]:
        body, now = received.body, self._clock.now()
        opened = Dispute(
            tenant_id=received.tenant_id,
            id=body.dispute_id,
            payment_intent_id=body.payment_intent_id,
            amount_minor=body.amount_minor,
            currency=body.currency,
            reason=body.reason,
            status=DisputeStatus.OPEN,
            gateway_ref=body.gateway_ref,
            evidence_due_at=body.evidence_due_at,
            opened_at=body.happened_at,
            updated_at=now,
        )
        return lambda known: domain.open_dispute(known.intent, known.dispute, opened, at=now)

    def _ended[M: gateway.DisputeDecision](self, received: Received[M], *, is_won: bool) -> Callable[[Known], Decision]:
        now, reversals = self._clock.now(), received.body.reversals
        return lambda known: domain.end_dispute(known.intent, known.dispute, is_won=is_won, at=now, reversals=reversals)


def _news[M: gateway.PaymentMessage | ledger.JournalEntryPosted](
    received: Received[M],
    decide: Callable[[PaymentIntent], Decision],
    *,
    same_money: Callable[..., None] = domain.require_same_money,
    intent_id: UUID | None = None,
) -> News:
    body: Any = received.body

    def decide_same_money(known: Known) -> Decision:
        same_money(known.intent, amount_minor=body.amount_minor, currency=body.currency)
        return decide(known.intent)

    return _told(received, decide_same_money, intent_id=intent_id or body.payment_intent_id)


def _dispute_news[M: gateway.DisputeMessage](received: Received[M], decide: Callable[[Known], Decision]) -> News:
    return _told(received, decide, intent_id=received.body.payment_intent_id, dispute_id=received.body.dispute_id)


def _told[M: gateway.PaymentMessage | gateway.CaptureReported | ledger.JournalEntryPosted](
    received: Received[M],
    decide: Callable[[Known], Decision],
    *,
    intent_id: UUID,
    refund_id: UUID | None = None,
    dispute_id: UUID | None = None,
    command_id: UUID | None = None,
) -> News:
    return News(
        tenant_id=received.tenant_id,
        payment_intent_id=intent_id,
        refund_id=refund_id,
        dispute_id=dispute_id,
        command_id=command_id,
        correlation=received.correlation,
        actor=type(received.body).contract.owner,
        message_id=received.id,
        decide=decide,
    )


def _capture_unknown(received: Received[gateway.CaptureReported], *, at: datetime) -> AuditRecord:
    return AuditRecord(
        tenant_id=received.tenant_id,
        id=received.id,
        actor="gateway",
        action="payment.capture_unknown",
        target=str(received.body.payment_intent_id),
        outcome="failed",
        detail={"detail": "a capture was published that neither the api asked for nor the gateway's records have"},
        correlation_id=received.correlation.correlation_id,
        at=at,
    )


def register(bus: Bus, consumers: Consumers) -> None:
    """Tell the bus who hears what."""
    bus.handle(gateway.PaymentActionRequired, consumers.on_payment_action_required)
    bus.handle(gateway.PaymentAuthorized, consumers.on_payment_authorized)
    bus.handle(gateway.AuthorizationDeclined, consumers.on_authorization_declined)
    bus.handle(gateway.PaymentCaptured, consumers.on_payment_captured)
    bus.handle(gateway.CaptureReported, consumers.on_capture_reported)
    bus.handle(gateway.CaptureFailed, consumers.on_capture_failed)
    bus.handle(gateway.PaymentVoided, consumers.on_payment_voided)
    bus.handle(gateway.VoidFailed, consumers.on_void_failed)
    bus.handle(gateway.AuthorizationExpired, consumers.on_authorization_expired)
    bus.handle(gateway.RefundSucceeded, consumers.on_refund_succeeded)
    bus.handle(gateway.RefundFailed, consumers.on_refund_failed)
    bus.handle(gateway.DisputeOpened, consumers.on_dispute_opened)
    bus.handle(gateway.DisputeWon, consumers.on_dispute_won)
    bus.handle(gateway.DisputeLost, consumers.on_dispute_lost)
    bus.handle(ledger.JournalEntryPosted, consumers.on_journal_entry_posted)
    bus.handle(ledger_books.InvariantBroken, consumers.on_invariant_broken)
