"""Closed periods: entries that are posted later count from the first open instant."""

from services.ledger.periods.commands import Periods
from services.ledger.periods.consumers import PeriodConsumers
from services.ledger.periods.domain import beginning_of, zone_named
from services.ledger.periods.sql import calendar_of

__all__ = ["PeriodConsumers", "Periods", "beginning_of", "calendar_of", "zone_named"]
