"""The gateway's commands and events: authorizations, captures, voids, refunds and disputes at the processor.

Amounts are integer minor units of the currency. Every message about a payment names its intent, under whose id all are found
again, in whatever order they arrive. What one payment can have several of (refunds, disputes, fees) has an id of its own.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.contracts.base import Message, command, event
from libs.common.contracts.gateway_actions import NextAction
from libs.common.contracts.gateway_base import INTENT, AttemptMessage, PaymentCommand, PaymentMessage, Refused
from libs.common.contracts.gateway_declines import DeclineCodes
from libs.common.contracts.gateway_methods import BillingDetails, PaymentMethodType

_REFUND: dict[str, Any] = {"refund_id": "0190f3a4-5b6c-7d8e-9f01-23456789abd2"}
_DISPUTE: dict[str, Any] = {
    "dispute_id": "0190f3a4-5b6c-7d8e-9f01-23456789abd3",
    "gateway_ref": "dp_1Ozabc",
    "happened_at": "2026-11-24T09:00:00Z",
}


@command(
    "payment.authorize",
    owner="gateway",
    published_by=("api",),
    example=INTENT | {"customer_ref": "customer@example.com"},
)
class AuthorizePayment(PaymentCommand, frozen=True, kw_only=True):
    """Ask the issuer to hold the funds. Published by the api on confirm; sent twice, it happens once."""

    customer_ref: str = ""
    """The merchant's reference of the customer, passed on to the processor for its own risk checks."""
    payment_method: str = ""
    """The processor's token of what is charged, `pm_card_visa`; empty: the one that the tenant's gateway is set to."""
    capture_method: str = "automatic"
    """`manual` where the funds are held until the merchant decides: the gateway then watches the end of the hold."""
    return_url: str = ""
    """Where the customer comes back to after proving who they are; empty: as the tenant's gateway is set."""
    payment_method_type: PaymentMethodType = PaymentMethodType.CARD
    """How the customer pays."""
    billing_details: BillingDetails | None = None
    """Who pays, where the payment method type needs to know."""
    customer_id: UUID | None = None
    """The api's customer, where the payment is one's."""
    saved_method_id: UUID | None = None
    """The saved payment method of that customer that is charged, through the account that has it; None: `payment_method`."""
    off_session: bool = False
    """Whether the customer is not there to prove anything: what needs that is declined."""


@command(
    "payment.capture", owner="gateway", published_by=("api",), example=INTENT | {"gateway_ref": "sandbox_0190f3a4"}
)
class CapturePayment(PaymentCommand, frozen=True, kw_only=True):
    """Take funds that are held. Published by the api once; a smaller amount than was authorized releases the rest."""

    gateway_ref: str
    """The processor's reference of the authorization."""


@command(
    "payment.report_capture",
    owner="gateway",
    published_by=("api",),
    example={"payment_intent_id": INTENT["payment_intent_id"]},
)
class ReportCapture(Message, frozen=True, kw_only=True):
    """Report what the gateway's own records have of a payment's capture. Published by the api when it handles a capture
    that it did not request: made at the processor by a person, or forged."""

    payment_intent_id: UUID
    """The intent that this is about."""


@command("payment.void", owner="gateway", published_by=("api",), example=INTENT | {"gateway_ref": "sandbox_0190f3a4"})
class VoidPayment(PaymentCommand, frozen=True, kw_only=True):
    """Release funds that are held. Published by the api; sent twice, it happens once."""

    gateway_ref: str
    """The processor's reference of the authorization."""
    reason: str = ""
    """`abandoned` where the customer has left; else empty."""


@command(
    "payment.refund",
    owner="gateway",
    published_by=("api",),
    example=INTENT | _REFUND | {"gateway_ref": "sandbox_0190f3a4", "reason": "requested_by_customer"},
)
class RefundPayment(PaymentCommand, frozen=True, kw_only=True):
    """Give captured funds back, all or a part. Published by the api once per refund; sent twice, it happens once."""

    refund_id: UUID
    """The refund: what makes two refunds of one payment two."""
    gateway_ref: str
    """The processor's reference of the payment."""
    reason: str = ""
    """The merchant's words, up to 500 characters."""


@event(
    "payment.action_required",
    owner="gateway",
    handled_by=("api",),
    example=INTENT | {"gateway_ref": "pi_3Ozabc", "action_url": "https://merchant.example/authenticate/1"},
)
class PaymentActionRequired(AttemptMessage, frozen=True, kw_only=True):
    """The customer must prove something to the issuer before the funds are held (3-D Secure), or pay a code or a slip. Handled by the api."""

    gateway_ref: str
    """The processor's reference of the payment."""
    action_url: str = ""
    """Where the customer does so, without the secret that opens the page; empty where the processor's client library leads
    the way."""
    next_action: NextAction | None = None
    """What the customer has to do, where more is known than an address."""


