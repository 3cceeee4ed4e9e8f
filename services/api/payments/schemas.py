"""REST shapes: what clients send and see. Amounts are decimal strings with exactly the currency's decimals."""

from typing import Annotated
from uuid import UUID

import msgspec

from libs.common.clock import iso
from libs.common.contracts.gateway_actions import PixDisplayQrCode, decode_next_action
from libs.common.contracts.gateway_methods import BillingDetails, PaymentMethodType
from libs.common.money import format_minor
from services.api.http.rendering import ALL, AmountIn
from services.api.payments.domain import (
    CaptureMethod,
    Dispute,
    DisputeStatus,
    PaymentIntent,
    Refund,
    RefundStatus,
    Status,
    TimelineEvent,
)

_encoder = msgspec.json.Encoder()


type ReturnUrl = Annotated[
    str,
    msgspec.Meta(
        max_length=2048,
        # Printable, without spaces: it becomes a link. Before its end `$` would also let a line break through.
        pattern=r"^https?://[!-~]+(?!\n)$",
        description="Where the customer comes back to after proving who they are: an absolute http or https URL.",
    ),
]


type PaymentMethodIn = Annotated[
    str,
    msgspec.Meta(
        max_length=255,
        description="The processor's token of what is charged; or the id of a payment method that is saved of the payment's "
        "`customer`.",
    ),
]
type OffSession = Annotated[
    bool,
    msgspec.Meta(
        description="Whether the customer is not there: the saved `payment_method` is charged, or declined with "
        "`authentication_required` where its issuer wants a proof."
    ),
]


class CreatePaymentIntent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A wish to be paid."""

    amount: AmountIn
    currency: Annotated[str, msgspec.Meta(min_length=3, max_length=8, description="ISO 4217 code, upper case.")]
    customer_ref: Annotated[
        str, msgspec.Meta(min_length=1, max_length=128, description="Your own reference of the customer.")
    ]
    description: Annotated[str, msgspec.Meta(max_length=500, description="Your own words.")] | None = None
    metadata: (
        Annotated[
            dict[
                Annotated[str, msgspec.Meta(min_length=1, max_length=40)], Annotated[str, msgspec.Meta(max_length=500)]
            ],
            msgspec.Meta(max_length=50, description="Your own pairs: 50 keys of 40 characters, values of 500."),
        ]
        | None
    ) = None
    capture_method: (
        Annotated[
            CaptureMethod,
            msgspec.Meta(description="`automatic`: captured once authorized; `manual`: when you say so."),
        ]
        | None
    ) = None
    payment_method: PaymentMethodIn | None = None
    customer: Annotated[UUID, msgspec.Meta(description="The customer whose payment it is.")] | None = None
    off_session: OffSession | None = None
    payment_method_type: (
        Annotated[
            PaymentMethodType,
            msgspec.Meta(description="`card` where absent; `pix` and `boleto` for BRL, captured at once."),
        ]
        | None
    ) = None
    billing_details: (
        Annotated[BillingDetails, msgspec.Meta(description="Who pays; a boleto needs it. Never shown again.")] | None
    ) = None
    return_url: ReturnUrl | None = None


class ConfirmPaymentIntent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to begin to collect; nothing is needed. A payment that was declined goes on with a `payment_method` alone, one
    that is REQUIRES_ACTION with another one than its own or by its customer's proof."""

    payment_method: PaymentMethodIn | None = None
    off_session: OffSession | None = None
    return_url: ReturnUrl | None = None


class CaptureRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much to take; without an amount, all that is authorized."""

    amount: AmountIn = msgspec.field(default_factory=lambda: ALL)


class RefundRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much to give back; without an amount, all that is left."""

    amount: AmountIn = msgspec.field(default_factory=lambda: ALL)
    reason: Annotated[str, msgspec.Meta(max_length=500, description="Your own words.")] | None = None


class PixBody(msgspec.Struct, frozen=True, kw_only=True):
    """A Pix code that the customer pays in the app of a bank."""

    data: Annotated[str, msgspec.Meta(description="The text of the code: to be copied, or drawn as a QR code.")]
    image_url_png: Annotated[str, msgspec.Meta(description="The QR code as an image, or empty.")]
    hosted_instructions_url: Annotated[str, msgspec.Meta(description="A page that shows the code, or empty.")]
    expires_at: Annotated[str, msgspec.Meta(description="Until when it can be paid.")] | None


class BoletoBody(msgspec.Struct, frozen=True, kw_only=True):
    """A boleto that the customer pays at a bank."""

    number: Annotated[str, msgspec.Meta(description="The number of the slip.")]
    pdf: Annotated[str, msgspec.Meta(description="The slip as a PDF, or empty.")]
    hosted_voucher_url: Annotated[str, msgspec.Meta(description="A page that shows the slip, or empty.")]
    expires_at: Annotated[str, msgspec.Meta(description="Until when it can be paid.")] | None


class NextActionBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the customer does next: goes to `url`, goes on in the processor's client library, or pays a code or a slip."""

    type: Annotated[
        str,
        msgspec.Meta(description="`redirect`, `use_stripe_sdk`, `pix_display_qr_code` or `boleto_display_details`."),
    ]
    url: Annotated[str, msgspec.Meta(description="Where to send the customer; not with `use_stripe_sdk`.")] = ""
    pix_display_qr_code: PixBody | None = None
    boleto_display_details: BoletoBody | None = None


class ClientActionBody(NextActionBody, frozen=True, kw_only=True, omit_defaults=True):
    """What the customer does next, with what the processor's client library needs for it."""

    client_secret: Annotated[
        str, msgspec.Meta(description="For the customer's own browser only: do not log or store it.")
    ] = ""


class PaymentIntentBody(msgspec.Struct, frozen=True, kw_only=True):
    """A payment intent as clients see it."""

    id: str
    amount: Annotated[str, msgspec.Meta(description="Decimal string with exactly the currency's decimals.")]
    currency: str
    status: Status
    customer_ref: str
    gateway_ref: str | None
    created_at: str
    updated_at: str
    order_id: str | None
    description: str | None
    metadata: dict[str, str]
    capture_method: CaptureMethod
    payment_method: Annotated[str, msgspec.Meta(description="A token, or the id of what is saved.")] | None
    customer: Annotated[str, msgspec.Meta(description="The customer whose payment it is.")] | None
    off_session: bool
    return_url: str | None
    payment_method_type: PaymentMethodType
    action_url: (
        Annotated[
            str,
            msgspec.Meta(
                description="Where the customer acts, while that is required. Whole in the answer to a confirmation and in "
                "`GET .../next-action`; elsewhere without the secret that opens the page."
            ),
        ]
        | None
    )
    expires_at: Annotated[str, msgspec.Meta(description="When held funds are released, if not captured.")] | None
    authorized_amount: str
    captured_amount: str
    refunded_amount: Annotated[str, msgspec.Meta(description="What was given back; pending refunds not yet.")]
    disputed_amount: Annotated[str, msgspec.Meta(description="What customers' banks took back and have not returned.")]
    failure_code: str | None
    failure_message: str | None
    decline_code: Annotated[str, msgspec.Meta(description="The issuer's reason: `insufficient_funds`.")] | None
    advice_code: Annotated[str, msgspec.Meta(description="What to do next: `try_again_later`.")] | None
    network_decline_code: Annotated[str, msgspec.Meta(description="The card network's own code: `51`.")] | None
    network_advice_code: Annotated[str, msgspec.Meta(description="The card network's advice: `03`.")] | None
    next_action: (
        Annotated[NextActionBody, msgspec.Meta(description="What the customer does next, while that is required.")]
        | None
    )


class RefundBody(msgspec.Struct, frozen=True, kw_only=True):
    """A refund as clients see it."""

    id: str
    payment_intent_id: str
    amount: str
    currency: str
    reason: str | None
    status: Annotated[RefundStatus, msgspec.Meta(description="PENDING until the processor has reported how it ended.")]
    gateway_ref: str | None
    failure_code: str | None
    failure_message: str | None
    created_at: str
    updated_at: str


class DisputeBody(msgspec.Struct, frozen=True, kw_only=True):
    """A dispute as clients see it."""

    id: str
    payment_intent_id: str
    amount: str
    currency: str
    reason: Annotated[str, msgspec.Meta(description="The bank's reason: `fraudulent`.")]
    status: DisputeStatus
    gateway_ref: str
    evidence_due_at: Annotated[str, msgspec.Meta(description="Until when you may answer.")] | None
    opened_at: str
    updated_at: str


