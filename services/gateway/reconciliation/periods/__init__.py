"""Closed months: a sealed report that is never changed, and what becomes known after it."""

from services.gateway.reconciliation.periods.commands import PeriodClosing
from services.gateway.reconciliation.periods.consumers import PeriodConsumers
from services.gateway.reconciliation.periods.domain import Closing, closed_month_of, is_late
from services.gateway.reconciliation.periods.sql import closings, lock

__all__ = ["Closing", "PeriodClosing", "PeriodConsumers", "closed_month_of", "closings", "is_late", "lock"]
