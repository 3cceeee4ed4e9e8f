"""What is handled of balances: requests for what accounts hold."""

from libs.common.contracts.ledger import BalanceList, ListBalances
from libs.common.contracts.ledger_books import GetBalancesAt
from libs.common.messaging import Bus
from services.ledger.balances.queries import BalanceQueries


class BalanceConsumers:
    """Answers requests about balances."""

    def __init__(self, queries: BalanceQueries) -> None:
        self._queries = queries

    def register(self, bus: Bus) -> None:
        """Answer every request of this subject."""
        bus.answer(ListBalances, self.on_list_balances)
        bus.answer(GetBalancesAt, self.on_get_balances_at)

    async def on_list_balances(self, request: ListBalances) -> BalanceList:
        """List what a tenant's accounts hold, or turned over in a period."""
        return await self._queries.balances(request)

    async def on_get_balances_at(self, request: GetBalancesAt) -> BalanceList:
        """List what a tenant's accounts held at an instant."""
        return await self._queries.get_balances_at(request)
