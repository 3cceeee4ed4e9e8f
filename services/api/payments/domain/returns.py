"""How captured money goes back: refunds that the merchant requests, and disputes that the customer's bank decides."""

from datetime import datetime
from uuid import UUID

import msgspec

from services.api.errors import ContradictoryOutcome, NotYet, RefundExceedsPayment
from services.api.payments.domain.decisions import Decision, changed, decide
from services.api.payments.domain.dispute import Dispute, DisputeStatus
from services.api.payments.domain.intent import PaymentIntent
from services.api.payments.domain.lifecycle import Happening, Stage
from services.api.payments.domain.refund import Refund, RefundStatus


def request_refund(
    intent: PaymentIntent, *, refund_id: UUID, amount_minor: int | None, reason: str | None, at: datetime
) -> Decision:
    """Give captured money back, all that is left unless an amount is given.

    Raises:
        CannotRefund: when there is nothing in the books, or nothing left.
        RefundExceedsPayment: when it is more than was captured and neither given nor taken back.
    """
    requested_minor = max(1, intent.refundable_minor) if amount_minor is None else amount_minor
    decision = decide(intent, Happening.REFUND, at=at, refunding_minor=intent.refunding_minor + requested_minor)
    if amount_minor is None and not intent.refundable_minor:
        raise RefundExceedsPayment("nothing is left to refund: the rest is being refunded or in dispute")
    if requested_minor > intent.refundable_minor:
        total = intent.money(intent.refunded_minor + intent.refunding_minor + requested_minor)
        disputed = f" less {intent.money(intent.disputed_minor)} in dispute" if intent.disputed_minor else ""
        payment = intent.money(intent.captured_minor)
        raise RefundExceedsPayment(f"total refunds ({total}) would exceed payment amount ({payment}){disputed}")
    refund = Refund(
        tenant_id=intent.tenant_id,
        id=refund_id,
        payment_intent_id=intent.id,
        amount_minor=requested_minor,
        currency=intent.currency,
        reason=reason,
        status=RefundStatus.PENDING,
        created_at=at,
        updated_at=at,
    )
    return msgspec.structs.replace(decision, refund=refund)


def complete_refund(intent: PaymentIntent, refund: Refund, *, gateway_ref: str, at: datetime) -> Decision:
    """The processor gave the money back.

    Raises:
        ContradictoryOutcome: when the payment was never in the books.
    """
    if refund.status is not RefundStatus.PENDING:
        if refund.gateway_ref is None:
            # It failed later, and that was handled first: only this report names it at the processor.
            named = msgspec.structs.replace(refund, gateway_ref=gateway_ref, updated_at=at)
            return msgspec.structs.replace(changed(intent, (), at=at, changes={}), refund=named)
        # Again; or it has failed since, and this report is older.
        return Decision(intent, refund=refund)
    completed = msgspec.structs.replace(refund, status=RefundStatus.COMPLETED, gateway_ref=gateway_ref, updated_at=at)
    decision = decide(
        intent,
        Happening.REFUND_COMPLETED,
        at=at,
        refunding_minor=intent.refunding_minor - refund.amount_minor,
        refunded_minor=intent.refunded_minor + refund.amount_minor,
    )
    return msgspec.structs.replace(decision, refund=completed)


def adopt_refund(intent: PaymentIntent, known: Refund | None, made: Refund, *, at: datetime) -> Decision:
    """Somebody gave money back at the processor, and the payment has one refund more, which is completed.

    Raises:
        NotYet: when the capture is not in the books yet, or a refund of the same money is pending.
    """
    if known is not None:
        return Decision(intent, refund=known)
    if intent.stage not in (Stage.SETTLED, Stage.PARTIALLY_REFUNDED, Stage.REFUNDED):
        raise NotYet(f"payment intent {intent.id} is refunded at the processor before it is settled here")
    if intent.refunded_minor + intent.refunding_minor + made.amount_minor > intent.captured_minor:
        # The processor gives nothing back twice: one that we have requested and that is pending will fail.
        raise NotYet(
            f"a refund made at the processor leaves nothing for the pending ones of payment intent {intent.id}"
        )
    decision = decide(
        intent, Happening.REFUND_COMPLETED, at=at, refunded_minor=intent.refunded_minor + made.amount_minor
    )
    return msgspec.structs.replace(decision, refund=made)


def fail_refund(intent: PaymentIntent, refund: Refund, *, code: str, message: str, at: datetime) -> Decision:
    """The money did not reach the customer: it counts as never given back, whatever was reported before.

    Raises:
        ContradictoryOutcome: when the payment was never in the books.
    """
    if refund.status is RefundStatus.FAILED:
        return Decision(intent, refund=refund)
    was_pending = refund.status is RefundStatus.PENDING
    failed = msgspec.structs.replace(
        refund, status=RefundStatus.FAILED, failure_code=code, failure_message=message, updated_at=at
    )
    decision = decide(
        intent,
        Happening.REFUND_FAILED,
        at=at,
        refunding_minor=intent.refunding_minor - (refund.amount_minor if was_pending else 0),
        refunded_minor=intent.refunded_minor - (0 if was_pending else refund.amount_minor),
    )
    return msgspec.structs.replace(decision, refund=failed)


