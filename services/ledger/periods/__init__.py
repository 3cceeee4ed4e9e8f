"""Closed periods: entries that are posted later count from the first open instant."""

from services.ledger.periods.commands import Periods
from services.ledger.periods.consumers import PeriodConsumers

__all__ = ["PeriodConsumers", "Periods"]
