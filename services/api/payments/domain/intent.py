"""What is always true of a payment intent: what it is, and what a command or a happening makes of it."""

from datetime import datetime
from enum import StrEnum
from typing import Any, assert_never
from uuid import UUID

import msgspec

from libs.common.money import format_minor
from services.api.errors import (
    CannotCapture,
    CannotConfirm,
    CannotRefund,
    CannotVoid,
    CaptureExceedsAuthorization,
    ContradictoryOutcome,
    NotYet,
    RefundExceedsPayment,
)
from services.api.payments.domain.dispute import Dispute, DisputeStatus
from services.api.payments.domain.lifecycle import (
    BY_AMOUNTS,
    LIFECYCLE,
    STATUS_OF,
    Check,
    Fact,
    Happening,
    Move,
    Otherwise,
    Recount,
    Stage,
    Status,
)
from services.api.payments.domain.refund import Refund, RefundStatus


class CaptureMethod(StrEnum):
    """When held funds are taken."""

    AUTOMATIC = "automatic"
    """As soon as they are held."""
    MANUAL = "manual"
    """When the merchant says so."""


class PaymentIntent(msgspec.Struct, frozen=True, kw_only=True):
    """A merchant's wish to be paid, and what became of it."""

    tenant_id: str
    """Whose it is."""
    id: UUID
    """UUIDv7, minted by us."""
    amount_minor: int
    """Above zero, in minor units of `currency`."""
    currency: str
    """ISO 4217 code, upper case."""
    status: Status
    """What clients see."""
    capture_method: CaptureMethod = CaptureMethod.AUTOMATIC
    """When held funds are taken."""
    payment_method: str = ""
    """The processor's token of what is charged; empty: the one that the tenant's gateway is set to."""
    customer_ref: str
    """The merchant's own reference of the customer, 1 to 128 characters; never a link to an order."""
    description: str | None = None
    """The merchant's words, up to 500 characters."""
    metadata: dict[str, str] = {}
    """The merchant's own pairs: up to 50 keys of 40 characters, values of 500."""
    order_id: str | None = None
    """The order that a charge request named; unique per tenant."""
    gateway_ref: str | None = None
    """The processor's reference, once it has given one."""
    action_url: str | None = None
    """Where the customer proves who they are, while that is required and the processor names a place."""
    expires_at: datetime | None = None
    """When held funds are released by themselves, where that is known and somebody has to act before."""
    capturing_minor: int = 0
    """What a merchant's capture wants to take, in minor units; 0 before one is asked for."""
    is_voiding: bool = False
    """Whether the processor is asked to release the funds and has not answered."""
    captured_minor: int = 0
    """What the processor has taken, in minor units."""
    refunding_minor: int = 0
    """What refunds on their way want to give back, in minor units."""
    refunded_minor: int = 0
    """What was given back, in minor units."""
    disputed_minor: int = 0
    """What customers' banks have taken back and not returned, in minor units; more than is left, if they say so."""
    failure_code: str | None = None
    """Why it failed, as a stable snake_case word."""
    failure_message: str | None = None
    """Why it failed, as a sentence for people."""
    version: int = 1
    """Raised by every change; a change is saved only over the version it was decided on."""
    created_at: datetime
    """When the merchant asked."""
    updated_at: datetime
    """When it last changed."""
    authorized_at: datetime | None = None
    """When the issuer's promise reached us."""
    settled_at: datetime | None = None
    """When both the capture and its posting were known."""

    @property
    def stage(self) -> Stage:
        """Where it stands, with what is asked for and not answered."""
        if self.status is Status.AUTHORIZED:
            if self.captured_minor > 0:
                return Stage.CAPTURED
            if self.is_voiding:
                return Stage.VOIDING
            is_asked = self.capture_method is CaptureMethod.AUTOMATIC or self.capturing_minor > 0
            return Stage.CAPTURING if is_asked else Stage.AUTHORIZED
        if self.status is Status.REQUIRES_ACTION and self.is_voiding:
            return Stage.ABANDONING
        return Stage(self.status.lower())

    @property
    def asked_minor(self) -> int:
        """What a capture asks for, in minor units: all that is held, unless the merchant wants less."""
        return self.capturing_minor or self.amount_minor

    @property
    def authorized_minor(self) -> int:
        """What the issuer has promised, in minor units: all or nothing."""
        return 0 if self.authorized_at is None else self.amount_minor

    @property
    def refundable_minor(self) -> int:
        """What can still be given back, in minor units."""
        return max(0, self.captured_minor - self.refunded_minor - self.refunding_minor - self.disputed_minor)