@event("payment.authorized", owner="gateway", handled_by=("api",), example=INTENT | {"gateway_ref": "sandbox_0190f3a4"})
class PaymentAuthorized(AttemptMessage, frozen=True, kw_only=True):
    """The processor holds the funds. Handled by the api."""

    gateway_ref: str
    """The processor's reference of the authorization."""
    expires_at: datetime | None = None
    """When the hold ends by itself, where the processor says so."""


@event(
    "payment.declined",
    owner="gateway",
    handled_by=("api",),
    example=INTENT | {"reason": "card_declined", "detail": "Declined.", "codes": {"decline_code": "do_not_honor"}},
)
class AuthorizationDeclined(Refused, frozen=True, kw_only=True):
    """The processor or the issuer refused, for good. Handled by the api."""

    attempt: int = 0
    """Which authorization of the payment it is about, counted from 0."""
    codes: DeclineCodes = DeclineCodes()
    """What the processor, the issuer and the network say, in their own words."""


@event(
    "payment.captured",
    owner="gateway",
    handled_by=("api", "ledger"),
    example=INTENT | {"gateway_ref": "sandbox_0190f3a4", "captured_at": "2026-11-22T17:57:08.101598Z"},
)
class PaymentCaptured(PaymentMessage, frozen=True, kw_only=True):
    """The processor took the funds: `amount_minor` of them, the rest is released. Handled by the ledger and by the api."""

    gateway_ref: str
    """The processor's reference of the payment."""
    captured_at: datetime
    """When the processor took them, in UTC: the entry's `occurred_at`."""


@event(
    "payment.capture_reported",
    owner="gateway",
    handled_by=("api",),
    example=INTENT | {"command_id": "0190f3a4-5b6c-7d8e-9f01-23456789abd6", "gateway_ref": "pi_3Ozabc"},
)
class CaptureReported(Message, frozen=True, kw_only=True):
    """What the gateway's own records have of a payment's capture. Handled by the api, which published the command."""

    payment_intent_id: UUID
    """The intent that this is about."""
    command_id: UUID
    """The event id of the `ReportCapture` that this answers: known to nobody who has not read that command."""
    amount_minor: int
    """What the processor has taken, in minor units of `currency`; 0 where no capture is known."""
    currency: str
    """ISO 4217 code, upper case; empty where no capture is known."""
    gateway_ref: str = ""
    """The processor's reference of the payment that was taken; empty where no capture is known."""


@event(
    "payment.capture_failed",
    owner="gateway",
    handled_by=("api",),
    example=INTENT | {"reason": "authorization_expired", "detail": "The authorization has expired."},
)
class CaptureFailed(Refused, frozen=True, kw_only=True):
    """The processor refused to take held funds, for good. Handled by the api."""

    codes: DeclineCodes = DeclineCodes()
    """What the processor, the issuer and the network say, in their own words."""


@event(
    "payment.voided",
    owner="gateway",
    handled_by=("api",),
    example=INTENT | {"gateway_ref": "sandbox_0190f3a4", "voided_at": "2026-11-22T18:57:08Z"},
)
class PaymentVoided(AttemptMessage, frozen=True, kw_only=True):
    """The processor released the held funds, as we requested. Handled by the api."""

    gateway_ref: str
    """The processor's reference of the authorization."""
    voided_at: datetime
    """When the processor released them, in UTC."""


@event(
    "payment.void_failed",
    owner="gateway",
    handled_by=("api",),
    example=INTENT | {"reason": "already_captured", "detail": "The payment has been captured."},
)
class VoidFailed(Refused, frozen=True, kw_only=True):
    """The processor refused to release held funds, for good. Handled by the api."""

    attempt: int = 0
    """Which authorization of the payment it is about, counted from 0."""


@event(
    "payment.authorization_expired",
    owner="gateway",
    handled_by=("api",),
    example=INTENT | {"gateway_ref": "sandbox_0190f3a4", "expired_at": "2026-11-29T17:57:07Z"},
)
class AuthorizationExpired(AttemptMessage, frozen=True, kw_only=True):
    """The hold ended by itself, before anybody captured it; or the customer did not pay a code or a slip in time. Handled by the api."""

    gateway_ref: str
    """The processor's reference of the authorization."""
    expired_at: datetime
    """When it ended, in UTC."""
    was_held: bool = True
    """Whether funds were held until then; False where nothing was paid."""


