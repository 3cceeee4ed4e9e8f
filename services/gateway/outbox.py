"""What we say: the four outcomes of an attempt. The event's id is derived, so saying it again is the same event."""

from datetime import datetime
from typing import assert_never

from libs.common.contracts.gateway import (
    AuthorizationDeclined,
    CaptureFailed,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentMessage,
)
from libs.common.ids import derived_id
from libs.common.messaging import Saying
from libs.common.observability.correlation import Correlation
from services.gateway.domain import Attempt, Operation
from services.gateway.processor import Approved, Declined

SAYS: tuple[type[PaymentMessage], ...] = (PaymentAuthorized, AuthorizationDeclined, PaymentCaptured, CaptureFailed)
"""The closed list of what this service says."""


def outcome(attempt: Attempt, answer: Approved | Declined, *, decided_at: datetime) -> Saying:
    """Put the outcome of an attempt into words."""
    message = _message(attempt, answer)
    return Saying(
        event_id=derived_id(attempt.id, message.contract.name),
        message=message,
        occurred_at=decided_at,
        correlation=Correlation(
            correlation_id=attempt.correlation_id, tenant_id=attempt.tenant_id, traceparent=attempt.traceparent
        ),
    )


def _message(attempt: Attempt, answer: Approved | Declined) -> PaymentMessage:
    match attempt.operation:
        case Operation.AUTHORIZE:
            return _authorization(attempt, answer)
        case Operation.CAPTURE:
            return _capture(attempt, answer)
        case _:
            assert_never(attempt.operation)


def _authorization(attempt: Attempt, answer: Approved | Declined) -> PaymentMessage:
    match answer:
        case Approved():
            return PaymentAuthorized(
                payment_intent_id=attempt.payment_intent_id,
                amount_minor=attempt.amount_minor,
                currency=attempt.currency,
                gateway_ref=answer.gateway_ref,
                expires_at=answer.expires_at,
            )
        case Declined():
            return AuthorizationDeclined(
                payment_intent_id=attempt.payment_intent_id,
                amount_minor=attempt.amount_minor,
                currency=attempt.currency,
                reason=answer.reason,
                detail=answer.detail,
            )
        case _:
            assert_never(answer)


def _capture(attempt: Attempt, answer: Approved | Declined) -> PaymentMessage:
    match answer:
        case Approved():
            return PaymentCaptured(
                payment_intent_id=attempt.payment_intent_id,
                amount_minor=attempt.amount_minor,
                currency=attempt.currency,
                gateway_ref=answer.gateway_ref,
                captured_at=answer.approved_at,
            )
        case Declined():
            return CaptureFailed(
                payment_intent_id=attempt.payment_intent_id,
                amount_minor=attempt.amount_minor,
                currency=attempt.currency,
                reason=answer.reason,
                detail=answer.detail,
            )
        case _:
            assert_never(answer)
