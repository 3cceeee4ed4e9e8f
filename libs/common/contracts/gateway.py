"""What the gateway is asked and what it says: authorizations and captures at the payment processor.

Amounts are integer minor units of the currency. Every message names the payment intent, under whose id all of them can
be found again, whatever the order in which they arrive.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.contracts.base import Message, command, event

_INTENT: dict[str, Any] = {
    "payment_intent_id": "0190f3a4-5b6c-7d8e-9f01-23456789abce",
    "amount_minor": 15050,
    "currency": "BRL",
}


class PaymentMessage(Message, frozen=True, kw_only=True):
    """What every message of the gateway names."""

    payment_intent_id: UUID
    """The intent that this is about."""
    amount_minor: int
    """Amount in minor units of `currency`, above zero."""
    currency: str
    """ISO 4217 code, upper case."""


@command(
    "payment.authorize", owner="gateway", said_by=("api",), example=_INTENT | {"customer_ref": "customer@example.com"}
)
class AuthorizePayment(PaymentMessage, frozen=True, kw_only=True):
    """Ask the issuer to hold the funds. Said by the api on confirm; asked twice, it happens once."""

    customer_ref: str = ""
    """The merchant's reference of the customer, passed on to the processor for its own risk checks."""


@command("payment.capture", owner="gateway", said_by=("api",), example=_INTENT | {"gateway_ref": "sandbox_0190f3a4"})
class CapturePayment(PaymentMessage, frozen=True, kw_only=True):
    """Take funds that are held. Said by the api once authorized; asked twice, it happens once."""

    gateway_ref: str
    """The processor's reference of the authorization."""


@event("payment.authorized", owner="gateway", heard_by=("api",), example=_INTENT | {"gateway_ref": "sandbox_0190f3a4"})
class PaymentAuthorized(PaymentMessage, frozen=True, kw_only=True):
    """The processor holds the funds. Heard by the api."""

    gateway_ref: str
    """The processor's reference of the authorization."""
    expires_at: datetime | None = None
    """When the hold ends by itself, where the processor says so."""


@event(
    "payment.declined",
    owner="gateway",
    heard_by=("api",),
    example=_INTENT | {"reason": "insufficient_funds", "detail": "The issuer declined the payment."},
)
class AuthorizationDeclined(PaymentMessage, frozen=True, kw_only=True):
    """The processor or the issuer said no, for good. Heard by the api."""

    reason: str
    """A stable snake_case word: `insufficient_funds`, `card_declined`, `processor_refused`."""
    detail: str
    """A sentence that may be shown to a person."""


@event(
    "payment.captured",
    owner="gateway",
    heard_by=("api", "ledger"),
    example=_INTENT | {"gateway_ref": "sandbox_0190f3a4", "captured_at": "2026-11-22T17:57:08.101598Z"},
)
class PaymentCaptured(PaymentMessage, frozen=True, kw_only=True):
    """The processor took the funds. Heard by the ledger, which posts it, and by the api."""

    gateway_ref: str
    """The processor's reference of the payment."""
    captured_at: datetime
    """When the processor took them, in UTC: the entry's `occurred_at`."""


@event(
    "payment.capture_failed",
    owner="gateway",
    heard_by=("api",),
    example=_INTENT | {"reason": "authorization_expired", "detail": "The authorization has expired."},
)
class CaptureFailed(PaymentMessage, frozen=True, kw_only=True):
    """The processor refused to take held funds, for good. Heard by the api."""

    reason: str
    """A stable snake_case word: `authorization_expired`, `processor_refused`."""
    detail: str
    """A sentence that may be shown to a person."""