class Decision(msgspec.Struct, frozen=True):
    """What a happening makes of an intent, and of the refund or dispute that it is about."""

    intent: PaymentIntent
    facts: tuple[Fact, ...] = ()
    refund: Refund | None = None
    dispute: Dispute | None = None
    changed: bool = False
    """Whether there is anything to save."""


def confirm(intent: PaymentIntent, *, at: datetime) -> Decision:
    """Begin to collect: the gateway is asked for an authorization, once.

    Raises:
        CannotConfirm: when it has ended, or was given back.
    """
    return _decide(intent, Happening.CONFIRM, at=at)


def ask_capture(intent: PaymentIntent, *, amount_minor: int | None, at: datetime) -> Decision:
    """Take held funds, all unless an amount is given; the rest is released.

    Asked again for the same amount, it stays as it is.

    Raises:
        CannotCapture: when no funds are held, or another amount is being or has been taken.
        CaptureExceedsAuthorization: when it is more than is held.
    """
    wanted = intent.amount_minor if amount_minor is None else amount_minor
    decision = _decide(intent, Happening.CAPTURE, at=at, capturing_minor=wanted)
    if decision.changed and wanted > intent.amount_minor:
        held, more = _money(intent, intent.amount_minor), _money(intent, wanted)
        raise CaptureExceedsAuthorization(f"capture of {more} would exceed the authorized amount {held}")
    known = intent.captured_minor or intent.capturing_minor or intent.amount_minor
    if not decision.changed and amount_minor is not None and amount_minor != known:
        raise CannotCapture(intent.status)
    return decision


def ask_void(intent: PaymentIntent, *, at: datetime) -> Decision:
    """Let go: at once where nobody was asked for money, else the processor is asked to release it.

    Raises:
        CannotVoid: when there is nothing to let go of, or it is being or has been taken.
    """
    if intent.stage in (Stage.CAPTURING, Stage.CAPTURED):
        # The status alone would not tell why: clients do not see these stages.
        raise CannotVoid(intent.status, because="its capture is under way")
    return _decide(intent, Happening.VOID, at=at, is_voiding=intent.stage is not Stage.CREATED)


def ask_refund(
    intent: PaymentIntent, *, refund_id: UUID, amount_minor: int | None, reason: str | None, at: datetime
) -> Decision:
    """Give captured money back, all that is left unless an amount is given.

    Raises:
        CannotRefund: when there is nothing in the books, or nothing left.
        RefundExceedsPayment: when it is more than was captured and neither given nor taken back.
    """
    wanted = max(1, intent.refundable_minor) if amount_minor is None else amount_minor
    decision = _decide(intent, Happening.REFUND, at=at, refunding_minor=intent.refunding_minor + wanted)
    if amount_minor is None and not intent.refundable_minor:
        raise RefundExceedsPayment("nothing is left to refund: the rest is on its way back or in dispute")
    if wanted > intent.refundable_minor:
        total = _money(intent, intent.refunded_minor + intent.refunding_minor + wanted)
        disputed = f" less {_money(intent, intent.disputed_minor)} in dispute" if intent.disputed_minor else ""
        payment = _money(intent, intent.captured_minor)
        raise RefundExceedsPayment(f"total refunds ({total}) would exceed payment amount ({payment}){disputed}")
    refund = Refund(
        tenant_id=intent.tenant_id,
        id=refund_id,
        payment_intent_id=intent.id,
        amount_minor=wanted,
        currency=intent.currency,
        reason=reason,
        status=RefundStatus.PENDING,
        created_at=at,
        updated_at=at,
    )
    return msgspec.structs.replace(decision, refund=refund)


