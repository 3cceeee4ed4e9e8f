"""Balances now, in a period, and at an instant."""

from libs.common.contracts import ledger as contract
from libs.common.contracts.ledger import BalanceList
from libs.common.contracts.ledger_books import BookTime, GetBalancesAt
from libs.common.db import Database
from services.ledger.balances.sql import current, effective
from services.ledger.watermark import Watermark


class BalanceQueries:
    """Reads of balances."""

    def __init__(self, database: Database, *, watermark: Watermark) -> None:
        self._database = database
        self._watermark = watermark

    async def balances(self, request: contract.ListBalances) -> contract.BalanceList:
        """List what a tenant's accounts hold, or what was posted to them in a period.

        A period that is over shows the same for ever; the answer has up to when that is so.
        """
        final_before = None
        if request.posted_until is not None:
            final_before = await self._watermark.advance(request.posted_until)
        async with self._database.connection() as connection:
            if request.posted_from is None and request.posted_until is None:
                found = await current.standing_balances(connection, request.tenant_id, currency=request.currency)
            else:
                found = await current.balances_in_period(
                    connection,
                    request.tenant_id,
                    posted_from=request.posted_from,
                    posted_until=request.posted_until,
                    currency=request.currency,
                )
        return contract.BalanceList(balances=found, final_before=final_before)

    async def get_balances_at(self, request: GetBalancesAt) -> BalanceList:
        """What did this tenant's accounts hold at an instant? One of record that is over shows the same for ever."""
        final_before = None
        if request.time is BookTime.RECORDED:
            final_before = await self._watermark.advance(request.before)
        async with self._database.connection() as connection:
            if request.time is BookTime.EFFECTIVE:
                found = await effective.effective_balances(
                    connection,
                    request.tenant_id,
                    before=request.before,
                    currency=request.currency,
                    account=request.account,
                )
            else:
                found = await current.balances_in_period(
                    connection,
                    request.tenant_id,
                    posted_from=None,
                    posted_until=request.before,
                    currency=request.currency,
                    account=request.account,
                )
        return BalanceList(balances=found, final_before=final_before)
