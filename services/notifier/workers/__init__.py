"""What do we do unasked, on our own clock? We deliver, replay, keep history for its time, and seal secrets anew."""

from services.notifier.workers.courier import Courier
from services.notifier.workers.keeping import (
    KEEP_EVERY_SECONDS,
    MEASURED,
    REPLAY_EVERY_SECONDS,
    RESEAL_EVERY_SECONDS,
    Archivist,
    Replayer,
    Resealer,
    history,
)
from services.notifier.workers.slots import Slots

__all__ = [
    "KEEP_EVERY_SECONDS",
    "MEASURED",
    "REPLAY_EVERY_SECONDS",
    "RESEAL_EVERY_SECONDS",
    "Archivist",
    "Courier",
    "Replayer",
    "Resealer",
    "Slots",
    "history",
]
