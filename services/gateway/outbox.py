"""The closed list of what the gateway publishes: what became of attempts, and how disputes, fees and payouts stand."""

from libs.common.contracts import Message, published_by

MESSAGES: tuple[type[Message], ...] = tuple(published_by("gateway"))
"""Every message that this service may put on the broker."""
