"""Deliveries made again on request: chosen by what became of them, a step at a time."""

from services.notifier.replays.consumers import ReplayConsumers
from services.notifier.replays.workers import FORGET_EVERY_SECONDS, REPLAY_EVERY_SECONDS, Archivist, Replayer

__all__ = ["FORGET_EVERY_SECONDS", "REPLAY_EVERY_SECONDS", "Archivist", "ReplayConsumers", "Replayer"]
