"""What we say: the closed list of messages, and the words for each fact of a payment intent."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, assert_never

import msgspec

from libs.common.contracts import Message
from libs.common.contracts import api as said
from libs.common.contracts import gateway as asked
from libs.common.ids import new_id
from libs.common.messaging import Saying
from libs.common.money import format_minor
from libs.common.observability.correlation import Correlation
from services.api.domain import Fact, PaymentIntent


def sayings_of(intent: PaymentIntent, facts: Sequence[Fact], *, at: datetime, correlation: Correlation) -> list[Saying]:
    """Put each fact about `intent` into the message that tells it, in their order."""
    cause = msgspec.structs.replace(correlation, tenant_id=intent.tenant_id)
    return [_saying(intent, fact, at=at, cause=cause) for fact in facts]


def tenant_provisioned(tenant_id: str, name: str, *, at: datetime, correlation: Correlation) -> Saying:
    """Tell that a tenant may use the platform from now on."""
    cause = msgspec.structs.replace(correlation, tenant_id=tenant_id)
    return Saying.of(said.TenantProvisioned(tenant_id=tenant_id, name=name), occurred_at=at, correlation=cause)


def _saying(intent: PaymentIntent, fact: Fact, *, at: datetime, cause: Correlation) -> Saying:
    event_id = new_id()
    return Saying(
        event_id=event_id,
        message=_message(intent, fact, envelope=_envelope(intent, event_id=event_id, at=at, cause=cause)),
        occurred_at=at,
        correlation=cause,
    )


def _envelope(intent: PaymentIntent, *, event_id: Any, at: datetime, cause: Correlation) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "occurred_at": at,
        "tenant_id": intent.tenant_id,
        "correlation_id": cause.correlation_id,
        "payment_intent_id": intent.id,
        "order_id": intent.order_id or "",
        "amount": format_minor(intent.amount_minor, intent.currency),
        "currency": intent.currency,
        "customer_ref": intent.customer_ref,
        "sequence": intent.version,
    }


def _message(intent: PaymentIntent, fact: Fact, *, envelope: dict[str, Any]) -> Message:
    match fact:
        case Fact.CREATED:
            return said.PaymentIntentCreated(**envelope)
        case Fact.AUTHORIZATION_WANTED:
            return asked.AuthorizePayment(
                payment_intent_id=intent.id,
                amount_minor=intent.amount_minor,
                currency=intent.currency,
                customer_ref=intent.customer_ref,
            )
        case Fact.AUTHORIZED:
            return said.PaymentAuthorized(**envelope)
        case Fact.CAPTURE_WANTED:
            return asked.CapturePayment(
                payment_intent_id=intent.id,
                amount_minor=intent.amount_minor,
                currency=intent.currency,
                gateway_ref=intent.gateway_ref or "",
            )
        case Fact.CAPTURED:
            return said.PaymentCaptured(**envelope)
        case Fact.SETTLED:
            return said.PaymentSettled(**envelope)
        case Fact.FAILED:
            return said.PaymentFailed(
                **envelope,
                failure_code=intent.failure_code or "unknown",
                failure_message=intent.failure_message or "The payment failed.",
            )
        case _:
            assert_never(fact)
