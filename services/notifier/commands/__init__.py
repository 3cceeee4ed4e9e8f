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
from services.notifier.commands.keeping import forget_replays
from services.notifier.commands.replays import advance_replays, cancel_replay, start_replay
from services.notifier.commands.sealing import Resealed, SecretResealer, reseal_secrets

__all__ = [
    "Attempt",
    "EndpointRules",
    "Resealed",
    "SecretMint",
    "SecretResealer",
    "abandon_unwanted",
    "advance_replays",
    "cancel_replay",
    "change_endpoint",
    "claim",
    "delete_endpoint",
    "forget_replays",
    "hand_back",
    "record",
    "register_endpoint",
    "reseal_secrets",
    "rotate_secret",
    "schedule",
    "send_test_event",
    "start_replay",
]
