"""What is true of one payment in the sandbox's books: pure, so that its rules can be read and tested by themselves."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID

import msgspec

from services.gateway.processors.port import (
    Answer,
    Approved,
    Authorize,
    Capture,
    Declined,
    DeclineReason,
    DisputeState,
    Operation,
    Pending,
    ProcessorRequest,
    Refund,
    RequiresAction,
    Taken,
    Void,
)
from services.gateway.processors.sandbox.cases import Case, Later, Start, case_of
from services.gateway.processors.sandbox.nouns import (
    Happening,
    Hold,
    RefundState,
    SandboxDispute,
    SandboxPayment,
    SandboxRefund,
)
from services.gateway.processors.sandbox.slips import slip_of

NAME = "sandbox"
"""Its name in our books, metrics and settings."""

HOLD = timedelta(days=7)
"""How long an authorization is valid; the usual validity of a card authorization for online payments (Stripe's
documentation, "Place a hold on a payment method")."""

_SENTENCES = {
    DeclineReason.INSUFFICIENT_FUNDS: "The card has insufficient funds to complete the payment.",
    DeclineReason.CARD_DECLINED: "The issuer declined the payment.",
    DeclineReason.EXPIRED_CARD: "The card has expired.",
    DeclineReason.AUTHORIZATION_EXPIRED: "The authorization has expired.",
    DeclineReason.ALREADY_CAPTURED: "The payment has been captured already.",
    DeclineReason.ALREADY_REFUNDED: "There is not that much left to refund.",
    DeclineReason.DISPUTED: "The payment is disputed; what the bank has taken back cannot be refunded.",
    DeclineReason.AUTHENTICATION_FAILED: "The customer could not be authenticated.",
    DeclineReason.PAYMENT_EXPIRED: "The customer did not pay in time.",
    DeclineReason.PROCESSOR_REFUSED: "The processor refused the request.",
}


type Result = tuple[SandboxPayment | None, Answer]
"""The payment as it stands afterwards, None where nothing changed, and the caller's result."""


def refuse(reason: DeclineReason, detail: str = "") -> Declined:
    """Decline, with its sentence."""
    return Declined(reason=reason, detail=detail or _SENTENCES[reason])


def taken_instead(payment: SandboxPayment) -> Declined:
    """Decline to release funds that were taken."""
    taken = Taken(amount_minor=payment.captured_minor, at=payment.captured_at or payment.authorized_at)
    return msgspec.structs.replace(refuse(DeclineReason.ALREADY_CAPTURED), taken=taken)


def _still_held(reason: DeclineReason, detail: str = "") -> Declined:
    """Decline to take or release funds, which stay held."""
    return msgspec.structs.replace(refuse(reason, detail), is_still_held=True)


def authorize(
    payment: SandboxPayment | None, request: Authorize, *, ref: str, now: datetime, later: timedelta
) -> Result:
    """Hold the funds; called again under the same key, return how they stand."""
    if payment is not None:
        given = (request.tenant_id, request.payment_intent_id, request.amount_minor, request.currency)
        if given != (payment.tenant_id, payment.payment_intent_id, payment.authorized_minor, payment.currency):
            return None, refuse(DeclineReason.PROCESSOR_REFUSED, "The key was used before for another request.")
        return None, authorization(payment)
    by_slip = request.payment_method_type.is_asynchronous
    case = case_of(Operation.AUTHORIZE, request.amount_minor, by_slip=by_slip)
    hold = Hold.CAPTURED if by_slip else Hold.HELD
    is_forced = not (case.only_first and request.number > 0)
    is_declined = case.decline is not None and is_forced
    if is_declined:
        hold = Hold.DECLINED
    elif case.start is Start.ACTION and is_forced:
        hold = Hold.ACTION
    made = SandboxPayment(
        ref=ref,
        tenant_id=request.tenant_id,
        payment_intent_id=request.payment_intent_id,
        authorized_minor=request.amount_minor,
        currency=request.currency,
        method=request.payment_method_type,
        captured_minor=request.amount_minor if hold is Hold.CAPTURED else 0,
        captured_at=request.requested_at if hold is Hold.CAPTURED else None,
        hold=hold,
        decline=case.decline if is_declined else None,
        authorized_at=request.requested_at,
        expires_at=request.requested_at + (later if case.ends_soon else HOLD),
        happenings=_coming(case, now=now, later=later),
    )
    return made, authorization(made)


def authorization(payment: SandboxPayment) -> Answer:
    """Return how an authorization stands."""
    match payment.hold:
        case Hold.ACTION:
            return RequiresAction(
                gateway_ref=payment.ref,
                action_url=f"https://sandbox.invalid/authenticate/{payment.ref}",
                next_action=slip_of(payment),
            )
        case Hold.DECLINED:
            declined = refuse(payment.decline or DeclineReason.PROCESSOR_REFUSED)
            return msgspec.structs.replace(declined, gateway_ref=payment.ref)
        case Hold.HELD | Hold.CAPTURED | Hold.RELEASED:
            return Approved(gateway_ref=payment.ref, approved_at=payment.authorized_at, expires_at=payment.expires_at)
        case _:
            assert_never(payment.hold)


