"""What is handled of periods: the requests of the api."""

from libs.common.contracts.ledger_books import ClosePeriod, ListPeriods, Period, PeriodList
from libs.common.messaging import Bus
from services.ledger.periods.commands import Periods


class PeriodConsumers:
    """Answers requests about closed periods."""

    def __init__(self, periods: Periods) -> None:
        self._periods = periods

    def register(self, bus: Bus) -> None:
        """Answer every request of this subject."""
        bus.answer(ClosePeriod, self.on_close_period)
        bus.answer(ListPeriods, self.on_list_periods)

    async def on_close_period(self, request: ClosePeriod) -> Period:
        """Close the books up to an instant."""
        return await self._periods.close(request)

    async def on_list_periods(self, request: ListPeriods) -> PeriodList:
        """List what a tenant has closed."""
        return await self._periods.closed(request.tenant_id)
