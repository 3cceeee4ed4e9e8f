"""What do we decide? Which endpoints exist, who is told about an event, and what follows an attempt."""

from services.notifier.commands.deliveries import Attempt, abandon_unwanted, claim, hand_back, record, schedule
from services.notifier.commands.endpoints import EndpointRules, SecretMint, delete_endpoint, register_endpoint

__all__ = [
    "Attempt",
    "EndpointRules",
    "SecretMint",
    "abandon_unwanted",
    "claim",
    "delete_endpoint",
    "hand_back",
    "record",
    "register_endpoint",
    "schedule",
]
