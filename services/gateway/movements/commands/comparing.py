"""Comparing what an account had at the processor with what is booked of it, once all is known that was in it.

A balance is read at the end of a round over the movements, and compared at the end of the next one: by then whatever was in it is
recorded, and what came after it is known by its time. So an account on which something moves all the time agrees as any other does.
"""

from datetime import datetime

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.observability.logging import get_logger
from services.gateway import metrics
from services.gateway.errors import ProcessorUnavailable
from services.gateway.movements.domain import COMPARED_EVERY, Balance, Compared, StatementAccount, compared
from services.gateway.movements.sql import balances as sql
from services.gateway.processors.port.reading import StatementReader

log = get_logger("gateway.balances")


class BalanceComparing:
    """Compares balances."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        # One for each account that this process reads; where another one reads its next round, that one reads its own.
        self._read: dict[tuple[str, bool], Balance] = {}

    async def attempt(self, reader: StatementReader, account: StatementAccount, *, began_at: datetime) -> None:
        """Compare the balance of an account, or read it, where that is due, at the end of a round that began at `began_at`.

        One whose opening balance is booked by hand is not compared.
        """
        if account.opened_at is None:
            return
        before = await sql.compared(self._database, account)
        balance = self._read.pop((account.account_id, account.is_live), None)
        if before and self._clock.now() - _oldest(before) < COMPARED_EVERY:
            return
        if balance is not None and balance.asked_at < began_at and balance.answered_at <= began_at:
            await self._compare(account, balance, before)
            return
        asked_at = self._clock.now()
        try:
            held = await reader.balance()
        except ProcessorUnavailable as fault:
            metrics.BALANCE_COMPARISONS.labels("unreadable").inc()
            log.warning("balance.not_read", account=account.account_id, reason=fault.detail)
            return
        self._read[account.account_id, account.is_live] = Balance(
            held=held, asked_at=asked_at, answered_at=self._clock.now()
        )

    async def count(self) -> None:
        """Show how many balances differ."""
        off = await sql.off(self._database)
        metrics.BALANCES_OFF.labels("total").set(off.total)
        metrics.BALANCES_OFF.labels("available").set(off.available)

    async def _compare(self, account: StatementAccount, balance: Balance, before: list[Compared]) -> None:
        found = compared(balance, *await sql.booked_since(self._database, account, balance), before)
        if _differs(found, balance) and await sql.correct(self._database, account):
            log.warning("balance.sums_corrected", account=account.account_id)
            found = compared(balance, *await sql.booked_since(self._database, account, balance), before)
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
        outcome = "differs" if _differs(found, balance) else "agrees" if _oldest(found) == balance.asked_at else "busy"
        metrics.BALANCE_COMPARISONS.labels(outcome).inc()


def _oldest(compared: list[Compared]) -> datetime:
    """Since when it is open for a part of the balance whether it agrees."""
    return min(min(each.compared_at, each.available_compared_at) for each in compared)


def _differs(found: list[Compared], balance: Balance) -> bool:
    return any(
        (each.total_off_since is not None and each.compared_at == balance.asked_at)
        or (each.available_off_since is not None and each.available_compared_at == balance.asked_at)
        for each in found
    )
