"""What is handled of closed months: the requests of the api."""

from libs.common.contracts.gateway_periods import (
    ClosedMonth,
    ClosedMonths,
    CloseReconciliationPeriod,
    GetReconciliationPeriod,
    GetReconciliationSeals,
    ListReconciliationPeriods,
    SealCheck,
    SealedMonth,
)
from libs.common.db import Database
from libs.common.messaging import Bus
from services.gateway.reconciliation.periods import queries
from services.gateway.reconciliation.periods.commands import PeriodClosing


class PeriodConsumers:
    """Answers requests about closed months."""

    def __init__(self, closing: PeriodClosing, *, database: Database) -> None:
        self._closing = closing
        self._database = database

    def register(self, bus: Bus) -> None:
        """Answer every request of this subject."""
        bus.answer(CloseReconciliationPeriod, self.on_close_reconciliation_period)
        bus.answer(ListReconciliationPeriods, self.on_list_reconciliation_periods)
        bus.answer(GetReconciliationPeriod, self.on_get_reconciliation_period)
        bus.answer(GetReconciliationSeals, self.on_get_reconciliation_seals)

    async def on_close_reconciliation_period(self, request: CloseReconciliationPeriod) -> ClosedMonth:
        """Close a month."""
        return await self._closing.close(request)

    async def on_list_reconciliation_periods(self, request: ListReconciliationPeriods) -> ClosedMonths:
        """List closed months."""
        return await queries.list_page(self._database, request)

    async def on_get_reconciliation_period(self, request: GetReconciliationPeriod) -> SealedMonth:
        """Show a closed month."""
        return await queries.show(self._database, request)

    async def on_get_reconciliation_seals(self, request: GetReconciliationSeals) -> SealCheck:
        """Check the seals."""
        return await queries.verify(self._database, request)
