"""Comparing what an account has at the processor with what is booked of it, once its movements were read to their end.

The two are never of one instant. Where anything is recorded while the balance is read, nothing is compared; what moved since the last
page differs once and then no more, while an error differs at every comparison, and to the same side.
"""

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.observability.logging import get_logger
from services.gateway import metrics
from services.gateway.errors import ProcessorUnavailable
from services.gateway.movements.domain import COMPARED_EVERY, StatementAccount, compared
from services.gateway.movements.sql import balances as sql
from services.gateway.processors.port.reading import StatementReader

log = get_logger("gateway.balances")


class BalanceComparing:
    """Compares balances."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def attempt(self, reader: StatementReader, account: StatementAccount) -> None:
        """Compare the balance of an account where that is due; one whose opening balance is booked by hand is not compared."""
        if account.opened_at is None:
            return
        before = await sql.compared(self._database, account)
        if before and self._clock.now() - max(each.compared_at for each in before) < COMPARED_EVERY:
            return
        booked = await sql.booked(self._database, account)
        try:
            held = await reader.balance()
        except ProcessorUnavailable as fault:
            metrics.BALANCE_COMPARISONS.labels("unreadable").inc()
            log.warning("balance.not_read", account=account.account_id, reason=fault.detail)
            return
        if await sql.booked(self._database, account) != booked:
            metrics.BALANCE_COMPARISONS.labels("busy").inc()
            return
        found = compared(held, booked, before, at=self._clock.now())
        await sql.save(self._database, account, found)
        for each in found:
            if each.is_off():
                log.error(
                    "balance.off",
                    tenant_id=account.tenant_id,
                    account=account.account_id,
                    currency=each.currency,
                    total_off_minor=each.total_off_minor,
                    total_off_since=each.total_off_since,
                    available_off_minor=each.available_off_minor,
                    available_off_since=each.available_off_since,
                )
        agrees = all(each.total_off_since is None and each.available_off_since is None for each in found)
        metrics.BALANCE_COMPARISONS.labels("agrees" if agrees else "differs").inc()

    async def count(self) -> None:
        """Show how many balances differ."""
        off = await sql.off(self._database)
        metrics.BALANCES_OFF.labels("total").set(off.total)
        metrics.BALANCES_OFF.labels("available").set(off.available)
