"""What is always true of an attempt: one per operation, one idempotency key for ever, and no outcome by guess.

    PENDING ----> APPROVED | DECLINED            the processor reported it
     |    |          ^          ^
     |    v          |          |
     |  UNKNOWN -----+          |                it may have happened; only the same key may be used to find out
     v    v                     |
    ACCEPTED | ACTION_REQUIRED -+                the processor has it, and its end comes later, by notice or by reading

APPROVED and DECLINED are final, but for two things: a refund that was given back and did not reach the customer becomes
REVERSED, and an authorization or a capture that was declined becomes APPROVED by the notice that the processor has taken the
money all the same: with another card, in the last moment, or captured there by a person. An attempt that has no answer is called about again, at the ages of a schedule, until the processor may have
forgotten the key; from then on another call could charge twice, so the processor's records are read: what stands there is
the outcome, and what does not was never done. Only where they cannot be read for days a person decides. One that the
processor has given a reference for is read by that, which is harmless at any age.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from uuid import UUID

import msgspec

from libs.common.contracts.gateway_declines import DeclineCodes
from libs.common.errors import Invalid
from libs.common.ids import derived_id
from libs.common.money import AMOUNT_MINOR_MAX, InvalidAmount, UnsupportedCurrency, is_currency, is_known_currency
from services.gateway.processors.port import DeclineReason, Operation


class AttemptStatus(StrEnum):
    """What we know of an attempt."""

    PENDING = "PENDING"
    """Written down; called, or about to be called."""
    UNKNOWN = "UNKNOWN"
    """Called, and no answer came: it may or may not have happened."""
    ACCEPTED = "ACCEPTED"
    """The processor has taken it on and reports later how it ended."""
    ACTION_REQUIRED = "ACTION_REQUIRED"
    """The customer must prove something first; the processor reports later how it ended."""
    APPROVED = "APPROVED"
    """The processor did it."""
    DECLINED = "DECLINED"
    """The processor or the issuer refused, for good."""
    REVERSED = "REVERSED"
    """It was done and then undone: a refund that did not reach the customer."""


DECIDED = frozenset({AttemptStatus.APPROVED, AttemptStatus.DECLINED, AttemptStatus.REVERSED})
"""The statuses with an outcome."""
UNDECIDED = frozenset(AttemptStatus) - DECIDED
"""The statuses without one."""
UNHEARD = frozenset({AttemptStatus.PENDING, AttemptStatus.UNKNOWN})
"""The statuses in which the processor has not reported anything."""


CONTENT = ("amount_minor", "currency")
"""The fields that two commands with the same id must agree on; with others the second one is a conflict."""
_content = attrgetter(*CONTENT)


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One operation on one payment intent, as we remember it."""

    tenant_id: str
    """Whose payment it is."""
    id: UUID
    """From `attempt_id`: the same command, received again, is the same attempt."""
    payment_intent_id: UUID
    """The intent that the operation serves."""
    refund_id: UUID | None = None
    """The refund that it gives back; None where it is about the payment itself."""
    operation: Operation
    """What the processor is called for."""
    number: int = 0
    """Which authorization of the payment this is, or builds on, counted from 0."""
    processor: str
    """Which processor is called: only that one knows the key."""
    status: AttemptStatus
    """What we know."""
    amount_minor: int
    """Amount in minor units of `currency`, above zero."""
    currency: str
    """ISO 4217 code, upper case."""
    customer_ref: str
    """The merchant's reference of the customer; empty where there is none."""
    payment_method: str = ""
    """The processor's token of what is charged; empty: the one that the tenant's gateway is set to."""
    capture_method: str = "automatic"
    """`manual` where the funds are to be held until somebody decides otherwise: then the end of the hold is watched."""
    return_url: str = ""
    """Where the customer comes back to after proving who they are; empty: as the tenant's gateway is set."""
    payment_method_type: str = "card"
    """How the customer pays: card, pix, boleto."""
    billing_details: str = ""
    """Who pays, as JSON; empty where the payment method type does not need it."""
    customer_id: UUID | None = None
    """The api's customer, where the payment is one's."""
    saved_method_id: UUID | None = None
    """The saved payment method that is charged; None: `payment_method` is a token, or empty."""
    processor_customer: str = ""
    """The processor's reference of the customer who has the saved payment method; empty: it was not there."""
    off_session: bool = False
    """Whether the customer is not there to prove anything."""
    note: str = ""
    """The merchant's words about a refund, or why a payment is released: `abandoned`; else empty."""
    gateway_ref: str
    """The processor's reference of the payment: what this builds on, or what an authorization was given."""
    result_ref: str = ""
    """The processor's reference of what came of this: the refund, the payment; empty until it has given one."""
    action_url: str = ""
    """Where the customer proves who they are; empty where that is not required."""
    next_action: str = ""
    """What the customer has to do, as JSON; empty where no more is known than an address."""
    expires_at: datetime | None = None
    """When the hold ends by itself, while that is watched: None where the processor does not name it, where the funds are
    taken at once, and once somebody has looked after it."""
    reason: str = ""
    """A stable snake_case word: why it was declined, or why there is no answer."""
    detail: str = ""
    """A sentence that goes with `reason`."""
    decline_code: str = ""
    """The issuer's reason of a decline, in the processor's words; empty where there is none."""
    advice_code: str = ""
    """What the processor advises to do about a decline; empty where there is none."""
    network_decline_code: str = ""
    """The card network's own code of a decline; empty where there is none."""
    network_advice_code: str = ""
    """The card network's advice about a decline; empty where there is none."""
    asks: int = 0
    """How often the processor has been called, as far as it was written down."""
    in_doubt: int = 0
    """How many calls may have been carried out: each is counted before it is made, and taken back when the processor has
    certainly not taken it. A call whose process has died stays counted."""
    asked_at: datetime | None
    """When the processor may first have received the key; None when it certainly has not."""
    next_ask_at: datetime | None
    """From when on anybody may call again; None once it is decided, or left to a person."""
    decided_at: datetime | None = None
    """When the processor did it or refused it, in its own words."""
    created_at: datetime
    """When it was written down."""
    correlation_id: str
    """The cause it belongs to."""
    traceparent: str
    """W3C trace context of whoever requested it."""

    @property
    def idempotency_key(self) -> str:
        """The key under which the processor does this once, however often it is called."""
        return str(self.id)

    @property
    def authorization_id(self) -> UUID | None:
        """The authorization that this builds on; None where it is one."""
        if self.operation is Operation.AUTHORIZE:
            return None
        return attempt_id(
            tenant_id=self.tenant_id,
            subject_id=self.payment_intent_id,
            operation=Operation.AUTHORIZE,
            number=self.number,
        )

    @property
    def taken_id(self) -> UUID | None:
        """The capture that this gives back; None where it is no refund."""
        if self.operation is not Operation.REFUND:
            return None
        return attempt_id(tenant_id=self.tenant_id, subject_id=self.payment_intent_id, operation=Operation.CAPTURE)

    @property
    def is_certainly_unsent(self) -> bool:
        """Whether no processor can have received a call about it."""
        return self.status is AttemptStatus.PENDING and self.in_doubt == 0

    @property
    def codes(self) -> DeclineCodes:
        """What the processor, the issuer and the network report about its decline."""
        return msgspec.convert(self, DeclineCodes, from_attributes=True)

    @property
    def is_decided(self) -> bool:
        """Whether the processor has reported the outcome."""
        return self.status in DECIDED

    @property
    def is_declined_unreported(self) -> bool:
        """Whether an operator's word or our own records declined it, and not what the processor has under a reference."""
        return is_declined_unreported(self.status, self.reason, self.result_ref)

    @property
    def known_ref(self) -> str:
        """The reference by which what became of it can be read from the processor; empty while there is none."""
        return "" if self.is_decided else self.result_ref

    @property
    def is_method_gone(self) -> bool:
        """Whether a saved payment method was to be charged that was not there when it was last looked for."""
        return self.saved_method_id is not None and not self.processor_customer

    def is_refusal_before(self, requested: "Attempt") -> bool:
        """Return whether this is a refused void although another one is requested: no answer to that one, which may never
        have arrived."""
        return (
            self.status is AttemptStatus.DECLINED
            and self.operation is requested.operation is Operation.VOID
            and self.id != requested.id
        )

    def answers(self, requested: "Attempt") -> bool:
        """Return whether what becomes of this answers a repeated command: voids have ids of their own, and one is enough."""
        if requested.operation is Operation.VOID:
            return self.operation is Operation.VOID
        return self.id == requested.id

    def is_same_operation(self, other: "Attempt") -> bool:
        """Return whether two commands with the same id also have the same content."""
        return _content(self) == _content(other)


