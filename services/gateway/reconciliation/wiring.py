"""How reconciliation is put together: what handles its requests, and what runs on a clock."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.messaging import Bus
from libs.common.service import Worker
from services.gateway.reconciliation.discrepancies import DiscrepancyConsumers
from services.gateway.reconciliation.imports import file_imports, import_workers
from services.gateway.reconciliation.matching import MatchingConsumers
from services.gateway.reconciliation.periods import PeriodClosing, PeriodConsumers
from services.gateway.reconciliation.repairs import Proposals, RepairConsumers, Repairing, repair_workers
from services.gateway.reconciliation.reports import BookSources
from services.gateway.reconciliation.runs import RunConsumers, reconciling, run_workers
from services.gateway.settings import Settings


class Consumers(Protocol):
    """Handles what is sent to one subject."""

    def register(self, bus: Bus) -> None:
        """Handle every message of the subject."""
        ...


def reconciliation(
    database: Database, bus: Bus, settings: Settings, clock: Clock
) -> tuple[Sequence[Consumers], Sequence[Worker]]:
    """Wire reconciliation; returns its consumers and its workers."""
    imports, files = file_imports(database, settings.imports, clock)
    runs = reconciling(database, bus, settings.reconciliation, clock)
    closing = PeriodClosing(
        database,
        BookSources(bus),
        overdue=timedelta(days=settings.reconciliation.reconciliation_overdue_days),
        clock=clock,
    )
    repairing = Repairing(
        database, Proposals(bus), is_automatic=settings.reconciliation.reconciliation_repair, clock=clock
    )
    consumers: list[Consumers] = [
        imports,
        DiscrepancyConsumers(database, clock=clock),
        MatchingConsumers(database, clock=clock),
        RunConsumers(runs, database=database),
        PeriodConsumers(closing, database=database),
        RepairConsumers(repairing),
    ]
    return consumers, [
        *import_workers(files, settings=settings.imports),
        *run_workers(runs),
        *repair_workers(repairing),
    ]
