"""What is handled of runs: the requests of the api."""

from libs.common.contracts.gateway_reconciliation import (
    GetReconciliationRun,
    ListReconciliationRuns,
    ReconciliationRun,
    RunPage,
    StartReconciliation,
)
from libs.common.db import Database
from libs.common.messaging import Bus
from services.gateway.reconciliation.runs import queries
from services.gateway.reconciliation.runs.commands import Reconciling


class RunConsumers:
    """Answers requests about runs."""

    def __init__(self, reconciling: Reconciling, *, database: Database) -> None:
        self._reconciling = reconciling
        self._database = database

    def register(self, bus: Bus) -> None:
        """Answer every request of this subject."""
        bus.answer(StartReconciliation, self.on_start_reconciliation)
        bus.answer(ListReconciliationRuns, self.on_list_reconciliation_runs)
        bus.answer(GetReconciliationRun, self.on_get_reconciliation_run)

    async def on_start_reconciliation(self, request: StartReconciliation) -> ReconciliationRun:
        """Make a run; a worker carries it out."""
        return (await self._reconciling.start(request)).shown()

    async def on_list_reconciliation_runs(self, request: ListReconciliationRuns) -> RunPage:
        """List runs."""
        return await queries.list_page(self._database, request)

    async def on_get_reconciliation_run(self, request: GetReconciliationRun) -> ReconciliationRun:
        """Show one run."""
        return await queries.show(self._database, request)
