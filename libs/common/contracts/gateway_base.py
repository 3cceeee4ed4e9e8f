"""What the gateway's messages about a payment have in common."""

from typing import Any
from uuid import UUID

from libs.common.contracts.base import Message

INTENT: dict[str, Any] = {
    "payment_intent_id": "0190f3a4-5b6c-7d8e-9f01-23456789abce",
    "amount_minor": 15050,
    "currency": "BRL",
}
"""A payment, for examples."""


class PaymentMessage(Message, frozen=True, kw_only=True):
    """What every message of the gateway names."""

    payment_intent_id: UUID
    """The intent that this is about."""
    amount_minor: int
    """Amount in minor units of `currency`, above zero."""
    currency: str
    """ISO 4217 code, upper case."""


class Refused(PaymentMessage, frozen=True, kw_only=True):
    """What every message about a refusal names."""

    reason: str
    """A stable snake_case word: `insufficient_funds`, `card_declined`, `already_captured`, `processor_refused`."""
    detail: str
    """A sentence that may be shown to a person."""


class PaymentCommand(PaymentMessage, frozen=True, kw_only=True):
    """What every command to the gateway has."""

    is_repeated: bool = False
    """Whether the outcome of an earlier command is missing: what is known is published again, and nothing is called twice."""
    attempt: int = 0
    """The authorization of the payment that this is, or builds on, counted from 0."""


class AttemptMessage(PaymentMessage, frozen=True, kw_only=True):
    """What every message about an authorization that went well, or ended, names."""

    attempt: int = 0
    """Which authorization of the payment it is about, counted from 0: one more each time that it is confirmed again, after a
    decline or instead of the customer's proof."""