def is_declined_unreported(status: str, reason: str, result_ref: str) -> bool:
    """Return whether an operator's word or our own records declined an attempt, and not what the processor has under a reference."""
    is_ours = reason == DeclineReason.NOT_RECEIVED or not result_ref
    return status == AttemptStatus.DECLINED and is_ours


def released(attempts: Iterable[Attempt]) -> frozenset[int]:
    """Return which authorizations of a payment hold nothing any more, by their number: the processor has released them."""
    return frozenset(
        attempt.number
        for attempt in attempts
        if attempt.operation in (Operation.VOID, Operation.EXPIRE) and attempt.status is AttemptStatus.APPROVED
    )


NUMBER_MAX = 9_999
"""More authorizations of one payment than are ever requested."""


def check_number(number: int) -> None:
    """Refuse a number of an authorization that nobody has counted.

    Raises:
        Invalid: when it is negative, or above `NUMBER_MAX`.
    """
    if not 0 <= number <= NUMBER_MAX:
        raise Invalid(f"an authorization cannot have the number {number}")


def check_amount(amount_minor: int, currency: str, operation: Operation) -> None:
    """Refuse an amount that nobody can charge, before anything is written down.

    What was authorized is captured, voided and refunded also where its currency was withdrawn meanwhile.

    Raises:
        Invalid: when it is not above zero, above `AMOUNT_MINOR_MAX`, or of no currency that this can be done in.
    """
    if not 0 < amount_minor <= AMOUNT_MINOR_MAX:
        raise InvalidAmount(f"an amount of {amount_minor} minor units cannot be charged")
    if not (is_currency(currency) if operation is Operation.AUTHORIZE else is_known_currency(currency)):
        raise UnsupportedCurrency(f"{currency!r} is not an active currency")


def attempt_id(*, tenant_id: str, subject_id: UUID, operation: Operation, number: int = 0) -> UUID:
    """Name the one attempt of `operation` on a subject: the intent, or whatever an intent can have several of.

    `number` is that of an authorization, and of what ends its hold; a capture has none, since one of a payment is the most.

    Derived, not minted: even if our table were lost and restored from yesterday, the processor would receive the same key.
    """
    return derived_id(subject_id, f"{operation}:{tenant_id}:{number}" if number else f"{operation}:{tenant_id}")
