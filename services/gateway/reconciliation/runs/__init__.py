"""Runs: a window of time in which all that moved is compared with our payments and with the books."""

from datetime import timedelta

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.messaging import Bus
from services.gateway.reconciliation.matching import Matching
from services.gateway.reconciliation.reports import BookSources
from services.gateway.reconciliation.runs.commands import Reconciling, Schedule
from services.gateway.reconciliation.runs.consumers import RunConsumers
from services.gateway.reconciliation.runs.sources import Sources
from services.gateway.reconciliation.runs.workers import run_workers
from services.gateway.settings import ReconciliationSettings


def reconciling(database: Database, bus: Bus, settings: ReconciliationSettings, clock: Clock) -> Reconciling:
    """Wire what makes runs and carries them out."""
    schedule = Schedule(
        every=timedelta(minutes=settings.reconciliation_every_minutes),
        window=timedelta(hours=settings.reconciliation_window_hours),
        deep=timedelta(days=settings.reconciliation_deep_days),
        quiet=timedelta(seconds=settings.reconciliation_quiet_seconds),
        timing=timedelta(hours=settings.reconciliation_timing_hours),
        kept=timedelta(days=settings.reconciliation_retention_days),
        carried=timedelta(days=settings.carried_balance_retention_days),
        arrival=timedelta(days=settings.reconciliation_arrival_days),
    )
    matching = Matching(database, clock=clock)
    return Reconciling(database, Sources(bus), BookSources(bus), matching=matching, schedule=schedule, clock=clock)


__all__ = ["Reconciling", "RunConsumers", "reconciling", "run_workers"]
