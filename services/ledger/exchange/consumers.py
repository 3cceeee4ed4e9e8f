"""What is handled of exchange: requests about rates, conversions, and balances in one currency."""

from libs.common.contracts.ledger_money import (
    ConsolidatedBalances,
    ConversionPage,
    ConvertedAmount,
    ExchangeRate,
    ExchangeRatePage,
    GetConsolidatedBalances,
    GetConversion,
    GetConvertedAmount,
    ListConversions,
    ListExchangeRates,
    MoneyConversion,
    PostConversion,
    RecordExchangeRate,
)
from libs.common.messaging import Bus
from services.ledger.exchange.commands import ExchangeCommands
from services.ledger.exchange.queries import ExchangeQueries, wire_rate


class ExchangeConsumers:
    """Answers requests about currencies."""

    def __init__(self, commands: ExchangeCommands, queries: ExchangeQueries) -> None:
        self._commands = commands
        self._queries = queries

    def register(self, bus: Bus) -> None:
        """Answer every request of this subject."""
        bus.answer(ListExchangeRates, self.on_list_exchange_rates)
        bus.answer(RecordExchangeRate, self.on_record_exchange_rate)
        bus.answer(GetConvertedAmount, self.on_get_converted_amount)
        bus.answer(PostConversion, self.on_post_conversion)
        bus.answer(GetConversion, self.on_get_conversion)
        bus.answer(ListConversions, self.on_list_conversions)
        bus.answer(GetConsolidatedBalances, self.on_get_consolidated_balances)

    async def on_list_exchange_rates(self, request: ListExchangeRates) -> ExchangeRatePage:
        """List exchange rates."""
        return await self._queries.rates(request)

    async def on_record_exchange_rate(self, request: RecordExchangeRate) -> ExchangeRate:
        """Record an exchange rate."""
        return wire_rate(await self._commands.record_rate(request))

    async def on_get_converted_amount(self, request: GetConvertedAmount) -> ConvertedAmount:
        """Compute what an amount is worth in another currency."""
        return await self._queries.converted(request)

    async def on_post_conversion(self, request: PostConversion) -> MoneyConversion:
        """Exchange money between currencies in the books."""
        return await self._queries.shown(await self._commands.convert(request))

    async def on_get_conversion(self, request: GetConversion) -> MoneyConversion:
        """Show a conversion."""
        return await self._queries.conversion(request)

    async def on_list_conversions(self, request: ListConversions) -> ConversionPage:
        """List conversions."""
        return await self._queries.conversions(request)

    async def on_get_consolidated_balances(self, request: GetConsolidatedBalances) -> ConsolidatedBalances:
        """List what a tenant's accounts hold, in one currency."""
        return await self._queries.consolidated(request)
