"""What the api says: the life of a payment intent, flat and public, which tenants exist, and that access has changed.

The notifier hears every public event in packs and delivers it to merchants; other teams hear it on `payments.x`.
Money in public events is a decimal string with exactly the currency's decimals.
"""

from typing import Any
from uuid import UUID

from libs.common.contracts.base import Message, PublicEvent, event

_ENVELOPE: dict[str, Any] = {
    "event_id": "0190f3a4-5b6c-7d8e-9f01-23456789abcd",
    "occurred_at": "2026-11-22T17:57:07.701598Z",
    "version": 1,
    "tenant_id": "00000000-0000-0000-0000-000000000002",
    "correlation_id": "4be3c5a8f0d94f0c8f3f6c6f6a3c2b10",
}
_INTENT: dict[str, Any] = {
    "payment_intent_id": "0190f3a4-5b6c-7d8e-9f01-23456789abce",
    "order_id": "",
    "amount": "150.50",
    "currency": "BRL",
    "customer_ref": "customer@example.com",
    "sequence": 3,
}


class IntentEvent(PublicEvent, frozen=True, kw_only=True):
    """What every event of a payment intent names."""

    payment_intent_id: UUID
    """The intent it happened to."""
    order_id: str = ""
    """The order that asked for this charge; empty when the intent did not come from a charge request."""
    amount: str
    """The intent's amount as a decimal string."""
    currency: str
    """ISO 4217 code, upper case."""
    customer_ref: str = ""
    """The merchant's own reference of the customer."""
    sequence: int = 0
    """Rises along one payment's events, with gaps; an event with a lower one than seen before is late. 0 where unknown."""


@event("payment.intent.created", owner="api", heard_by=("notifier",), public=True, example=_ENVELOPE | _INTENT)
class PaymentIntentCreated(IntentEvent, frozen=True, kw_only=True):
    """A merchant wishes to be paid. Said on creation; heard by the notifier and other teams."""


@event("payment.authorized", owner="api", heard_by=("notifier",), public=True, example=_ENVELOPE | _INTENT)
class PaymentAuthorized(IntentEvent, frozen=True, kw_only=True):
    """The issuer promised the funds. Heard by the notifier and other teams."""


@event("payment.captured", owner="api", heard_by=("notifier",), public=True, example=_ENVELOPE | _INTENT)
class PaymentCaptured(IntentEvent, frozen=True, kw_only=True):
    """The processor took the held funds; the books follow. Heard by the notifier and other teams."""


@event(
    "payment.settled",
    owner="api",
    heard_by=("notifier",),
    public=True,
    example=_ENVELOPE | _INTENT | {"status": "SETTLED"},
)
class PaymentSettled(IntentEvent, frozen=True, kw_only=True):
    """Captured at the processor and posted in the ledger. Heard by the notifier and, for an order, by the orders service."""

    status: str = "SETTLED"
    """Always `SETTLED`."""


@event(
    "payment.failed",
    owner="api",
    heard_by=("notifier",),
    public=True,
    example=_ENVELOPE
    | _INTENT
    | {"status": "FAILED", "failure_code": "insufficient_funds", "failure_message": "The issuer declined the payment."},
)
class PaymentFailed(IntentEvent, frozen=True, kw_only=True):
    """The payment will not happen: the issuer declined it. Heard by the notifier and other teams."""

    status: str = "FAILED"
    """Always `FAILED`."""
    failure_code: str
    """Why, as a stable snake_case word: `insufficient_funds`."""
    failure_message: str
    """Why, as a sentence that may be shown to a person."""


@event(
    "tenant.provisioned",
    owner="api",
    heard_by=("ledger",),
    example={"tenant_id": "00000000-0000-0000-0000-000000000002", "name": "Demo Corp"},
)
class TenantProvisioned(Message, frozen=True, kw_only=True):
    """A tenant may use the platform. Heard by the ledger, which opens its default accounts."""

    tenant_id: str
    """The tenant."""
    name: str
    """Its name, for people."""


@event(
    "access.changed",
    owner="api",
    heard_by=("api",),
    broadcast=True,
    example={"tenant_id": "00000000-0000-0000-0000-000000000002"},
)
class AccessChanged(Message, frozen=True, kw_only=True):
    """Who may do what is no longer what it was. Heard by every process of the api, which forgets what it remembers."""

    tenant_id: str = ""
    """The tenant whose status, plan, region or feature flags changed; empty: a policy or a default, so everybody's."""