def capture(payment: SandboxPayment | None, request: Capture, *, now: datetime, later: timedelta) -> Result:
    """Take held funds, once; what is not taken is released."""
    if payment is None or not is_of(payment, request):
        return None, refuse(DeclineReason.PROCESSOR_REFUSED, "There is no such authorization.")
    if payment.hold is Hold.CAPTURED:
        if payment.method.is_asynchronous and payment.captured_minor == request.amount_minor:
            # Taken when it was paid.
            return None, Approved(gateway_ref=payment.ref, approved_at=payment.captured_at or payment.authorized_at)
        if payment.capture_key != request.idempotency_key:
            return None, refuse(DeclineReason.ALREADY_CAPTURED)
        if payment.captured_minor != request.amount_minor:
            return None, refuse(DeclineReason.PROCESSOR_REFUSED, "The key was used before for another request.")
        return None, Approved(gateway_ref=payment.ref, approved_at=payment.captured_at or payment.authorized_at)
    if payment.hold is not Hold.HELD:
        return None, refuse(DeclineReason.AUTHORIZATION_EXPIRED, "The funds are not held.")
    if request.requested_at >= payment.expires_at:
        return msgspec.structs.replace(payment, hold=Hold.RELEASED), refuse(DeclineReason.AUTHORIZATION_EXPIRED)
    if request.amount_minor > payment.authorized_minor:
        return None, _still_held(DeclineReason.PROCESSOR_REFUSED, "That is more than is held.")
    case = case_of(Operation.CAPTURE, request.amount_minor)
    if case.decline is not None:
        return None, _still_held(case.decline)
    taken = msgspec.structs.replace(
        payment,
        hold=Hold.CAPTURED,
        captured_minor=request.amount_minor,
        captured_at=request.requested_at,
        capture_key=request.idempotency_key,
        happenings=(*payment.happenings, *_coming(case, now=now, later=later)),
    )
    return taken, Approved(gateway_ref=payment.ref, approved_at=request.requested_at)


def void(payment: SandboxPayment | None, request: Void) -> Result:
    """Release held funds; called again, they are released already."""
    if payment is None or not is_of(payment, request):
        return None, refuse(DeclineReason.PROCESSOR_REFUSED, "There is no such authorization.")
    if payment.hold is Hold.CAPTURED:
        return None, taken_instead(payment)
    released = Approved(gateway_ref=payment.ref, approved_at=request.requested_at)
    if payment.hold in (Hold.RELEASED, Hold.DECLINED):
        return None, released
    if request.requested_at >= payment.expires_at:
        return msgspec.structs.replace(payment, hold=Hold.RELEASED, happenings=()), released
    case = case_of(Operation.VOID, payment.authorized_minor)
    if case.decline is not None:
        return None, _still_held(case.decline)
    is_wish = payment.hold is Hold.ACTION
    ended = msgspec.structs.replace(
        payment,
        hold=Hold.DECLINED if is_wish else Hold.RELEASED,
        decline=DeclineReason.PROCESSOR_REFUSED if is_wish else None,
        happenings=(),
    )
    return ended, released


def refund(payment: SandboxPayment | None, request: Refund, *, now: datetime, later: timedelta) -> Result:
    """Give captured funds back, once per key; never more than was taken and neither given nor taken back."""
    if payment is None or not is_of(payment, request):
        return None, refuse(DeclineReason.PROCESSOR_REFUSED, "There is no such payment.")
    known = next((r for r in payment.refunds if r.key == request.idempotency_key), None)
    if known is not None:
        if (known.id, known.amount_minor) != (request.refund_id, request.amount_minor):
            return None, refuse(DeclineReason.PROCESSOR_REFUSED, "The key was used before for another request.")
        return None, refund_answer(known)
    if payment.hold is not Hold.CAPTURED:
        return None, refuse(DeclineReason.PROCESSOR_REFUSED, "The payment has not been captured.")
    if request.amount_minor > payment.captured_minor - payment.refunded_minor - payment.disputed_minor:
        disputed = request.amount_minor <= payment.captured_minor - payment.refunded_minor
        return None, refuse(DeclineReason.DISPUTED if disputed else DeclineReason.ALREADY_REFUNDED)
    case = case_of(Operation.REFUND, request.amount_minor)
    if case.decline is not None:
        return None, refuse(case.decline)
    given = SandboxRefund(
        id=request.refund_id,
        ref=f"{payment.ref}_re{len(payment.refunds) + 1}",
        key=request.idempotency_key,
        amount_minor=request.amount_minor,
        state=RefundState.PENDING if case.start is Start.PENDING else RefundState.SUCCEEDED,
        at=request.requested_at,
    )
    after = msgspec.structs.replace(
        payment,
        refunds=(*payment.refunds, given),
        happenings=(*payment.happenings, *_coming(case, now=now, later=later, refund_id=given.id)),
    )
    return after, refund_answer(given)