@event(
    "refund.succeeded",
    owner="gateway",
    handled_by=("api", "ledger"),
    example=INTENT | _REFUND | {"gateway_ref": "re_1Ozabc", "refunded_at": "2026-11-23T10:00:00Z"},
)
class RefundSucceeded(PaymentMessage, frozen=True, kw_only=True):
    """The processor gave the money back: `amount_minor` of it. Handled by the ledger, which posts it, and by the api."""

    refund_id: UUID
    """The refund."""
    gateway_ref: str
    """The processor's reference of the refund."""
    refunded_at: datetime
    """When the processor did it, in UTC: the entry's `occurred_at`."""
    by_statement: bool = False
    """Whether the processor's statement books the money that left it."""
    is_adopted: bool = False
    """Whether nobody requested it from us: it was made at the processor, and becomes a refund of ours by this event."""


@event(
    "refund.failed",
    owner="gateway",
    handled_by=("api", "ledger"),
    example=INTENT
    | _REFUND
    | {
        "reason": "processor_refused",
        "detail": "The account of the customer is closed.",
        "after_success": True,
        "failed_at": "2026-11-25T10:00:00Z",
    },
)
class RefundFailed(Refused, frozen=True, kw_only=True):
    """The money did not reach the customer. Handled by the api, and by the ledger, which undoes what it had posted."""

    refund_id: UUID
    """The refund."""
    after_success: bool = False
    """Whether `RefundSucceeded` was published before: only then is there an entry to undo."""
    failed_at: datetime
    """When it happened at the processor, in UTC."""
    by_statement: bool = False
    """Whether the processor's statement books the money that came back to it."""


class DisputeMessage(PaymentMessage, frozen=True, kw_only=True):
    """What every message about a dispute names; `amount_minor` is the disputed amount."""

    dispute_id: UUID
    """The dispute."""
    gateway_ref: str
    """The processor's reference of the dispute."""
    happened_at: datetime
    """When the processor did it, in UTC: the entry's `occurred_at`."""
    by_statement: bool = False
    """Whether the processor's statement books the money that is taken and given back."""


@event(
    "dispute.opened",
    owner="gateway",
    handled_by=("api", "ledger"),
    example=INTENT | _DISPUTE | {"reason": "fraudulent", "evidence_due_at": "2026-12-01T23:59:59Z"},
)
class DisputeOpened(DisputeMessage, frozen=True, kw_only=True):
    """The customer's bank took the money back until it is decided. Handled by the api and the ledger."""

    reason: str
    """The bank's reason, as a stable snake_case word: `fraudulent`, `product_not_received`."""
    evidence_due_at: datetime | None = None
    """Until when the merchant may answer, where the processor says so."""


@event(
    "dispute.inquiry_opened",
    owner="gateway",
    handled_by=("api",),
    example=INTENT | _DISPUTE | {"reason": "fraudulent", "evidence_due_at": "2026-12-01T23:59:59Z"},
)
class InquiryOpened(DisputeMessage, frozen=True, kw_only=True):
    """The bank inquires, and takes nothing; the same `dispute_id` may become a dispute. Handled by the api."""

    reason: str
    """The bank's reason, as a stable snake_case word."""
    evidence_due_at: datetime | None = None
    """Until when the merchant may answer, where the processor says so."""


@event("dispute.inquiry_closed", owner="gateway", handled_by=("api",), example=INTENT | _DISPUTE)
class InquiryClosed(DisputeMessage, frozen=True, kw_only=True):
    """The bank's inquiry ended without a dispute. Handled by the api."""


class DisputeDecision(DisputeMessage, frozen=True, kw_only=True):
    """What the bank has decided, perhaps against an earlier decision of its own."""

    reversals: int = 0
    """How often it had reversed its decision by then: 0 is the first decision."""


@event("dispute.won", owner="gateway", handled_by=("api", "ledger"), example=INTENT | _DISPUTE)
class DisputeWon(DisputeDecision, frozen=True, kw_only=True):
    """The bank gave the disputed money back. Handled by the api and the ledger."""


@event("dispute.lost", owner="gateway", handled_by=("api", "ledger"), example=INTENT | _DISPUTE)
class DisputeLost(DisputeDecision, frozen=True, kw_only=True):
    """The disputed money is gone. Handled by the api and the ledger."""


@event(
    "processor_fee.charged",
    owner="gateway",
    handled_by=("ledger",),
    example=INTENT
    | {
        "fee_id": "0190f3a4-5b6c-7d8e-9f01-23456789abd5",
        "amount_minor": 467,
        "gateway_ref": "txn_1Ozabc",
        "charged_at": "2026-11-22T17:57:08Z",
    },
)
class ProcessorFeeCharged(PaymentMessage, frozen=True, kw_only=True):
    """The processor kept a fee on a payment, refund or dispute; `amount_minor` is the fee. Handled by the ledger."""

    fee_id: UUID
    """The fee; derived from the processor's transaction, so the same fee is posted once."""
    gateway_ref: str
    """The processor's reference of the transaction."""
    charged_at: datetime
    """When, in UTC: the entry's `occurred_at`."""