def require_action(intent: PaymentIntent, *, gateway_ref: str, action_url: str, at: datetime) -> Decision:
    """The customer must prove something to the issuer first.

    Raises:
        NotYet: when nobody has confirmed the intent yet.
    """
    return _decide(intent, Happening.ACTION_REQUIRED, at=at, gateway_ref=gateway_ref, action_url=action_url or None)


def authorize(intent: PaymentIntent, *, gateway_ref: str, at: datetime, expires_at: datetime | None = None) -> Decision:
    """The issuer promised the funds: they are captured next, unless the merchant wants to say when.

    Raises:
        NotYet: when nobody has confirmed the intent yet.
    """
    is_manual = intent.capture_method is CaptureMethod.MANUAL
    decision = _decide(
        intent,
        Happening.AUTHORIZED,
        at=at,
        gateway_ref=gateway_ref,
        authorized_at=at,
        action_url=None,
        expires_at=expires_at if is_manual else None,
    )
    if decision.intent.stage is Stage.CAPTURING and decision.changed:
        return msgspec.structs.replace(decision, facts=(*decision.facts, Fact.CAPTURE_WANTED))
    return decision


def decline(intent: PaymentIntent, *, code: str, message: str, at: datetime) -> Decision:
    """The issuer said no, for good.

    Raises:
        NotYet: when nobody has confirmed the intent yet.
        ContradictoryOutcome: when the issuer has already said yes.
    """
    failure = {} if intent.stage is Stage.ABANDONING else {"failure_code": code, "failure_message": message}
    return _decide(intent, Happening.DECLINED, at=at, action_url=None, is_voiding=False, **failure)


def capture(intent: PaymentIntent, *, amount_minor: int, at: datetime) -> Decision:
    """The processor took the funds, all or a part of them.

    What we did not ask for, or not with this amount, is believed only once the gateway's own records confirm it.

    Raises:
        NotYet: when the authorization has not been heard yet.
        ContradictoryOutcome: when the intent has ended.
    """
    if intent.stage is Stage.CAPTURING and amount_minor != intent.asked_minor:
        return _changed(intent, (Fact.CAPTURE_UNCONFIRMED,), at=at, changes={})
    return _decide(intent, Happening.CAPTURED, at=at, captured_minor=amount_minor, expires_at=None, is_voiding=False)


def confirm_capture(intent: PaymentIntent, *, amount_minor: int, at: datetime) -> Decision:
    """The gateway's records have the capture, whoever asked the processor for it.

    Raises:
        ContradictoryOutcome: when the intent has ended, or was never authorized.
    """
    return _decide(
        intent, Happening.CAPTURE_CONFIRMED, at=at, captured_minor=amount_minor, expires_at=None, is_voiding=False
    )


def fail_capture(intent: PaymentIntent, *, code: str, message: str, at: datetime) -> Decision:
    """The processor refused to take the held funds, for good.

    Raises:
        NotYet: when the authorization has not been heard yet.
        ContradictoryOutcome: when the funds were already taken.
    """
    return _decide(intent, Happening.CAPTURE_FAILED, at=at, failure_code=code, failure_message=message, expires_at=None)


def void(intent: PaymentIntent, *, at: datetime) -> Decision:
    """The processor released the funds.

    Raises:
        NotYet: when the authorization has not been heard yet.
        ContradictoryOutcome: when the funds were already taken.
    """
    return _decide(intent, Happening.VOIDED, at=at, is_voiding=False, action_url=None, expires_at=None)


def fail_void(intent: PaymentIntent, *, at: datetime) -> Decision:
    """The processor refused to release the funds: they are held as before.

    Raises:
        NotYet: when nobody has confirmed the intent yet.
    """
    decision = _decide(intent, Happening.VOID_FAILED, at=at, is_voiding=False)
    if decision.changed and decision.intent.stage is Stage.CAPTURING:
        # The customer acted in the last moment, and the funds could not be let go of: they are taken as was wished.
        return msgspec.structs.replace(decision, facts=(Fact.CAPTURE_WANTED,))
    return decision


