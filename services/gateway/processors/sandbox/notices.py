"""What the sandbox reports by itself: a happening in its books, as a notice."""

from datetime import timedelta
from typing import assert_never

import msgspec

from services.gateway.processors.port import (
    AuthorizedNotice,
    CapturedNotice,
    DeclinedNotice,
    DeclineReason,
    DisputeNotice,
    DisputeState,
    Notice,
    RefundFailedNotice,
    RefundSucceededNotice,
)
from services.gateway.processors.sandbox.account import NAME, refuse
from services.gateway.processors.sandbox.cases import Later
from services.gateway.processors.sandbox.nouns import Happening, Hold, SandboxPayment

EVIDENCE_DUE = timedelta(days=7)
"""How long a merchant may answer a dispute; banks usually give 7 to 21 days (Stripe's documentation, "Disputes")."""


def notice_of(payment: SandboxPayment, happening: Happening) -> Notice | None:
    """Put what has happened into a notice; None where it came to nothing."""
    common = {
        "tenant_id": payment.tenant_id,
        "payment_intent_id": payment.payment_intent_id,
        "processor": NAME,
        "gateway_ref": payment.ref,
        "happened_at": happening.at,
    }
    match happening.what:
        case Later.AUTHENTICATED:
            held = payment.hold in (Hold.HELD, Hold.CAPTURED)
            return msgspec.convert({**common, "expires_at": payment.expires_at}, AuthorizedNotice) if held else None
        case Later.NOT_AUTHENTICATED:
            if payment.decline is not DeclineReason.AUTHENTICATION_FAILED:
                return None
            refused = refuse(DeclineReason.AUTHENTICATION_FAILED)
            return msgspec.convert({**common, "reason": refused.reason, "detail": refused.detail}, DeclinedNotice)
        case Later.PAID:
            if payment.hold is not Hold.CAPTURED:
                return None
            return msgspec.convert({**common, "amount_minor": payment.captured_minor}, CapturedNotice)
        case Later.UNPAID:
            if payment.decline is not DeclineReason.PAYMENT_EXPIRED:
                return None
            unpaid = refuse(DeclineReason.PAYMENT_EXPIRED)
            return msgspec.convert({**common, "reason": unpaid.reason, "detail": unpaid.detail}, DeclinedNotice)
        case Later.REFUND_ARRIVED | Later.REFUND_FAILED:
            return _refund_notice(payment, happening, common)
        case Later.DISPUTED | Later.DISPUTE_WON | Later.DISPUTE_LOST:
            return _dispute_notice(payment, happening, common)
        case _:
            assert_never(happening.what)


def _refund_notice(payment: SandboxPayment, happening: Happening, common: dict[str, object]) -> Notice | None:
    refund = next((r for r in payment.refunds if r.id == happening.refund_id), None)
    if refund is None:
        return None
    named = {**common, "refund_id": refund.id, "refund_ref": refund.ref}
    if happening.what is Later.REFUND_ARRIVED:
        return msgspec.convert(named, RefundSucceededNotice)
    failure = {"reason": DeclineReason.PROCESSOR_REFUSED, "detail": "The refund did not reach the customer."}
    return msgspec.convert({**named, **failure}, RefundFailedNotice)


def _dispute_notice(payment: SandboxPayment, happening: Happening, common: dict[str, object]) -> Notice | None:
    if not payment.disputes:
        return None
    dispute = payment.disputes[-1]
    states = {Later.DISPUTE_WON: DisputeState.WON, Later.DISPUTE_LOST: DisputeState.LOST}
    return msgspec.convert(
        {
            **common,
            "dispute_ref": dispute.ref,
            "state": states.get(happening.what, DisputeState.OPEN),
            "amount_minor": dispute.amount_minor,
            "reason": "fraudulent",
            "opened_at": dispute.opened_at,
            "evidence_due_at": dispute.opened_at + EVIDENCE_DUE,
        },
        DisputeNotice,
    )
