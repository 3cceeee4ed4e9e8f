"""Stripe as a processor: the only user of its library."""

from services.gateway.processors.stripe.adapter import StripeProcessor
from services.gateway.processors.stripe.amounts import UnsupportedAmount, from_stripe
from services.gateway.processors.stripe.client import API_VERSION, StripeAccount, StripeConnections
from services.gateway.processors.stripe.events import Envelope, Meaning, Subject, UnknownStatus
from services.gateway.processors.stripe.reading import StripeReader
from services.gateway.processors.stripe.signatures import NotGenuine, verify
from services.gateway.processors.stripe.statement import movement_of, payout_of
from services.gateway.processors.stripe.vault import StripeVault

__all__ = [
    "API_VERSION",
    "Envelope",
    "Meaning",
    "NotGenuine",
    "StripeAccount",
    "StripeConnections",
    "StripeProcessor",
    "StripeReader",
    "StripeVault",
    "Subject",
    "UnknownStatus",
    "UnsupportedAmount",
    "from_stripe",
    "movement_of",
    "payout_of",
    "verify",
]
