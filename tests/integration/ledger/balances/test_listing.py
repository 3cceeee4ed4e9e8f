"""Balances now and in a period, as the ledger lists them."""

from libs.common.clock import ManualClock
from libs.common.contracts.ledger import AccountBalance, ListBalances, Side
from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.entries.test_reading import MINUTE, some_history


class TestListBalances:
    async def ask(self, ledger: Ledger, request: ListBalances) -> list[AccountBalance]:
        return (await ledger.balances.on_list_balances(request)).balances

    async def test_the_standing_balances(self, ledger: Ledger, clock: ManualClock, tenant_id: str) -> None:
        assert await self.ask(ledger, ListBalances(tenant_id=tenant_id)) == []
        await some_history(ledger, clock, tenant_id)
        found = await self.ask(ledger, ListBalances(tenant_id=tenant_id))
        assert [(b.account, b.account_type, b.currency, b.debits_minor, b.credits_minor) for b in found] == [
            ("CASH", "ASSET", "BRL", 136, 0),
            ("CASH", "ASSET", "USD", 68, 0),
            ("REVENUE", "REVENUE", "BRL", 0, 136),
            ("REVENUE", "REVENUE", "USD", 0, 68),
        ]
        assert [b.currency for b in await self.ask(ledger, ListBalances(tenant_id=tenant_id, currency="USD"))] == [
            "USD",
            "USD",
        ]

    async def test_a_period_is_what_was_posted_in_it(self, ledger: Ledger, clock: ManualClock, tenant_id: str) -> None:
        start = clock.now()
        entries = await some_history(ledger, clock, tenant_id)
        instants = [None, *(start + minute * MINUTE for minute in range(-1, 6)), entries[4].posted_at]
        for posted_from in instants:
            for posted_until in instants:
                for currency in (None, "BRL"):
                    found = await self.ask(
                        ledger,
                        ListBalances(
                            tenant_id=tenant_id, posted_from=posted_from, posted_until=posted_until, currency=currency
                        ),
                    )
                    summed: dict[tuple[str, str], list[int]] = {}
                    for entry in entries:
                        if (posted_from and entry.posted_at < posted_from) or (
                            posted_until and entry.posted_at >= posted_until
                        ):
                            continue
                        for line in entry.lines:
                            if currency in (None, line.currency):
                                total = summed.setdefault((line.account, line.currency), [0, 0])
                                total[line.side is Side.CREDIT] += line.amount_minor
                    assert {(b.account, b.currency): [b.debits_minor, b.credits_minor] for b in found} == summed
