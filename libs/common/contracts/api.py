"""What the api says: the life of a payment intent, flat and public, which tenants exist, and that access has changed.

The notifier receives every public event in packs and delivers it to merchants; other teams receive it from `payments.x`.
Money in public events is a decimal string with exactly the currency's decimals.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.contracts.base import Message, PublicEvent, event
from libs.common.contracts.gateway_actions import NextAction

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
_REFUND: dict[str, Any] = {"refund_id": "0190f3a4-5b6c-7d8e-9f01-23456789abd2", "reason": "customer_request"}
_DISPUTE: dict[str, Any] = {
    "dispute_id": "0190f3a4-5b6c-7d8e-9f01-23456789abd3",
    "reason": "fraudulent",
    "payment_status": "SETTLED",
}


class IntentEvent(PublicEvent, frozen=True, kw_only=True):
    """What every event of a payment intent names."""

    payment_intent_id: UUID
    """The intent it happened to."""
    order_id: str = ""
    """The order that requested this charge; empty when the intent did not come from a charge request."""
    amount: str
    """The intent's amount as a decimal string."""
    currency: str
    """ISO 4217 code, upper case."""
    customer_ref: str = ""
    """The merchant's own reference of the customer."""
    sequence: int = 0
    """Rises along one payment's events, with gaps; an event with a lower one than seen before is late. 0 where unknown."""


@event("payment.intent.created", owner="api", handled_by=("notifier",), public=True, example=_ENVELOPE | _INTENT)
class PaymentIntentCreated(IntentEvent, frozen=True, kw_only=True):
    """A merchant wishes to be paid. Published on creation; handled by the notifier and other teams."""


@event("payment.authorized", owner="api", handled_by=("notifier",), public=True, example=_ENVELOPE | _INTENT)
class PaymentAuthorized(IntentEvent, frozen=True, kw_only=True):
    """The issuer promised the funds. Handled by the notifier and other teams."""


@event(
    "payment.requires_action",
    owner="api",
    handled_by=("notifier",),
    public=True,
    example=_ENVELOPE | _INTENT | {"action_url": "https://merchant.example/authenticate/1"},
)
class PaymentRequiresAction(IntentEvent, frozen=True, kw_only=True):
    """The customer must prove something to the issuer first (3-D Secure), or pay a code or a slip. Handled by the notifier
    and other teams."""

    status: str = "REQUIRES_ACTION"
    """Always `REQUIRES_ACTION`."""
    action_url: str = ""
    """Where the customer does so; empty where the processor's client library leads the way."""
    next_action: NextAction | None = None
    """What the customer has to do, where more is known than an address."""


@event(
    "payment.captured",
    owner="api",
    handled_by=("notifier",),
    public=True,
    example=_ENVELOPE | _INTENT | {"captured_amount": "150.50"},
)
class PaymentCaptured(IntentEvent, frozen=True, kw_only=True):
    """The processor took the held funds, all or a part; the books follow. Handled by the notifier and other teams."""

    captured_amount: str = ""
    """What was taken, as a decimal string; the rest is released."""


@event(
    "payment.voided",
    owner="api",
    handled_by=("notifier",),
    public=True,
    example=_ENVELOPE | _INTENT | {"status": "VOIDED"},
)
class PaymentVoided(IntentEvent, frozen=True, kw_only=True):
    """The merchant let go of the payment, and nothing is held any more. Handled by the notifier and other teams."""

    status: str = "VOIDED"
    """Always `VOIDED`."""


@event(
    "payment.expired",
    owner="api",
    handled_by=("notifier",),
    public=True,
    example=_ENVELOPE | _INTENT | {"status": "EXPIRED"},
)
class PaymentExpired(IntentEvent, frozen=True, kw_only=True):
    """Held funds were released because nobody captured them in time. Handled by the notifier and other teams."""

    status: str = "EXPIRED"
    """Always `EXPIRED`."""


@event(
    "payment.settled",
    owner="api",
    handled_by=("notifier", "ledger"),
    public=True,
    example=_ENVELOPE | _INTENT | {"status": "SETTLED", "captured_amount": "150.50"},
)
class PaymentSettled(IntentEvent, frozen=True, kw_only=True):
    """Captured at the processor and posted in the ledger.

    Handled by the notifier, by the ledger, which compares it with its books, and, for an order, by the orders service.
    """

    status: str = "SETTLED"
    """Always `SETTLED`."""
    captured_amount: str = ""
    """What was taken, as a decimal string: less than `amount` where only a part was captured."""


@event(
    "payment.failed",
    owner="api",
    handled_by=("notifier",),
    public=True,
    example=_ENVELOPE
    | _INTENT
    | {"status": "FAILED", "failure_code": "insufficient_funds", "failure_message": "The issuer declined the payment."}
    | {"decline_code": "insufficient_funds", "advice_code": "try_again_later"},
)
class PaymentFailed(IntentEvent, frozen=True, kw_only=True):
    """The issuer declined, or the capture was refused. A declined payment may be confirmed again, and `payment.authorized` then
    follows with a greater `sequence`. Handled by the notifier and other teams."""

    status: str = "FAILED"
    """Always `FAILED`."""
    failure_code: str
    """Why, as a stable snake_case word: `insufficient_funds`."""
    failure_message: str
    """Why, as a sentence that may be shown to a person."""
    decline_code: str = ""
    """The issuer's reason, in the processor's words; empty where there is none."""
    advice_code: str = ""
    """What the processor advises to do: `try_again_later`, `do_not_try_again`; empty where it advises nothing."""
    network_decline_code: str = ""
    """The card network's own code; empty where there is none."""
    network_advice_code: str = ""
    """The card network's advice; empty where there is none."""


