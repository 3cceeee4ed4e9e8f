"""What do we do unasked, on our own clock? We deliver, go on with replays, and keep history for its time only."""

from services.notifier.workers.courier import Courier
from services.notifier.workers.keeping import KEEP_EVERY_SECONDS, REPLAY_EVERY_SECONDS, Archivist, Replayer
from services.notifier.workers.slots import Slots

__all__ = ["KEEP_EVERY_SECONDS", "REPLAY_EVERY_SECONDS", "Archivist", "Courier", "Replayer", "Slots"]