class TimelineEventBody(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to a payment intent."""

    id: Annotated[str, msgspec.Meta(description="The message that tells it; a webhook of it carries the same id.")]
    type: Annotated[
        str, msgspec.Meta(description="What happened: `payment.authorized`; `payment.given_back_twice` has no webhook.")
    ]
    status: Annotated[Status, msgspec.Meta(description="The status from then on.")]
    actor: Annotated[str, msgspec.Meta(description="Who made it happen: a subject, or `gateway`, `ledger`.")]
    cause_id: Annotated[str, msgspec.Meta(description="The message that was received.")] | None
    correlation_id: Annotated[str, msgspec.Meta(description="The request that set it in motion.")]
    occurred_at: str


class PaymentIntentPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of payment intents, newest first."""

    data: list[PaymentIntentBody]
    total: Annotated[
        int, msgspec.Meta(description="How many there are on all pages; absent after a cursor, and with `total=false`.")
    ] | (msgspec.UnsetType) = msgspec.UNSET
    page: Annotated[int, msgspec.Meta(description="From 1; absent after a cursor.")] | msgspec.UnsetType = msgspec.UNSET
    pageSize: int  # noqa: N815 - the name that clients of this API read
    next_cursor: str | None


class OrderPayment(msgspec.Struct, frozen=True, kw_only=True):
    """The payment of an order."""

    id: str
    order_id: str
    status: Status
    amount: str


def next_action(intent: PaymentIntent) -> NextActionBody | None:
    """Show what the customer does next; None where nothing is required of them."""
    if intent.is_voiding:
        # The merchant has let go of it: a code that is still shown would be paid.
        return None
    if (action := decode_next_action(intent.next_action)) is not None:
        url, until = intent.action_url or "", None if action.expires_at is None else iso(action.expires_at)
        if isinstance(action, PixDisplayQrCode):
            pix = PixBody(
                data=action.data,
                image_url_png=action.image_url_png,
                hosted_instructions_url=action.hosted_instructions_url,
                expires_at=until,
            )
            return NextActionBody(type="pix_display_qr_code", url=url, pix_display_qr_code=pix)
        boleto = BoletoBody(
            number=action.number, pdf=action.pdf, hosted_voucher_url=action.hosted_voucher_url, expires_at=until
        )
        return NextActionBody(type="boleto_display_details", url=url, boleto_display_details=boleto)
    if intent.status is not Status.REQUIRES_ACTION:
        return None
    if intent.action_url:
        return NextActionBody(type="redirect", url=intent.action_url)
    return NextActionBody(type="use_stripe_sdk")


def intent_body(intent: PaymentIntent) -> PaymentIntentBody:
    """Show an intent as clients see it."""
    return PaymentIntentBody(
        id=str(intent.id),
        amount=format_minor(intent.amount_minor, intent.currency),
        currency=intent.currency,
        status=intent.status,
        customer_ref=intent.customer_ref,
        gateway_ref=intent.gateway_ref,
        created_at=iso(intent.created_at),
        updated_at=iso(intent.updated_at),
        order_id=intent.order_id,
        description=intent.description,
        metadata=intent.metadata,
        capture_method=intent.capture_method,
        payment_method=str(intent.saved_method_id) if intent.saved_method_id else intent.payment_method or None,
        customer=None if intent.customer_id is None else str(intent.customer_id),
        off_session=intent.off_session,
        return_url=intent.return_url or None,
        payment_method_type=intent.payment_method_type,
        action_url=None if intent.is_voiding else intent.action_url,
        expires_at=None if intent.expires_at is None else iso(intent.expires_at),
        authorized_amount=format_minor(intent.authorized_minor, intent.currency),
        captured_amount=format_minor(intent.captured_minor, intent.currency),
        refunded_amount=format_minor(intent.refunded_minor, intent.currency),
        disputed_amount=format_minor(intent.disputed_minor, intent.currency),
        failure_code=intent.failure_code,
        failure_message=intent.failure_message,
        decline_code=intent.decline_code,
        advice_code=intent.advice_code,
        network_decline_code=intent.network_decline_code,
        network_advice_code=intent.network_advice_code,
        next_action=next_action(intent),
    )


def refund_body(refund: Refund) -> RefundBody:
    """Show a refund as clients see it."""
    return RefundBody(
        id=str(refund.id),
        payment_intent_id=str(refund.payment_intent_id),
        amount=format_minor(refund.amount_minor, refund.currency),
        currency=refund.currency,
        reason=refund.reason,
        status=refund.status,
        gateway_ref=refund.gateway_ref,
        failure_code=refund.failure_code,
        failure_message=refund.failure_message,
        created_at=iso(refund.created_at),
        updated_at=iso(refund.updated_at),
    )


def dispute_body(dispute: Dispute) -> DisputeBody:
    """Show a dispute as clients see it."""
    return DisputeBody(
        id=str(dispute.id),
        payment_intent_id=str(dispute.payment_intent_id),
        amount=format_minor(dispute.amount_minor, dispute.currency),
        currency=dispute.currency,
        reason=dispute.reason,
        status=dispute.status,
        gateway_ref=dispute.gateway_ref,
        evidence_due_at=None if dispute.evidence_due_at is None else iso(dispute.evidence_due_at),
        opened_at=iso(dispute.opened_at),
        updated_at=iso(dispute.updated_at),
    )


def event_body(event: TimelineEvent) -> TimelineEventBody:
    """Show an event as clients see it."""
    return TimelineEventBody(
        id=str(event.id),
        type=event.type,
        status=Status(event.status),
        actor=event.actor,
        cause_id=None if event.cause_id is None else str(event.cause_id),
        correlation_id=event.correlation_id,
        occurred_at=iso(event.occurred_at),
    )


def render_intent(intent: PaymentIntent) -> bytes:
    """Write an intent as clients see it."""
    return _encoder.encode(intent_body(intent))


def render_refund(refund: Refund) -> bytes:
    """Write a refund as clients see it."""
    return _encoder.encode(refund_body(refund))
