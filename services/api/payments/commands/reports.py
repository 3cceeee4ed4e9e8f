"""What each event of another service makes of a payment: one function per event, for `Outcomes.record`."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from libs.common.contracts import gateway, ledger
from libs.common.contracts.gateway_actions import encode_next_action
from libs.common.contracts.gateway_base import AttemptMessage, PaymentMessage
from libs.common.contracts.gateway_movements import DisputeAmountChanged
from libs.common.messaging import Received
from libs.common.observability.correlation import Correlation
from services.api.errors import ContradictoryOutcome
from services.api.payments import domain
from services.api.payments.domain import Decision, Dispute, DisputeStatus, PaymentIntent, Refund, RefundStatus


class Known(msgspec.Struct, frozen=True):
    """What is known of a payment when a report of it is handled."""

    intent: PaymentIntent
    refund: Refund | None = None
    """The refund that the report names."""
    dispute: Dispute | None = None
    """The dispute that the report names; None while it is unknown."""
    is_answer: bool = False
    """Whether the report answers a command that the api has published about this payment."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What another service reports about one payment."""

    tenant_id: str
    """Whose intent."""
    payment_intent_id: UUID
    """Which intent."""
    refund_id: UUID | None = None
    """Which of its refunds, where it is about one."""
    dispute_id: UUID | None = None
    """Which of its disputes, where it is about one."""
    command_id: UUID | None = None
    """The command of the api that it answers, where it names one."""
    correlation: Correlation
    """The cause that it belongs to."""
    actor: str
    """The service that reports it."""
    message_id: UUID
    """The message that reports it."""
    is_new: bool = False
    """Whether the refund that it is about becomes known by it."""
    decide: Callable[[Known], Decision]
    """What it makes of the payment."""


def action_required(event: Received[gateway.PaymentActionRequired], at: datetime) -> Report:
    """The customer must act first: REQUIRES_ACTION."""
    body = event.body

    def decide(intent: PaymentIntent) -> Decision:
        return domain.require_action(
            intent,
            gateway_ref=body.gateway_ref,
            action_url=body.action_url,
            next_action=encode_next_action(body.next_action),
            at=at,
        )

    return _of_payment(event, decide)


def authorized(event: Received[gateway.PaymentAuthorized], at: datetime) -> Report:
    """The issuer promised the funds: AUTHORIZED, and the capture is requested unless the merchant captures."""
    body = event.body

    def decide(intent: PaymentIntent) -> Decision:
        return domain.authorize(intent, gateway_ref=body.gateway_ref, expires_at=body.expires_at, at=at)

    return _of_payment(event, decide)


def declined(event: Received[gateway.AuthorizationDeclined], at: datetime) -> Report:
    """The issuer declined: FAILED."""
    body = event.body
    return _of_payment(
        event, lambda intent: domain.decline(intent, code=body.reason, message=body.detail, codes=body.codes, at=at)
    )


def captured(event: Received[gateway.PaymentCaptured], at: datetime) -> Report:
    """The processor took the funds, all or a part; the books follow."""
    amount_minor = event.body.amount_minor
    return _of_capture(event, lambda intent: domain.capture(intent, amount_minor=amount_minor, at=at))


def capture_failed(event: Received[gateway.CaptureFailed], at: datetime) -> Report:
    """The processor refused to take the held funds: FAILED."""
    body = event.body
    return _of_capture(
        event,
        lambda intent: domain.fail_capture(intent, code=body.reason, message=body.detail, codes=body.codes, at=at),
    )


def capture_confirmed(event: Received[gateway.CaptureReported], at: datetime) -> Report:
    """The records of the gateway have a capture that the api did not request: it moves the payment all the same."""
    body = event.body

    def decide(known: Known) -> Decision:
        if not known.is_answer:
            raise ContradictoryOutcome(f"no report on the capture of {body.payment_intent_id} was requested")
        domain.require_captured_money(known.intent, amount_minor=body.amount_minor, currency=body.currency)
        return domain.confirm_capture(known.intent, amount_minor=body.amount_minor, at=at, gateway_ref=body.gateway_ref)

    return _report(event, decide, intent_id=body.payment_intent_id, command_id=body.command_id)