def open_dispute(intent: PaymentIntent, known: Dispute | None, opened: Dispute, *, at: datetime) -> Decision:
    """The customer's bank took money back until it is decided.

    Raises:
        NotYet: when the capture is not known yet.
        ContradictoryOutcome: when the intent has ended without one.
    """
    if known is not None and not known.status.is_inquiry:
        return Decision(intent, dispute=known)
    disputed = intent.disputed_minor + opened.amount_minor
    decision = decide(intent, Happening.DISPUTE_OPENED, at=at, disputed_minor=disputed)
    return msgspec.structs.replace(decision, dispute=opened)


def open_inquiry(intent: PaymentIntent, known: Dispute | None, opened: Dispute, *, at: datetime) -> Decision:
    """The customer's bank inquires; no money moves.

    Raises:
        NotYet: when the capture is not known yet.
        ContradictoryOutcome: when the intent has ended without one.
    """
    if known is not None:
        return Decision(intent, dispute=known)
    return msgspec.structs.replace(decide(intent, Happening.INQUIRY_OPENED, at=at), dispute=opened)


def close_inquiry(intent: PaymentIntent, known: Dispute | None, *, at: datetime) -> Decision:
    """The inquiry ended without a dispute; where one was opened since, this is late.

    Raises:
        NotYet: when the inquiry is not known yet.
    """
    if known is None:
        raise NotYet(f"an inquiry of payment intent {intent.id} is closed before it is known")
    if known.status is not DisputeStatus.INQUIRY:
        return Decision(intent, dispute=known)
    closed = msgspec.structs.replace(known, status=DisputeStatus.INQUIRY_CLOSED, updated_at=at)
    return msgspec.structs.replace(decide(intent, Happening.INQUIRY_CLOSED, at=at), dispute=closed)


def change_dispute(
    intent: PaymentIntent, known: Dispute | None, *, amount_minor: int, was_minor: int, at: datetime
) -> Decision:
    """The customer's bank disputes another amount than before: that much is taken, unless it gave all of it back.

    Raises:
        NotYet: when its opening, or the change before this one, is not known yet.
    """
    if known is None or known.status.is_inquiry or known.amount_minor not in (amount_minor, was_minor):
        raise NotYet(f"a dispute of payment intent {intent.id} changes its amount before the one it had is known")
    if known.amount_minor == amount_minor:
        return Decision(intent, dispute=known)
    taken = 0 if known.status is DisputeStatus.WON else amount_minor - was_minor
    decision = changed(intent, (), at=at, changes={"disputed_minor": max(0, intent.disputed_minor + taken)})
    return msgspec.structs.replace(
        decision, dispute=msgspec.structs.replace(known, amount_minor=amount_minor, updated_at=at)
    )


def end_dispute(
    intent: PaymentIntent, known: Dispute | None, *, is_won: bool, at: datetime, reversals: int = 0
) -> Decision:
    """The bank has decided: the money comes back, or is gone. It may reverse its decision, and the last one counts.

    Raises:
        NotYet: when its opening, or the decision that is reversed, is not known yet.
        ContradictoryOutcome: when the same decision was the opposite before.
    """
    if known is None or known.status.is_inquiry:
        raise NotYet(f"a dispute of payment intent {intent.id} is decided before it is known")
    status = DisputeStatus.WON if is_won else DisputeStatus.LOST
    is_open = known.status is DisputeStatus.OPEN
    if reversals > (0 if is_open else known.reversals + 1):
        raise NotYet(f"the decision before this one of dispute {known.id} is not known yet")
    if not is_open and reversals <= known.reversals:
        # Decisions alternate, so it is known what the earlier one of this place was.
        if (known.status is status) != ((known.reversals - reversals) % 2 == 0):
            raise ContradictoryOutcome(f"dispute {known.id} is {known.status}: it cannot be {status} as well")
        return Decision(intent, dispute=known)
    if known.status is status:
        raise ContradictoryOutcome(f"dispute {known.id} is {known.status} already: that is no reversal")
    returned = known.amount_minor if is_won else 0
    taken_again = 0 if is_won or is_open else known.amount_minor
    decision = decide(
        intent,
        Happening.DISPUTE_WON if is_won else Happening.DISPUTE_LOST,
        at=at,
        disputed_minor=intent.disputed_minor - returned + taken_again,
    )
    ended = msgspec.structs.replace(known, status=status, updated_at=at, reversals=reversals)
    return msgspec.structs.replace(decision, dispute=ended)
