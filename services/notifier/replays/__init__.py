"""Deliveries made again on request: chosen by what became of them, a step at a time."""

from services.notifier.replays.consumers import ReplayConsumers
from services.notifier.replays.workers import Archivist, replay_workers

__all__ = ["Archivist", "ReplayConsumers", "replay_workers"]