def voided(event: Received[gateway.PaymentVoided], at: datetime) -> Report:
    """The processor released the funds: VOIDED."""
    return _of_payment(event, lambda intent: domain.void(intent, at=at))


def void_failed(event: Received[gateway.VoidFailed], at: datetime) -> Report:
    """The processor refused to release the funds: they are held as before."""
    return _of_payment(event, lambda intent: domain.fail_void(intent, at=at))


def expired(event: Received[gateway.AuthorizationExpired], at: datetime) -> Report:
    """The authorization ended by itself, or was never paid for: EXPIRED."""
    end = domain.expire if event.body.was_held else domain.lapse
    return _of_payment(event, lambda intent: end(intent, at=at))


def posted(event: Received[ledger.JournalEntryPosted], at: datetime) -> Report:
    """The books have the capture: SETTLED."""
    body = event.body
    assert body.payment_intent_id is not None, "entries of no payment are left out before"
    return _of_capture(
        event,
        lambda intent: domain.settle(intent, amount_minor=body.amount_minor, at=at),
        intent_id=body.payment_intent_id,
    )


def refund_succeeded(event: Received[gateway.RefundSucceeded], at: datetime) -> Report:
    """The processor gave the money back: the refund is COMPLETED; one that was made there becomes one of ours."""
    body = event.body
    if body.is_adopted:
        return _refund_adopted(event, at)

    def decide(intent: PaymentIntent, refund: Refund) -> Decision:
        return domain.complete_refund(intent, refund, gateway_ref=body.gateway_ref, at=at)

    return _of_refund(event, decide)


def _refund_adopted(event: Received[gateway.RefundSucceeded], at: datetime) -> Report:
    body = event.body
    made = Refund(
        tenant_id=event.tenant_id,
        id=body.refund_id,
        payment_intent_id=body.payment_intent_id,
        amount_minor=body.amount_minor,
        currency=body.currency,
        status=RefundStatus.COMPLETED,
        gateway_ref=body.gateway_ref,
        created_at=body.refunded_at,
        updated_at=at,
    )
    return _report(
        event,
        lambda known: domain.adopt_refund(known.intent, known.refund, made, at=at),
        intent_id=body.payment_intent_id,
        refund_id=body.refund_id,
        is_new=True,
    )


def refund_failed(event: Received[gateway.RefundFailed], at: datetime) -> Report:
    """The money did not reach the customer: the refund is FAILED, and counts for nothing."""
    body = event.body

    def decide(intent: PaymentIntent, refund: Refund) -> Decision:
        return domain.fail_refund(intent, refund, code=body.reason, message=body.detail, at=at)

    return _of_refund(event, decide)


def dispute_opened(event: Received[gateway.DisputeOpened], at: datetime) -> Report:
    """The customer's bank took money back until it is decided."""
    opened = _opened(event, DisputeStatus.OPEN, at=at)
    return _of_dispute(event, lambda known: domain.open_dispute(known.intent, known.dispute, opened, at=at))


def inquiry_opened(event: Received[gateway.InquiryOpened], at: datetime) -> Report:
    """The customer's bank inquires, and takes nothing."""
    opened = _opened(event, DisputeStatus.INQUIRY, at=at)
    return _of_dispute(event, lambda known: domain.open_inquiry(known.intent, known.dispute, opened, at=at))


def inquiry_closed(event: Received[gateway.InquiryClosed], at: datetime) -> Report:
    """The inquiry ended without a dispute."""
    return _of_dispute(event, lambda known: domain.close_inquiry(known.intent, known.dispute, at=at))


def _opened[M: gateway.DisputeOpened | gateway.InquiryOpened](
    event: Received[M], status: DisputeStatus, *, at: datetime
) -> Dispute:
    body = event.body
    return Dispute(
        tenant_id=event.tenant_id,
        id=body.dispute_id,
        payment_intent_id=body.payment_intent_id,
        amount_minor=body.amount_minor,
        currency=body.currency,
        reason=body.reason,
        status=status,
        gateway_ref=body.gateway_ref,
        evidence_due_at=body.evidence_due_at,
        opened_at=body.happened_at,
        updated_at=at,
    )


