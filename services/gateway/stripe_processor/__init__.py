"""Stripe, as an adapter of the processor's port: the only place that knows its SDK, its shapes and its signatures."""

from services.gateway.stripe_processor.adapter import StripeProcessor
from services.gateway.stripe_processor.client import StripeAccount, StripeConnections

__all__ = ["StripeAccount", "StripeConnections", "StripeProcessor"]
