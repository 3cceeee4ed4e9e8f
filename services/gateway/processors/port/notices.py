"""What a processor reports unasked: how something ended that we may or may not know of, as a closed set.

An adapter translates the processor's own events into these; `commands.Notices` makes each of them take effect once,
however often and in whatever order they come. A notice states what is true now, never what changed.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from libs.common.contracts.gateway_actions import NextAction
from libs.common.contracts.gateway_declines import DeclineCodes
from services.gateway.processors.port.calls import DeclineReason


class DisputeState(StrEnum):
    """How far a dispute is."""

    OPEN = "open"
    """The bank has taken the money back until it is decided."""
    WON = "won"
    """The bank gave it back."""
    LOST = "lost"
    """It is gone."""
    INQUIRY = "inquiry"
    """The bank inquires, and has taken nothing; it may open a dispute."""
    INQUIRY_CLOSED = "inquiry_closed"
    """The inquiry ended without a dispute."""

    @property
    def is_inquiry(self) -> bool:
        """Whether no money was taken, and no dispute is opened yet."""
        return self in (DisputeState.INQUIRY, DisputeState.INQUIRY_CLOSED)


class PaymentNotice(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What every notice names."""

    tenant_id: str
    """Whose payment it is."""
    payment_intent_id: UUID
    """Our id of the payment, which we gave to the processor when we authorized it."""
    processor: str
    """Who reports it: only the processor that has the payment may do so."""
    gateway_ref: str
    """The processor's reference of the payment."""
    happened_at: datetime
    """When it happened, in the processor's words, in UTC."""
    attempt_id: UUID | None = None
    """The authorization that it is about, as the processor repeats it to us; None where it does not."""


class ActionRequiredNotice(PaymentNotice, frozen=True, kw_only=True, tag=True):
    """The customer must prove something to the issuer before the funds are held."""

    action_url: str = ""
    """Where; empty where the processor's client library leads the way."""
    next_action: NextAction | None = None
    """What the customer has to do, where more is known than an address."""


class AuthorizedNotice(PaymentNotice, frozen=True, kw_only=True, tag=True):
    """The funds are held."""

    expires_at: datetime | None = None
    """When the hold ends by itself, where the processor names it."""


class DeclinedNotice(PaymentNotice, frozen=True, kw_only=True, tag=True):
    """The funds are not held and never will be."""

    reason: DeclineReason
    """Why."""
    detail: str
    """A sentence that may be shown to a person."""
    codes: DeclineCodes = DeclineCodes()
    """What the processor, the issuer and the network say, in their own words."""


class CapturedNotice(PaymentNotice, frozen=True, kw_only=True, tag=True):
    """Held funds were taken; whoever requested it. It implies that they were held."""

    amount_minor: int
    """What was taken, in minor units of the payment's currency."""


class VoidedNotice(PaymentNotice, frozen=True, kw_only=True, tag=True):
    """Held funds were released because somebody requested it."""


class ExpiredNotice(PaymentNotice, frozen=True, kw_only=True, tag=True):
    """Held funds were released because their time was over."""


class RefundSucceededNotice(PaymentNotice, frozen=True, kw_only=True, tag=True):
    """A refund was given back."""

    refund_id: UUID
    """Our id of the refund, which we gave to the processor when we requested it."""
    refund_ref: str
    """The processor's reference of the refund."""


class RefundFailedNotice(PaymentNotice, frozen=True, kw_only=True, tag=True):
    """A refund did not reach the customer, whether or not it was reported to have succeeded before."""

    refund_id: UUID
    """Our id of the refund."""
    refund_ref: str
    """The processor's reference of the refund."""
    reason: DeclineReason
    """Why."""
    detail: str
    """A sentence that may be shown to a person."""


class DisputeNotice(PaymentNotice, frozen=True, kw_only=True, tag=True):
    """How a dispute stands; each one names all of it, so that the end may arrive before the beginning."""

    dispute_ref: str
    """The processor's reference of the dispute."""
    state: DisputeState
    """How far it is."""
    amount_minor: int
    """The disputed amount, in minor units of the payment's currency."""
    reason: str
    """The bank's reason, as a stable snake_case word: `fraudulent`, `product_not_received`."""
    opened_at: datetime
    """When it was opened, in UTC."""
    evidence_due_at: datetime | None = None
    """Until when the merchant may answer, where the processor names it."""


type Notice = (
    ActionRequiredNotice
    | AuthorizedNotice
    | DeclinedNotice
    | CapturedNotice
    | VoidedNotice
    | ExpiredNotice
    | RefundSucceededNotice
    | RefundFailedNotice
    | DisputeNotice
)
"""Everything that a processor reports unasked about a payment; match it with `assert_never`."""


class Applied(StrEnum):
    """What came of a notice."""

    APPLIED = "applied"
    """It was new, and it has been published."""
    KNOWN = "known"
    """We knew, or something later is known: nothing was published."""
    UNKNOWN_PAYMENT = "unknown_payment"
    """We have called no processor for this payment or refund; keep the notice and show it."""
    CONTRADICTS = "contradicts"
    """It cannot be true together with what the same processor reported before; keep the notice and show it."""
