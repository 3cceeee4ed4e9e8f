"""What the api publishes about payments: the message for each fact of a payment intent, its refunds and disputes."""

from datetime import datetime
from typing import Any, assert_never

import msgspec

from libs.common.contracts import Message, api, gateway
from libs.common.contracts.gateway_actions import decode_next_action
from libs.common.contracts.gateway_methods import decode_billing_details
from libs.common.ids import new_id
from libs.common.messaging import Publication
from libs.common.money import format_minor
from libs.common.observability.correlation import Correlation
from services.api.payments.domain import Decision, Fact, PaymentIntent, Stage


def publications_of(decision: Decision, *, at: datetime, correlation: Correlation) -> list[Publication]:
    """Put each fact of a decision into its message, in their order."""
    cause = msgspec.structs.replace(correlation, tenant_id=decision.intent.tenant_id)
    return [_publication(decision, fact, at=at, cause=cause) for fact in decision.facts]


def repeated(decision: Decision, *, at: datetime, correlation: Correlation) -> Publication:
    """Publish the command of a decision's only fact once more, under an id of its own, as one whose outcome is missing."""
    [publication] = publications_of(decision, at=at, correlation=correlation)
    return msgspec.structs.replace(publication, message=msgspec.structs.replace(publication.message, is_repeated=True))


def _publication(decision: Decision, fact: Fact, *, at: datetime, cause: Correlation) -> Publication:
    event_id = new_id(at)
    envelope = _envelope(decision.intent, event_id=event_id, at=at, cause=cause)
    return Publication(
        event_id=event_id,
        message=_message(decision, fact, envelope=envelope),
        occurred_at=at,
        correlation=cause,
    )


def _envelope(intent: PaymentIntent, *, event_id: Any, at: datetime, cause: Correlation) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "occurred_at": at,
        "tenant_id": intent.tenant_id,
        "correlation_id": cause.correlation_id,
        "payment_intent_id": intent.id,
        "order_id": intent.order_id or "",
        "amount": format_minor(intent.amount_minor, intent.currency),
        "currency": intent.currency,
        "customer_ref": intent.customer_ref,
        "sequence": intent.version,
    }


def _message(decision: Decision, fact: Fact, *, envelope: dict[str, Any]) -> Message:
    intent = decision.intent
    match fact:
        case Fact.CREATED:
            return api.PaymentIntentCreated(**envelope)
        case Fact.AUTHORIZATION_REQUESTED:
            return gateway.AuthorizePayment(
                payment_intent_id=intent.id,
                amount_minor=intent.amount_minor,
                currency=intent.currency,
                customer_ref=intent.customer_ref,
                payment_method=intent.payment_method,
                capture_method=intent.capture_method.value,
                return_url=intent.return_url,
                payment_method_type=intent.payment_method_type,
                billing_details=decode_billing_details(intent.billing_details),
                customer_id=intent.customer_id,
                saved_method_id=intent.saved_method_id,
                off_session=intent.off_session,
                attempt=intent.attempt,
            )
        case Fact.ACTION_REQUIRED:
            return api.PaymentRequiresAction(
                **envelope, action_url=intent.action_url or "", next_action=decode_next_action(intent.next_action)
            )
        case Fact.AUTHORIZED:
            return api.PaymentAuthorized(**envelope)
        case Fact.CAPTURE_REQUESTED:
            return gateway.CapturePayment(
                payment_intent_id=intent.id,
                amount_minor=intent.requested_minor,
                currency=intent.currency,
                gateway_ref=intent.gateway_ref or "",
                attempt=intent.attempt,
            )
        case Fact.CAPTURE_UNCONFIRMED:
            return gateway.ReportCapture(payment_intent_id=intent.id)
        case Fact.CAPTURED:
            return api.PaymentCaptured(**envelope, captured_amount=_money(intent, intent.captured_minor))
        case Fact.SETTLED:
            return api.PaymentSettled(**envelope, captured_amount=_money(intent, intent.captured_minor))
        case Fact.VOID_REQUESTED:
            return gateway.VoidPayment(
                payment_intent_id=intent.id,
                amount_minor=intent.amount_minor,
                currency=intent.currency,
                gateway_ref=intent.gateway_ref or "",
                attempt=intent.attempt,
                # Nobody has proven anything: whoever cancels it, the customer has left.
                reason="abandoned" if intent.stage is Stage.ABANDONING else "",
            )
        case Fact.VOIDED:
            return api.PaymentVoided(**envelope)
        case Fact.EXPIRED:
            return api.PaymentExpired(**envelope)
        case Fact.FAILED:
            return api.PaymentFailed(
                **envelope,
                failure_code=intent.failure_code or "unknown",
                failure_message=intent.failure_message or "The payment failed.",
                decline_code=intent.decline_code or "",
                advice_code=intent.advice_code or "",
                network_decline_code=intent.network_decline_code or "",
                network_advice_code=intent.network_advice_code or "",
            )
        case Fact.REFUND_REQUESTED | Fact.REFUNDED | Fact.REFUND_FAILED:
            return _refund_message(decision, fact, envelope=envelope)
        case Fact.DISPUTE_OPENED | Fact.DISPUTE_WON | Fact.DISPUTE_LOST | Fact.INQUIRY_OPENED | Fact.INQUIRY_CLOSED:
            return _dispute_message(decision, fact, envelope=envelope)
        case _:
            assert_never(fact)


def _refund_message(decision: Decision, fact: Fact, *, envelope: dict[str, Any]) -> Message:
    intent, refund = decision.intent, decision.refund
    assert refund is not None, "facts of a refund come with it"
    if fact is Fact.REFUND_REQUESTED:
        return gateway.RefundPayment(
            payment_intent_id=intent.id,
            refund_id=refund.id,
            amount_minor=refund.amount_minor,
            currency=refund.currency,
            gateway_ref=intent.gateway_ref or "",
            attempt=intent.attempt,
            reason=refund.reason or "",
        )
    fields = envelope | {
        "amount": _money(intent, refund.amount_minor),
        "refund_id": refund.id,
        "reason": refund.reason or "",
        "payment_status": intent.status.value,
    }
    if fact is Fact.REFUNDED:
        return api.PaymentRefunded(**fields)
    return api.RefundFailed(
        **fields,
        failure_code=refund.failure_code or "unknown",
        failure_message=refund.failure_message or "The refund failed.",
    )


_DISPUTE_MESSAGES: dict[Fact, type[api.DisputeEvent]] = {
    Fact.DISPUTE_WON: api.DisputeWon,
    Fact.DISPUTE_LOST: api.DisputeLost,
    Fact.INQUIRY_CLOSED: api.InquiryClosed,
}


def _dispute_message(decision: Decision, fact: Fact, *, envelope: dict[str, Any]) -> Message:
    intent, dispute = decision.intent, decision.dispute
    assert dispute is not None, "facts of a dispute come with it"
    fields = envelope | {
        "amount": _money(intent, dispute.amount_minor),
        "dispute_id": dispute.id,
        "reason": dispute.reason,
        "payment_status": intent.status.value,
    }
    if fact is Fact.DISPUTE_OPENED:
        return api.DisputeOpened(**fields, evidence_due_at=dispute.evidence_due_at)
    if fact is Fact.INQUIRY_OPENED:
        return api.InquiryOpened(**fields, evidence_due_at=dispute.evidence_due_at)
    return _DISPUTE_MESSAGES[fact](**fields)


def _money(intent: PaymentIntent, amount_minor: int) -> str:
    return format_minor(amount_minor, intent.currency)
