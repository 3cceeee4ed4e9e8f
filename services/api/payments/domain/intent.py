"""What a payment intent is, and which money another service may report about it."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from libs.common.contracts.gateway_methods import PaymentMethodType
from libs.common.money import format_minor
from services.api.errors import ContradictoryOutcome, NotYet
from services.api.payments.domain.lifecycle import Stage, Status


class CaptureMethod(StrEnum):
    """When held funds are taken."""

    AUTOMATIC = "automatic"
    """As soon as they are held."""
    MANUAL = "manual"
    """When the merchant captures them."""


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
    return_url: str = ""
    """Where the customer comes back to after proving who they are; empty: as the tenant's gateway is set."""
    payment_method_type: PaymentMethodType = PaymentMethodType.CARD
    """How the customer pays."""
    customer_id: UUID | None = None
    """The customer whose payment it is, where it is one's."""
    saved_method_id: UUID | None = None
    """The saved payment method of that customer that is charged; None: `payment_method`."""
    off_session: bool = False
    """Whether the customer is not there to prove anything: what needs that is declined."""
    attempt: int = 0
    """Which authorization it is, counted from 0 as the gateway counts them: one more each time that it is confirmed again, after
    a decline or with another method than the one that its customer is to prove something for."""
    unsent_attempts: int = 0
    """How many of them the gateway has declined without a call, since an earlier one was not over at the processor."""
    billing_details: str = ""
    """Who pays, as JSON; empty where the payment method type does not need it. Never shown again."""
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
    next_action: str | None = None
    """What the customer has to do, as JSON, while that is required and more is known than a place."""
    expires_at: datetime | None = None
    """When held funds are released by themselves, where that is known and somebody has to act before."""
    capturing_minor: int = 0
    """What a merchant's capture is to take, in minor units; 0 before one is requested."""
    is_voiding: bool = False
    """Whether the funds are to be released, and it is not known yet that they are."""
    captured_minor: int = 0
    """What the processor has taken, in minor units."""
    refunding_minor: int = 0
    """What pending refunds are to give back, in minor units."""
    refunded_minor: int = 0
    """What was given back, in minor units."""
    disputed_minor: int = 0
    """What customers' banks have taken back and not returned, in minor units; it may be more than is left."""
    failure_code: str | None = None
    """Why it failed, as a stable snake_case word."""
    failure_message: str | None = None
    """Why it failed, as a sentence for people."""
    decline_code: str | None = None
    """The issuer's reason of a decline, in the processor's words."""
    advice_code: str | None = None
    """What the processor advises to do about a decline."""
    network_decline_code: str | None = None
    """The card network's own code of a decline."""
    network_advice_code: str | None = None
    """The card network's advice about a decline."""
    version: int = 1
    """Raised by every change; a change is saved only over the version it was decided on."""
    created_at: datetime
    """When the merchant created it."""
    updated_at: datetime
    """When it last changed."""
    authorized_at: datetime | None = None
    """When the issuer's promise reached us."""
    settled_at: datetime | None = None
    """When both the capture and its posting were known."""

    @property
    def stage(self) -> Stage:
        """Where it stands, with what is requested and not answered."""
        if self.status is Status.AUTHORIZED:
            if self.captured_minor > 0:
                return Stage.CAPTURED
            if self.is_voiding:
                return Stage.VOIDING
            is_requested = self.capture_method is CaptureMethod.AUTOMATIC or self.capturing_minor > 0
            return Stage.CAPTURING if is_requested else Stage.AUTHORIZED
        if self.status is Status.REQUIRES_ACTION and self.is_voiding:
            return Stage.ABANDONING
        if self.status is Status.EXPIRED and self.authorized_at is None:
            return Stage.LAPSED
        if self.status is Status.FAILED and self.authorized_at is None:
            return Stage.DECLINED
        if self.status is Status.PROCESSING and self.is_voiding:
            return Stage.CANCELLING
        return Stage(self.status.lower())

    @property
    def requested_minor(self) -> int:
        """What a capture requests, in minor units: all that is held, unless the merchant captures less."""
        return self.capturing_minor or self.amount_minor

    @property
    def authorized_minor(self) -> int:
        """What the issuer has promised, in minor units: all or nothing."""
        return 0 if self.authorized_at is None else self.amount_minor

    @property
    def refundable_minor(self) -> int:
        """What can still be given back, in minor units."""
        return max(0, self.captured_minor - self.refunded_minor - self.refunding_minor - self.disputed_minor)

    @property
    def is_given_back_twice(self) -> bool:
        """Whether refunds and disputes took more than was captured: both went through for the same money."""
        returned = (self.refunded_minor, self.disputed_minor)
        return min(returned) > 0 and sum(returned) > self.captured_minor

    def is_over(self, attempt: int) -> bool:
        """Return whether one of its authorizations is an earlier one, of which reports change nothing any more.

        Raises:
            NotYet: when it is one that was not requested yet.
        """
        if attempt > self.attempt:
            raise NotYet(f"payment intent {self.id} is at authorization {self.attempt}: {attempt} was not requested")
        return attempt < self.attempt

    def money(self, amount_minor: int) -> str:
        """Write an amount of minor units in the intent's currency."""
        return format_minor(amount_minor, self.currency)


def require_same_money(intent: PaymentIntent, *, amount_minor: int, currency: str) -> None:
    """Hold another service to the amount that this intent is about.

    Raises:
        ContradictoryOutcome: when it reports other money.
    """
    if (amount_minor, currency) != (intent.amount_minor, intent.currency):
        raise _other_money(intent, amount_minor, currency)


def require_captured_money(intent: PaymentIntent, *, amount_minor: int, currency: str) -> None:
    """Hold another service to what can have been captured: no more than authorized, and always the same amount.

    Raises:
        ContradictoryOutcome: when it reports other money.
    """
    known = intent.captured_minor or amount_minor
    if currency != intent.currency or not amount_minor == known <= intent.amount_minor:
        raise _other_money(intent, amount_minor, currency)


def _other_money(intent: PaymentIntent, amount_minor: int, currency: str) -> ContradictoryOutcome:
    return ContradictoryOutcome(
        f"payment intent {intent.id} is about {intent.amount_minor} {intent.currency} in minor units, "
        f"{intent.captured_minor} captured, not {amount_minor} {currency}"
    )