def expire(intent: PaymentIntent, *, at: datetime) -> Decision:
    """The hold ended by itself.

    Raises:
        NotYet: when the authorization has not been heard yet.
        ContradictoryOutcome: when the funds were already taken.
    """
    return _decide(intent, Happening.EXPIRED, at=at, is_voiding=False, expires_at=None)


def settle(intent: PaymentIntent, *, amount_minor: int, at: datetime) -> Decision:
    """The capture stands in the books.

    Raises:
        NotYet: when the authorization has not been heard yet, or a capture that we did not ask for.
        ContradictoryOutcome: when the intent has ended.
    """
    if intent.stage is Stage.CAPTURING and amount_minor != intent.asked_minor:
        raise NotYet(
            f"the books have a capture of {amount_minor} for payment intent {intent.id}: not the one asked for"
        )
    return _decide(
        intent,
        Happening.POSTED,
        at=at,
        captured_minor=amount_minor,
        settled_at=at,
        expires_at=None,
        is_voiding=False,
    )


def complete_refund(intent: PaymentIntent, refund: Refund, *, gateway_ref: str, at: datetime) -> Decision:
    """The processor gave the money back.

    Raises:
        ContradictoryOutcome: when the payment was never in the books.
    """
    if refund.status is not RefundStatus.PENDING:
        # Again; or it has failed since, and this is the older news.
        return Decision(intent, refund=refund)
    completed = msgspec.structs.replace(refund, status=RefundStatus.COMPLETED, gateway_ref=gateway_ref, updated_at=at)
    decision = _decide(
        intent,
        Happening.REFUND_COMPLETED,
        at=at,
        refunding_minor=intent.refunding_minor - refund.amount_minor,
        refunded_minor=intent.refunded_minor + refund.amount_minor,
    )
    return msgspec.structs.replace(decision, refund=completed)


