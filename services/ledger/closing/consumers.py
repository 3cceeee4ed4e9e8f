"""What is handled of the end of a period: the requests of the api."""

from libs.common.contracts.ledger_closing import BooksClosed, CloseYear, RevalueCurrencies
from libs.common.messaging import Bus
from services.ledger.closing.commands import Closing


class ClosingConsumers:
    """Answers requests about the end of a period."""

    def __init__(self, closing: Closing) -> None:
        self._closing = closing

    def register(self, bus: Bus) -> None:
        """Answer every request of this subject."""
        bus.answer(CloseYear, self.on_close_year)
        bus.answer(RevalueCurrencies, self.on_revalue_currencies)

    async def on_close_year(self, request: CloseYear) -> BooksClosed:
        """Move a year's income and expenses to retained earnings."""
        return await self._closing.close_year(request)

    async def on_revalue_currencies(self, request: RevalueCurrencies) -> BooksClosed:
        """Value assets and liabilities in other currencies at the closing rate."""
        return await self._closing.revalue(request)