class RefundEvent(IntentEvent, frozen=True, kw_only=True):
    """What every event of a refund names; `amount` is the refund's."""

    refund_id: UUID
    """The refund."""
    reason: str = ""
    """The merchant's words; empty where there are none."""
    payment_status: str
    """The intent's status from then on: `PARTIALLY_REFUNDED`, `REFUNDED`, `SETTLED`."""


@event(
    "payment.refunded",
    owner="api",
    handled_by=("notifier", "ledger"),
    public=True,
    example=_ENVELOPE | _INTENT | _REFUND | {"amount": "40.00", "payment_status": "PARTIALLY_REFUNDED"},
)
class PaymentRefunded(RefundEvent, frozen=True, kw_only=True):
    """Captured money was given back. Handled by the notifier, other teams, and the ledger, which compares it with its books."""


@event(
    "refund.failed",
    owner="api",
    handled_by=("notifier",),
    public=True,
    example=_ENVELOPE
    | _INTENT
    | _REFUND
    | {
        "amount": "40.00",
        "payment_status": "SETTLED",
        "failure_code": "processor_refused",
        "failure_message": "The refund did not reach the customer.",
    },
)
class RefundFailed(RefundEvent, frozen=True, kw_only=True):
    """A refund did not reach the customer, even where `payment.refunded` was published before: it counts for nothing.

    Handled by the notifier and other teams.
    """

    failure_code: str
    """Why, as a stable snake_case word."""
    failure_message: str
    """Why, as a sentence that may be shown to a person."""


class DisputeEvent(IntentEvent, frozen=True, kw_only=True):
    """What every event of a dispute names; `amount` is the disputed one."""

    dispute_id: UUID
    """The dispute."""
    reason: str
    """The bank's reason, as a stable snake_case word: `fraudulent`."""
    payment_status: str
    """The intent's status, which a dispute does not change."""


@event(
    "dispute.opened",
    owner="api",
    handled_by=("notifier",),
    public=True,
    example=_ENVELOPE | _INTENT | _DISPUTE | {"evidence_due_at": "2026-12-01T23:59:59Z"},
)
class DisputeOpened(DisputeEvent, frozen=True, kw_only=True):
    """The customer's bank took the money back until it is decided. Handled by the notifier and other teams."""

    evidence_due_at: datetime | None = None
    """Until when the merchant may answer, where the processor says so."""


@event(
    "dispute.inquiry_opened",
    owner="api",
    handled_by=("notifier",),
    public=True,
    example=_ENVELOPE | _INTENT | _DISPUTE | {"evidence_due_at": "2026-12-01T23:59:59Z"},
)
class InquiryOpened(DisputeEvent, frozen=True, kw_only=True):
    """The customer's bank inquires, and has taken nothing; the same dispute may be opened later. Handled by the notifier and
    other teams."""

    evidence_due_at: datetime | None = None
    """Until when the merchant may answer, where the processor says so."""


@event(
    "dispute.inquiry_closed", owner="api", handled_by=("notifier",), public=True, example=_ENVELOPE | _INTENT | _DISPUTE
)
class InquiryClosed(DisputeEvent, frozen=True, kw_only=True):
    """The inquiry of the customer's bank ended without a dispute. Handled by the notifier and other teams."""


@event("dispute.won", owner="api", handled_by=("notifier",), public=True, example=_ENVELOPE | _INTENT | _DISPUTE)
class DisputeWon(DisputeEvent, frozen=True, kw_only=True):
    """The bank gave the disputed money back. Handled by the notifier and other teams."""


@event("dispute.lost", owner="api", handled_by=("notifier",), public=True, example=_ENVELOPE | _INTENT | _DISPUTE)
class DisputeLost(DisputeEvent, frozen=True, kw_only=True):
    """The disputed money is gone. Handled by the notifier and other teams."""


@event(
    "reconciliation.discrepancy_found",
    owner="api",
    handled_by=("notifier",),
    public=True,
    example=_ENVELOPE
    | {
        "run_id": "0190f3a4-5b6c-7d8e-9f01-23456789abf1",
        "discrepancy_count": 2,
        "types": ["AMOUNT_MISMATCH", "NOT_BOOKED"],
    },
)
class DiscrepancyFound(PublicEvent, frozen=True, kw_only=True):
    """The processor, our payments and the books do not agree, in ways that no reconciliation has found before. Handled by the
    notifier and other teams."""

    run_id: UUID
    """The reconciliation run that found it."""
    discrepancy_count: int
    """How many discrepancies are new."""
    types: tuple[str, ...]
    """Of which types, in alphabetical order: `AMOUNT_MISMATCH`."""


@event(
    "tenant.provisioned",
    owner="api",
    handled_by=("ledger",),
    example={"tenant_id": "00000000-0000-0000-0000-000000000002", "name": "Demo Corp"},
)
class TenantProvisioned(Message, frozen=True, kw_only=True):
    """A tenant may use the platform. Handled by the ledger, which opens its default accounts."""

    tenant_id: str
    """The tenant."""
    name: str
    """Its name, for people."""


@event(
    "access.changed",
    owner="api",
    handled_by=("api",),
    broadcast=True,
    example={"tenant_id": "00000000-0000-0000-0000-000000000002"},
)
class AccessChanged(Message, frozen=True, kw_only=True):
    """Who may do what is no longer what it was. Handled by every process of the api, which forgets what it remembers."""

    tenant_id: str = ""
    """The tenant whose status, plan, region or feature flags changed; empty: a policy or a default, so everybody's."""