def fail_refund(intent: PaymentIntent, refund: Refund, *, code: str, message: str, at: datetime) -> Decision:
    """The money did not reach the customer: it counts as never given back, whatever was said before.

    Raises:
        ContradictoryOutcome: when the payment was never in the books.
    """
    if refund.status is RefundStatus.FAILED:
        return Decision(intent, refund=refund)
    was_pending = refund.status is RefundStatus.PENDING
    failed = msgspec.structs.replace(
        refund, status=RefundStatus.FAILED, failure_code=code, failure_message=message, updated_at=at
    )
    decision = _decide(
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
        NotYet: when the capture has not been heard yet.
        ContradictoryOutcome: when the intent has ended without one.
    """
    if known is not None:
        return Decision(intent, dispute=known)
    disputed = intent.disputed_minor + opened.amount_minor
    decision = _decide(intent, Happening.DISPUTE_OPENED, at=at, disputed_minor=disputed)
    return msgspec.structs.replace(decision, dispute=opened)


def end_dispute(
    intent: PaymentIntent, known: Dispute | None, *, is_won: bool, at: datetime, reversals: int = 0
) -> Decision:
    """The bank has decided: the money comes back, or is gone. It may reverse its decision, and the last one counts.

    Raises:
        NotYet: when its opening, or the decision that is reversed, has not been heard yet.
        ContradictoryOutcome: when the same decision was the opposite before.
    """
    if known is None:
        raise NotYet(f"a dispute of payment intent {intent.id} is decided before it is known")
    status = DisputeStatus.WON if is_won else DisputeStatus.LOST
    is_open = known.status is DisputeStatus.OPEN
    if reversals > (0 if is_open else known.reversals + 1):
        raise NotYet(f"the decision before this one of dispute {known.id} is not known yet")
    if not is_open and reversals <= known.reversals:
        # Decisions alternate, which tells what the earlier one of this place was.
        if (known.status is status) != ((known.reversals - reversals) % 2 == 0):
            raise ContradictoryOutcome(f"dispute {known.id} is {known.status}: it cannot be {status} as well")
        return Decision(intent, dispute=known)
    if known.status is status:
        raise ContradictoryOutcome(f"dispute {known.id} is {known.status} already: that is no reversal")
    returned = known.amount_minor if is_won else 0
    taken_again = 0 if is_won or is_open else known.amount_minor
    decision = _decide(
        intent,
        Happening.DISPUTE_WON if is_won else Happening.DISPUTE_LOST,
        at=at,
        disputed_minor=intent.disputed_minor - returned + taken_again,
    )
    ended = msgspec.structs.replace(known, status=status, updated_at=at, reversals=reversals)
    return msgspec.structs.replace(decision, dispute=ended)


def require_same_money(intent: PaymentIntent, *, amount_minor: int, currency: str) -> None:
    """Hold another service to the amount that this intent is about.

    Raises:
        ContradictoryOutcome: when it speaks of other money.
    """
    if (amount_minor, currency) != (intent.amount_minor, intent.currency):
        raise _other_money(intent, amount_minor, currency)


def require_captured_money(intent: PaymentIntent, *, amount_minor: int, currency: str) -> None:
    """Hold another service to what can have been captured: no more than authorized, and always the same amount.

    Raises:
        ContradictoryOutcome: when it speaks of other money.
    """
    known = intent.captured_minor or amount_minor
    if currency != intent.currency or not amount_minor == known <= intent.amount_minor:
        raise _other_money(intent, amount_minor, currency)


def _other_money(intent: PaymentIntent, amount_minor: int, currency: str) -> ContradictoryOutcome:
    return ContradictoryOutcome(
        f"payment intent {intent.id} is about {intent.amount_minor} {intent.currency} in minor units, "
        f"{intent.captured_minor} captured, not {amount_minor} {currency}"
    )


def _money(intent: PaymentIntent, amount_minor: int) -> str:
    return format_minor(amount_minor, intent.currency)


_REFUSALS: dict[Happening, type[CannotConfirm | CannotCapture | CannotVoid | CannotRefund]] = {
    Happening.CONFIRM: CannotConfirm,
    Happening.CAPTURE: CannotCapture,
    Happening.VOID: CannotVoid,
    Happening.REFUND: CannotRefund,
}


def _decide(intent: PaymentIntent, happening: Happening, *, at: datetime, **changes: Any) -> Decision:
    row = LIFECYCLE[intent.stage, happening]
    match row:
        case Move():
            changes["status"] = STATUS_OF[row.to]
            return _changed(intent, row.says, at=at, changes=changes)
        case Recount():
            counted = msgspec.structs.replace(intent, **changes)
            if intent.stage in BY_AMOUNTS:
                changes["status"] = STATUS_OF[_by_amounts(counted)]
            return _changed(intent, row.says, at=at, changes=changes)
        case Check():
            return _changed(intent, row.says, at=at, changes={})
        case Otherwise.STAYS:
            return Decision(intent)
        case Otherwise.EARLY:
            raise NotYet(f"payment intent {intent.id} is {intent.stage}: {happening} comes too early")
        case Otherwise.CONTRADICTS:
            raise ContradictoryOutcome(f"payment intent {intent.id} is {intent.stage}: {happening} cannot be true")
        case Otherwise.REFUSED:
            raise _REFUSALS[happening](intent.status)
        case _:
            assert_never(row)


def _changed(intent: PaymentIntent, says: tuple[Fact, ...], *, at: datetime, changes: dict[str, Any]) -> Decision:
    after = msgspec.structs.replace(intent, version=intent.version + 1, updated_at=at, **changes)
    return Decision(after, says, changed=True)


def _by_amounts(intent: PaymentIntent) -> Stage:
    if intent.refunded_minor == 0:
        return Stage.SETTLED
    return Stage.REFUNDED if intent.refunded_minor >= intent.captured_minor else Stage.PARTIALLY_REFUNDED
