"""What do we do unasked, on our own clock? We deliver."""

from services.notifier.workers.courier import Courier
from services.notifier.workers.slots import Slots

__all__ = ["Courier", "Slots"]
