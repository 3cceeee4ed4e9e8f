"""The end of a period: a year's income goes to retained earnings, other currencies are valued at the closing rate."""

from services.ledger.closing.commands import Closing
from services.ledger.closing.consumers import ClosingConsumers

__all__ = ["Closing", "ClosingConsumers"]