def dispute_amount_changed(event: Received[DisputeAmountChanged], at: datetime) -> Report:
    """The customer's bank disputes another amount than before."""
    body = event.body
    return _of_dispute(
        event,
        lambda known: domain.change_dispute(
            known.intent, known.dispute, amount_minor=body.amount_minor, was_minor=body.was_minor, at=at
        ),
    )


def dispute_won(event: Received[gateway.DisputeWon], at: datetime) -> Report:
    """The bank gave the money back."""
    return _of_dispute(event, _ended(event, is_won=True, at=at))


def dispute_lost(event: Received[gateway.DisputeLost], at: datetime) -> Report:
    """The money is gone."""
    return _of_dispute(event, _ended(event, is_won=False, at=at))


def _ended[M: gateway.DisputeDecision](
    event: Received[M], *, is_won: bool, at: datetime
) -> Callable[[Known], Decision]:
    reversals = event.body.reversals
    return lambda known: domain.end_dispute(known.intent, known.dispute, is_won=is_won, at=at, reversals=reversals)


def _of_payment[M: AttemptMessage | gateway.AuthorizationDeclined | gateway.VoidFailed](
    event: Received[M], decide: Callable[[PaymentIntent], Decision]
) -> Report:
    """Hold the event to the amount of the intent first; of an authorization before the present one it changes nothing."""
    body = event.body

    def decide_same_money(known: Known) -> Decision:
        domain.require_same_money(known.intent, amount_minor=body.amount_minor, currency=body.currency)
        return Decision(known.intent) if known.intent.is_over(body.attempt) else decide(known.intent)

    return _report(event, decide_same_money, intent_id=body.payment_intent_id)


def _of_capture[M: PaymentMessage | ledger.JournalEntryPosted](
    event: Received[M], decide: Callable[[PaymentIntent], Decision], *, intent_id: UUID | None = None
) -> Report:
    """Hold the event to what can have been captured first."""
    body: Any = event.body

    def decide_same_money(known: Known) -> Decision:
        domain.require_captured_money(known.intent, amount_minor=body.amount_minor, currency=body.currency)
        return decide(known.intent)

    return _report(event, decide_same_money, intent_id=intent_id or body.payment_intent_id)


def _of_refund[M: gateway.RefundSucceeded | gateway.RefundFailed](
    event: Received[M], decide: Callable[[PaymentIntent, Refund], Decision]
) -> Report:
    """Hold the event to the amount of the refund first."""
    body = event.body

    def decide_same_money(known: Known) -> Decision:
        refund = known.refund
        assert refund is not None, "a report of a refund is postponed until the refund is known"
        if (refund.amount_minor, refund.currency) != (body.amount_minor, body.currency):
            raise ContradictoryOutcome(
                f"refund {refund.id} is about {refund.amount_minor} {refund.currency} in minor units, "
                f"not {body.amount_minor} {body.currency}"
            )
        return decide(known.intent, refund)

    return _report(event, decide_same_money, intent_id=body.payment_intent_id, refund_id=body.refund_id)


def _of_dispute[M: gateway.DisputeMessage](event: Received[M], decide: Callable[[Known], Decision]) -> Report:
    return _report(event, decide, intent_id=event.body.payment_intent_id, dispute_id=event.body.dispute_id)


def _report[M: PaymentMessage | gateway.CaptureReported | ledger.JournalEntryPosted](
    event: Received[M],
    decide: Callable[[Known], Decision],
    *,
    intent_id: UUID,
    refund_id: UUID | None = None,
    dispute_id: UUID | None = None,
    command_id: UUID | None = None,
    is_new: bool = False,
) -> Report:
    return Report(
        tenant_id=event.tenant_id,
        payment_intent_id=intent_id,
        refund_id=refund_id,
        dispute_id=dispute_id,
        command_id=command_id,
        correlation=event.correlation,
        actor=type(event.body).contract.owner,
        message_id=event.id,
        is_new=is_new,
        decide=decide,
    )