def refund_answer(refund: SandboxRefund) -> Answer:
    """Return how a refund stands."""
    match refund.state:
        case RefundState.PENDING:
            return Pending(gateway_ref=refund.ref)
        case RefundState.SUCCEEDED:
            return Approved(gateway_ref=refund.ref, approved_at=refund.at)
        case RefundState.FAILED:
            return refuse(DeclineReason.PROCESSOR_REFUSED, "The refund did not reach the customer.")
        case _:
            assert_never(refund.state)


def is_of(payment: SandboxPayment, request: ProcessorRequest) -> bool:
    """Whether a payment is the one that a request is about."""
    return (request.tenant_id, request.currency) == (payment.tenant_id, payment.currency)


def _coming(case: Case, *, now: datetime, later: timedelta, refund_id: UUID | None = None) -> tuple[Happening, ...]:
    return tuple(
        Happening(at=now + later * number, what=what, refund_id=refund_id)
        for number, what in enumerate(case.later, start=1)
    )


def pass_time(payment: SandboxPayment, *, now: datetime) -> SandboxPayment:
    """Let everything happen whose time has come; what has happened waits to be reported, until `forget`."""
    if all(happening.has_happened or happening.at > now for happening in payment.happenings):
        return payment
    happenings = []
    for happening in payment.happenings:
        is_due = not happening.has_happened and happening.at <= now
        payment = _happen(payment, happening) if is_due else payment
        happenings.append(msgspec.structs.replace(happening, has_happened=True) if is_due else happening)
    return msgspec.structs.replace(payment, happenings=tuple(happenings))


def forget(payment: SandboxPayment, reported: Sequence[Happening]) -> SandboxPayment:
    """Drop what has been reported."""
    return msgspec.structs.replace(payment, happenings=tuple(h for h in payment.happenings if h not in reported))


def _happen(payment: SandboxPayment, happening: Happening) -> SandboxPayment:
    match happening.what:
        case Later.AUTHENTICATED:
            return msgspec.structs.replace(payment, hold=Hold.HELD) if payment.hold is Hold.ACTION else payment
        case Later.NOT_AUTHENTICATED:
            if payment.hold is not Hold.ACTION:
                return payment
            return msgspec.structs.replace(payment, hold=Hold.DECLINED, decline=DeclineReason.AUTHENTICATION_FAILED)
        case Later.PAID:
            is_payable = payment.hold is Hold.ACTION or payment.decline is DeclineReason.PAYMENT_EXPIRED
            return _paid(payment, at=happening.at) if is_payable else payment
        case Later.UNPAID:
            if payment.hold is not Hold.ACTION:
                return payment
            return msgspec.structs.replace(payment, hold=Hold.DECLINED, decline=DeclineReason.PAYMENT_EXPIRED)
        case Later.REFUND_ARRIVED:
            return _refund_ends(payment, happening, RefundState.SUCCEEDED)
        case Later.REFUND_FAILED:
            return _refund_ends(payment, happening, RefundState.FAILED)
        case Later.DISPUTED:
            left = payment.captured_minor - payment.refunded_minor - payment.disputed_minor
            if left <= 0:
                return payment
            dispute = SandboxDispute(
                ref=f"{payment.ref}_dp{len(payment.disputes) + 1}",
                amount_minor=left,
                state=DisputeState.OPEN,
                opened_at=happening.at,
            )
            return msgspec.structs.replace(payment, disputes=(*payment.disputes, dispute))
        case Later.DISPUTE_WON:
            return _dispute_ends(payment, DisputeState.WON)
        case Later.DISPUTE_LOST:
            return _dispute_ends(payment, DisputeState.LOST)
        case _:
            assert_never(happening.what)


def _paid(payment: SandboxPayment, *, at: datetime) -> SandboxPayment:
    return msgspec.structs.replace(
        payment, hold=Hold.CAPTURED, decline=None, captured_minor=payment.authorized_minor, captured_at=at
    )


def _refund_ends(payment: SandboxPayment, happening: Happening, state: RefundState) -> SandboxPayment:
    return msgspec.structs.replace(
        payment,
        refunds=tuple(
            msgspec.structs.replace(r, state=state) if r.id == happening.refund_id else r for r in payment.refunds
        ),
    )


def _dispute_ends(payment: SandboxPayment, state: DisputeState) -> SandboxPayment:
    return msgspec.structs.replace(
        payment,
        disputes=tuple(
            msgspec.structs.replace(d, state=state) if d.state is DisputeState.OPEN else d for d in payment.disputes
        ),
    )
