"""What the sandbox's books show of an operation, whoever requested it and however long ago: read only."""

from services.gateway.processors.port import (
    Absent,
    Approved,
    Authorize,
    Capture,
    Declined,
    DeclineReason,
    Finding,
    ProcessorRequest,
    Refund,
    Void,
)
from services.gateway.processors.sandbox.account import (
    authorization,
    is_of,
    refund_answer,
    refuse,
    taken_instead,
)
from services.gateway.processors.sandbox.nouns import Hold, SandboxPayment


def look_up(payment: SandboxPayment | None, request: ProcessorRequest) -> Finding:
    """Return what became of a request."""
    if payment is None or not is_of(payment, request):
        return Absent()
    match request:
        case Authorize():
            return authorization(payment)
        case Capture():
            return _capture(payment, request)
        case Void():
            return _void(payment, request)
        case Refund():
            known = next((refund for refund in payment.refunds if refund.id == request.refund_id), None)
            return Absent() if known is None else refund_answer(known)
        case _:
            raise TypeError(f"no request that the sandbox knows: {type(request).__name__}")


def _capture(payment: SandboxPayment, request: Capture) -> Approved | Declined | Absent:
    if payment.hold is Hold.CAPTURED:
        is_other = payment.captured_minor != request.amount_minor
        return Approved(
            gateway_ref=payment.ref,
            approved_at=payment.captured_at or payment.authorized_at,
            amount_minor=payment.captured_minor if is_other else None,
        )
    if payment.hold is Hold.HELD:
        return Absent(is_still_held=True)
    return refuse(DeclineReason.AUTHORIZATION_EXPIRED, "The funds are not held.")


def _void(payment: SandboxPayment, request: Void) -> Approved | Declined | Absent:
    match payment.hold:
        case Hold.CAPTURED:
            return taken_instead(payment)
        case Hold.RELEASED | Hold.DECLINED:
            return Approved(gateway_ref=payment.ref, approved_at=request.requested_at)
        case Hold.HELD:
            return Absent(is_still_held=True)
        case Hold.ACTION:
            return Absent()
