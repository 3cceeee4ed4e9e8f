"""Stripe as a processor: the only user of its library."""

from services.gateway.processors.stripe.adapter import StripeProcessor
from services.gateway.processors.stripe.amounts import UnsupportedAmount, from_stripe
from services.gateway.processors.stripe.client import StripeAccount, StripeConnections
from services.gateway.processors.stripe.events import Envelope, Fee, Meaning, Subject
from services.gateway.processors.stripe.signatures import NotGenuine, verify

__all__ = [
    "Envelope",
    "Fee",
    "Meaning",
    "NotGenuine",
    "StripeAccount",
    "StripeConnections",
    "StripeProcessor",
    "Subject",
    "UnsupportedAmount",
    "from_stripe",
    "verify",
]
