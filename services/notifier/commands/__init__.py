"""What do we decide? Which endpoints exist, who is told about an event, and what follows an attempt."""

from services.notifier.commands.deliveries import abandon_unwanted, claim, hand_back, record, schedule
from services.notifier.commands.endpoints import (
    EndpointRules,
    SecretMint,
    change_endpoint,
    delete_endpoint,
    register_endpoint,
    rotate_secret,
    send_test_event,
)
from services.notifier.commands.health import Attempt
from services.notifier.commands.keeping import keep_history
from services.notifier.commands.replays import advance_replays, start_replay

__all__ = [
    "Attempt",
    "EndpointRules",
    "SecretMint",
    "abandon_unwanted",
    "advance_replays",
    "change_endpoint",
    "claim",
    "delete_endpoint",
    "hand_back",
    "keep_history",
    "record",
    "register_endpoint",
    "rotate_secret",
    "schedule",
    "send_test_event",
    "start_replay",
]
