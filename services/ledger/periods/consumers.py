"""What is handled of periods: the requests of the api, and the calendar that ends them."""

from libs.common.contracts.ledger_books import ClosePeriod, ListPeriods, Period, PeriodList
from libs.common.contracts.ledger_calendar import Calendar, GetCalendar, SetCalendar
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
        bus.answer(GetCalendar, self.on_get_calendar)
        bus.answer(SetCalendar, self.on_set_calendar)

    async def on_close_period(self, request: ClosePeriod) -> Period:
        """Close the books up to an instant."""
        return await self._periods.close(request)

    async def on_list_periods(self, request: ListPeriods) -> PeriodList:
        """List what a tenant has closed."""
        return await self._periods.closed(request.tenant_id)

    async def on_get_calendar(self, request: GetCalendar) -> Calendar:
        """Show by which calendar books are kept."""
        return await self._periods.calendar(request.tenant_id)

    async def on_set_calendar(self, request: SetCalendar) -> Calendar:
        """Keep books by another calendar."""
        return await self._periods.keep_by(request)
