"""The messages that report what became of attempts. The id of each event is derived: published again, it is the same event."""

from datetime import datetime
from typing import TypedDict, assert_never
from uuid import UUID

import msgspec

from libs.common.contracts.gateway import (
    AuthorizationDeclined,
    AuthorizationExpired,
    CaptureFailed,
    CaptureReported,
    PaymentActionRequired,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentVoided,
    RefundFailed,
    RefundSucceeded,
    ReportCapture,
    VoidFailed,
)
from libs.common.contracts.gateway_actions import decode_next_action
from libs.common.contracts.gateway_base import PaymentMessage
from libs.common.ids import derived_id
from libs.common.messaging import Publication, Received
from libs.common.observability.correlation import Correlation
from services.gateway.operations.domain.attempts import Attempt, AttemptStatus
from services.gateway.processors.port import DeclineReason, Operation
from services.gateway.processors.port.reading import has_statement


def outcome(attempt: Attempt, *, decided_at: datetime) -> Publication | None:
    """Make the message of a decided attempt; None where nobody needs it."""
    message = _outcome(attempt, decided_at=decided_at)
    return None if message is None else _publication(attempt, message, at=decided_at)


def again(attempt: Attempt, *, cause_id: UUID) -> Publication | None:
    """Publish once more what is known of an attempt, since it is missing according to the command `cause_id`.

    An event of its own: who has handled the first one and lost what came of it handles it once more. None where nothing is
    known.
    """
    first = None
    if attempt.status is AttemptStatus.ACTION_REQUIRED:
        first = action_required(attempt, at=attempt.asked_at or attempt.created_at)
    elif attempt.is_decided:
        first = outcome(attempt, decided_at=attempt.decided_at or attempt.created_at)
    return None if first is None else msgspec.structs.replace(first, event_id=derived_id(first.event_id, str(cause_id)))


def action_required(attempt: Attempt, *, at: datetime) -> Publication:
    """Report that the customer must prove something before the funds are held."""
    message = PaymentActionRequired(
        **_payment(attempt),
        attempt=attempt.number,
        gateway_ref=attempt.result_ref,
        action_url=attempt.action_url,
        next_action=decode_next_action(attempt.next_action),
    )
    return _publication(attempt, message, at=at)


def hold_watched(attempt: Attempt, *, at: datetime) -> Publication:
    """Report until when funds are held that were reported to be held before: an event of its own."""
    message = PaymentAuthorized(
        **_payment(attempt), attempt=attempt.number, gateway_ref=attempt.gateway_ref, expires_at=attempt.expires_at
    )
    first = _publication(attempt, message, at=at)
    return msgspec.structs.replace(first, event_id=derived_id(first.event_id, "expires_at"))


def capture_reported(
    received: Received[ReportCapture], *, amount_minor: int, currency: str, gateway_ref: str, at: datetime
) -> Publication:
    """Report what our records have of a capture; 0: they have none."""
    return Publication(
        event_id=derived_id(received.id, f"{CaptureReported.contract.name}:{received.tenant_id}"),
        message=CaptureReported(
            payment_intent_id=received.body.payment_intent_id,
            command_id=received.id,
            amount_minor=amount_minor,
            currency=currency,
            gateway_ref=gateway_ref,
        ),
        occurred_at=at,
        correlation=received.correlation,
    )


def _publication(attempt: Attempt, message: PaymentMessage, *, at: datetime) -> Publication:
    # The end of a refund that failed after it had succeeded is another event than a failure at once.
    ending = ":after_success" if attempt.status is AttemptStatus.REVERSED else ""
    return Publication(
        event_id=derived_id(attempt.id, message.contract.name + ending),
        message=message,
        occurred_at=at,
        correlation=Correlation(
            correlation_id=attempt.correlation_id, tenant_id=attempt.tenant_id, traceparent=attempt.traceparent
        ),
    )


class _Payment(TypedDict):
    payment_intent_id: UUID
    amount_minor: int
    currency: str


class _Numbered(_Payment):
    attempt: int


class _Refused(TypedDict):
    reason: str
    detail: str


def _payment(attempt: Attempt) -> _Payment:
    return {
        "payment_intent_id": attempt.payment_intent_id,
        "amount_minor": attempt.amount_minor,
        "currency": attempt.currency,
    }


def _outcome(attempt: Attempt, *, decided_at: datetime) -> PaymentMessage | None:
    common = _payment(attempt)
    numbered: _Numbered = {**common, "attempt": attempt.number}
    approved = attempt.status is AttemptStatus.APPROVED
    refused: _Refused = {"reason": attempt.reason, "detail": attempt.detail}
    match attempt.operation:
        case Operation.AUTHORIZE:
            if approved:
                return PaymentAuthorized(**numbered, gateway_ref=attempt.gateway_ref, expires_at=attempt.expires_at)
            if attempt.reason == DeclineReason.PAYMENT_EXPIRED:
                return AuthorizationExpired(
                    **numbered, gateway_ref=attempt.result_ref, expired_at=decided_at, was_held=False
                )
            return AuthorizationDeclined(**numbered, **refused, codes=attempt.codes)
        case Operation.CAPTURE:
            if approved:
                return PaymentCaptured(**common, gateway_ref=attempt.gateway_ref, captured_at=decided_at)
            return CaptureFailed(**common, **refused, codes=attempt.codes)
        case Operation.VOID:
            if approved:
                return PaymentVoided(**numbered, gateway_ref=attempt.gateway_ref, voided_at=decided_at)
            return VoidFailed(**numbered, **refused)
        case Operation.EXPIRE:
            # A hold that could not be released has been captured meanwhile, which is published as that.
            if approved:
                return AuthorizationExpired(**numbered, gateway_ref=attempt.gateway_ref, expired_at=decided_at)
            return None
        case Operation.CLOSE:
            # Its decline was published, and nothing becomes of that.
            return None
        case Operation.REFUND:
            return _refund(attempt, common, refused, decided_at=decided_at)
        case _:
            assert_never(attempt.operation)


def _refund(
    attempt: Attempt, common: _Payment, refused: _Refused, *, decided_at: datetime
) -> RefundSucceeded | RefundFailed:
    assert attempt.refund_id is not None, "a refund's attempt names the refund; the table's check requires it too"
    if attempt.status is AttemptStatus.APPROVED:
        return RefundSucceeded(
            **common,
            refund_id=attempt.refund_id,
            gateway_ref=attempt.result_ref,
            refunded_at=decided_at,
            by_statement=has_statement(attempt.processor),
        )
    return RefundFailed(
        **common,
        **refused,
        refund_id=attempt.refund_id,
        after_success=attempt.status is AttemptStatus.REVERSED,
        failed_at=decided_at,
        by_statement=has_statement(attempt.processor),
    )
