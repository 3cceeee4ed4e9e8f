"""Stripe, as an adapter of the processor's port: the only place that knows its SDK, its shapes and its signatures."""

from services.gateway.stripe_processor.adapter import StripeProcessor
from services.gateway.stripe_processor.client import StripeAccount, StripeConnections
from services.gateway.stripe_processor.inbox import StripeInbox
from services.gateway.stripe_processor.signatures import NotGenuine, verify

__all__ = ["NotGenuine", "StripeAccount", "StripeConnections", "StripeInbox", "StripeProcessor", "verify"]
