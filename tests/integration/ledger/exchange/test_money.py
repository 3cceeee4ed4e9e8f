"""Exchange rates, conversions and consolidated balances against a real database."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import msgspec
import pytest

from libs.common.clock import ManualClock
from libs.common.contracts.ledger import AccountType, ListEntries, OpenAccount
from libs.common.contracts.ledger_books import ClosePeriod
from libs.common.contracts.ledger_errors import (
    AccountUnknown,
    ConversionConflict,
    ConversionInvalid,
    ConversionOutsideBand,
    ConversionTooLarge,
    ConversionTooSmall,
    ConversionUnknown,
    PeriodClosed,
    QueryInvalid,
    RateConflict,
    RateInvalid,
    RateUnknown,
)
from libs.common.contracts.ledger_money import (
    ExchangeRate,
    GetConsolidatedBalances,
    GetConversion,
    GetConvertedAmount,
    ListExchangeRates,
    MoneyConversion,
    PostConversion,
    RecordExchangeRate,
)
from libs.common.contracts.ledger_roles import AssignAccountRole, Role
from libs.common.errors import Rejected
from libs.common.ids import new_id
from libs.common.money import UnsupportedCurrency
from services.ledger.periods import Periods
from tests.integration.ledger.conftest import Ledger, audit, captured

HOUR = timedelta(hours=1)


async def record(
    ledger: Ledger,
    tenant_id: str,
    pair: str,
    rate: str,
    *,
    at: datetime | None = None,
    source: str = "ECB",
) -> ExchangeRate:
    """Record a rate of a pair that is written as `USD/BRL`."""
    from_currency, to_currency = pair.split("/")
    return await ledger.exchange.on_record_exchange_rate(
        RecordExchangeRate(
            tenant_id=tenant_id,
            rate_id=new_id(),
            from_currency=from_currency,
            to_currency=to_currency,
            rate=Decimal(rate),
            effective_at=at,
            source=source,
            actor="admin@example.com",
        )
    )


async def listed(ledger: Ledger, request: ListExchangeRates) -> list[tuple[str, str]]:
    """Walk through all pages of a list, as (pair, rate)."""
    found: list[ExchangeRate] = []
    while True:
        page = await ledger.exchange.on_list_exchange_rates(request)
        assert len(page.rates) <= request.limit
        found += page.rates
        if page.next_cursor is None:
            return [(f"{rate.from_currency}/{rate.to_currency}", str(rate.rate)) for rate in found]
        request = msgspec.structs.replace(request, cursor=page.next_cursor)


class TestRates:
    async def test_the_same_again_is_the_same_and_other_content_a_conflict(
        self, ledger: Ledger, clock: ManualClock, tenant_id: str
    ) -> None:
        at = clock.now()
        first, *others = await asyncio.gather(
            *(record(ledger, tenant_id, "USD/BRL", "5.4321", at=at) for _ in range(5))
        )
        assert {rate.id for rate in others} == {first.id}
        assert await record(ledger, tenant_id, "USD/BRL", "5.432100", at=at) == first
        for wrong in (("5.4322", "ECB"), ("5.4321", "treasury")):
            with pytest.raises(RateConflict):
                await record(ledger, tenant_id, "USD/BRL", wrong[0], at=at, source=wrong[1])
        assert await listed(ledger, ListExchangeRates(tenant_id=tenant_id, history=True)) == [("USD/BRL", "5.4321")]

    async def test_a_rate_keeps_every_digit(self, ledger: Ledger, tenant_id: str) -> None:
        exact = "123456789012.123456789012345678"
        assert (await record(ledger, tenant_id, "CLF/KRW", exact)).rate == Decimal(exact)
        assert await listed(ledger, ListExchangeRates(tenant_id=tenant_id)) == [("CLF/KRW", exact)]

    async def test_rates_in_effect_and_their_history_page_by_page(
        self, ledger: Ledger, clock: ManualClock, tenant_id: str
    ) -> None:
        begin = clock.now()
        for hour in range(3):
            for pair in ("EUR/USD", "USD/BRL", "USD/JPY"):
                await record(ledger, tenant_id, pair, f"{hour + 1}", at=begin + hour * HOUR)
        await record(ledger, f"{tenant_id}-b", "USD/BRL", "99", at=begin)
        clock.advance(HOUR)
        for limit in (1, 2, 100):
            in_effect = ListExchangeRates(tenant_id=tenant_id, limit=limit)
            assert await listed(ledger, in_effect) == [("EUR/USD", "2"), ("USD/BRL", "2"), ("USD/JPY", "2")]
            history = ListExchangeRates(tenant_id=tenant_id, history=True, limit=limit)
            assert await listed(ledger, history) == [
                (pair, rate) for rate in "321" for pair in ("USD/JPY", "USD/BRL", "EUR/USD")
            ]
        assert await listed(ledger, ListExchangeRates(tenant_id=tenant_id, at=begin - HOUR)) == []
        assert await listed(
            ledger, ListExchangeRates(tenant_id=tenant_id, at=begin + 9 * HOUR, from_currency="USD")
        ) == [
            ("USD/BRL", "3"),
            ("USD/JPY", "3"),
        ]
        narrowed = ListExchangeRates(tenant_id=tenant_id, history=True, at=begin + HOUR, to_currency="JPY")
        assert await listed(ledger, narrowed) == [("USD/JPY", "2"), ("USD/JPY", "1")]

    @pytest.mark.parametrize("changes", [{"limit": 0}, {"cursor": "nonsense"}, {"cursor": "kw=="}])
    async def test_a_list_that_cannot_be_is_refused(
        self, ledger: Ledger, tenant_id: str, changes: dict[str, object]
    ) -> None:
        with pytest.raises(QueryInvalid):
            await ledger.exchange.on_list_exchange_rates(
                ListExchangeRates(tenant_id=tenant_id, **changes)  # type: ignore[arg-type]
            )

    async def test_a_cursor_of_the_one_list_is_none_of_the_other(self, ledger: Ledger, tenant_id: str) -> None:
        for pair in ("USD/BRL", "USD/JPY"):
            await record(ledger, tenant_id, pair, "1")
        for history in (False, True):
            page = await ledger.exchange.on_list_exchange_rates(
                ListExchangeRates(tenant_id=tenant_id, history=history, limit=1)
            )
            with pytest.raises(QueryInvalid):
                await ledger.exchange.on_list_exchange_rates(
                    ListExchangeRates(tenant_id=tenant_id, history=not history, cursor=page.next_cursor)
                )

    async def test_a_rate_that_cannot_be_one_is_refused(self, ledger: Ledger, tenant_id: str) -> None:
        for pair, rate in (("USD/XXX", "1"), ("USD/USD", "1"), ("USD/BRL", "0"), ("USD/BRL", "NaN")):
            with pytest.raises(RateInvalid):
                await record(ledger, tenant_id, pair, rate)

    async def test_an_amount_is_sent_by_the_rates_of_an_instant(
        self, ledger: Ledger, clock: ManualClock, tenant_id: str
    ) -> None:
        begin = clock.now()
        await record(ledger, tenant_id, "USD/BRL", "5", at=begin)
        await record(ledger, tenant_id, "USD/JPY", "150", at=begin)
        await record(ledger, tenant_id, "USD/BRL", "6", at=begin + HOUR)
        clock.advance(2 * HOUR)

        async def shown(from_currency: str, to_currency: str, amount: int, at: datetime | None = None) -> int:
            requested = GetConvertedAmount(
                tenant_id=tenant_id, from_currency=from_currency, to_currency=to_currency, amount_minor=amount, at=at
            )
            return (await ledger.exchange.on_get_converted_amount(requested)).converted_minor

        assert await shown("USD", "BRL", 100) == 600
        assert await shown("USD", "BRL", 100, begin) == 500
        assert await shown("BRL", "USD", 600) == 100
        assert await shown("BRL", "JPY", 600) == 150
        assert await shown("BRL", "BRL", 7) == 7
        for unknown in (("USD", "KWD", None), ("USD", "BRL", begin - HOUR)):
            with pytest.raises(RateUnknown):
                await shown(unknown[0], unknown[1], 100, unknown[2])
        with pytest.raises(UnsupportedCurrency):
            await shown("USD", "XXX", 100)


def conversion(
    tenant_id: str,
    *,
    conversion_id: UUID | None = None,
    amount_minor: int = 10_000,
    received_minor: int | None = None,
    from_currency: str = "USD",
    to_currency: str = "BRL",
    from_account: str | None = None,
    to_account: str | None = None,
) -> PostConversion:
    return PostConversion(
        tenant_id=tenant_id,
        conversion_id=conversion_id or new_id(),
        from_currency=from_currency,
        to_currency=to_currency,
        amount_minor=amount_minor,
        received_minor=received_minor,
        from_account=from_account,
        to_account=to_account,
        actor="ops@example.com",
    )


async def standing(ledger: Ledger, tenant_id: str) -> dict[tuple[str, str], int]:
    """Debits less credits of every account in every currency."""
    rows = await ledger.database.fetch(
        "SELECT a.code, b.currency, b.debits_minor - b.credits_minor AS net FROM balances AS b JOIN accounts AS a "
        "ON a.tenant_id = b.tenant_id AND a.id = b.account_id WHERE b.tenant_id = $1 AND b.version > 0",
        tenant_id,
    )
    return {(row["code"], row["currency"]): row["net"] for row in rows}


class TestConversions:
    async def post(self, ledger: Ledger, request: PostConversion) -> MoneyConversion:
        return await ledger.exchange.on_post_conversion(request)

    async def test_it_is_two_linked_entries_and_every_currency_balances(
        self, ledger: Ledger, clock: ManualClock, tenant_id: str
    ) -> None:
        await record(ledger, tenant_id, "USD/BRL", "5.4321")
        requested = conversion(tenant_id, received_minor=54_200)
        done = await self.post(ledger, requested)
        assert (done.sold_minor, done.bought_minor, done.gain_minor) == (10_000, 54_200, -22)
        assert await standing(ledger, tenant_id) == {
            ("CASH", "USD"): -10_000,
            ("FX_POSITION", "USD"): 9_978,
            ("FX_GAIN_LOSS", "USD"): 22,
            ("CASH", "BRL"): 54_200,
            ("FX_POSITION", "BRL"): -54_200,
        }
        entries = (await ledger.entries.on_list_entries(ListEntries(tenant_id=tenant_id))).entries
        assert {entry.id: entry.kind for entry in entries} == {
            done.sold_entry_id: "conversion_sold",
            done.bought_entry_id: "conversion_bought",
        }
        found = await ledger.exchange.on_get_conversion(
            GetConversion(tenant_id=tenant_id, conversion_id=requested.conversion_id)
        )
        assert found == done
        published = await ledger.published(tenant_id)
        assert [(shown.kind, shown.subject_id, shown.currency) for shown in published] == [
            ("conversion_sold", done.id, "USD"),
            ("conversion_bought", done.id, "BRL"),
        ]
        assert await audit(ledger.database) == []

    async def test_conversion_requested_at_once_and_after_a_new_rate_happens_once(
        self, ledger: Ledger, clock: ManualClock, tenant_id: str
    ) -> None:
        await record(ledger, tenant_id, "USD/BRL", "5")
        requested = conversion(tenant_id)
        processes = [Ledger(ledger.database, clock) for _ in range(4)]
        answers = await asyncio.gather(*(self.post(process, requested) for process in processes for _ in range(2)))
        clock.advance(HOUR)
        await record(ledger, tenant_id, "USD/BRL", "6")
        answers.append(await self.post(ledger, requested))
        assert {answer.bought_minor for answer in answers} == {50_000}
        assert all(answer == answers[0] for answer in answers)
        assert (await standing(ledger, tenant_id))["CASH", "BRL"] == 50_000
        for other in (
            msgspec.structs.replace(requested, amount_minor=9_999),
            msgspec.structs.replace(requested, received_minor=50_000),
            msgspec.structs.replace(requested, to_account="BANK"),
        ):
            with pytest.raises(ConversionConflict):
                await self.post(ledger, other)

    async def test_many_there_and_back_leave_every_currency_balanced(
        self, ledger: Ledger, clock: ManualClock, tenant_id: str
    ) -> None:
        rates = {"USD/BRL": "5.4321", "USD/JPY": "150.37", "USD/KWD": "0.30751", "CLF/USD": "39.8"}
        for pair, rate in rates.items():
            await record(ledger, tenant_id, pair, rate)
        codes = ("USD", "BRL", "JPY", "KWD", "CLF")
        walks: Sequence[tuple[str, str, int]] = [
            (one, other, 999_983 + 7 * i) for i, one in enumerate(codes) for other in codes if one != other
        ]

        async def there_and_back(one: str, other: str, amount: int) -> None:
            there = await self.post(
                ledger, conversion(tenant_id, from_currency=one, to_currency=other, amount_minor=amount)
            )
            await self.post(
                ledger,
                conversion(tenant_id, from_currency=other, to_currency=one, amount_minor=there.bought_minor),
            )

        await asyncio.gather(*(there_and_back(*walk) for walk in walks))
        held = await standing(ledger, tenant_id)
        for code in codes:
            assert sum(minor for (_, currency), minor in held.items() if currency == code) == 0
        assert await audit(ledger.database) == []

    async def test_money_moves_between_the_accounts_that_are_named_or_that_play_cash(
        self, ledger: Ledger, tenant_id: str
    ) -> None:
        await record(ledger, tenant_id, "USD/BRL", "5")
        await ledger.accounts.on_open_account(
            OpenAccount(
                tenant_id=tenant_id, account_id=new_id(), code="TILL", label="Till", account_type=AccountType.ASSET
            )
        )
        await ledger.roles.on_assign_account_role(
            AssignAccountRole(tenant_id=tenant_id, role=Role.CASH, account="TILL", actor="a")
        )
        done = await self.post(ledger, conversion(tenant_id, to_account="BANK"))
        assert (done.from_account, done.to_account) == ("TILL", "BANK")
        held = await standing(ledger, tenant_id)
        assert (held["TILL", "USD"], held["BANK", "BRL"]) == (-10_000, 50_000)

    @pytest.mark.parametrize("received", [44_999, 55_001])
    async def test_it_may_be_a_tenth_off(self, ledger: Ledger, tenant_id: str, received: int) -> None:
        await record(ledger, tenant_id, "USD/BRL", "5")
        assert (await self.post(ledger, conversion(tenant_id, received_minor=received))).bought_minor == received

    @pytest.mark.parametrize(
        ("changes", "fault"),
        [
            ({"from_account": "NOBODY"}, AccountUnknown),
            ({"to_account": "FX_POSITION"}, ConversionInvalid),
            ({"from_account": "FX_GAIN_LOSS"}, ConversionInvalid),
            ({"to_currency": "USD"}, ConversionInvalid),
            ({"to_currency": "XXX"}, ConversionInvalid),
            ({"amount_minor": 0}, ConversionInvalid),
            ({"received_minor": -1}, ConversionInvalid),
            ({"received_minor": 55_002}, ConversionOutsideBand),
            ({"received_minor": 44_998}, ConversionOutsideBand),
            ({"to_currency": "KWD"}, RateUnknown),
            ({"to_currency": "JPY", "amount_minor": 1, "received_minor": None}, ConversionTooSmall),
            ({"to_currency": "BRL", "amount_minor": 10**15}, ConversionTooLarge),
        ],
    )
    async def test_what_cannot_be_leaves_nothing(
        self, ledger: Ledger, tenant_id: str, changes: dict[str, object], fault: type[Rejected]
    ) -> None:
        await record(ledger, tenant_id, "USD/BRL", "5")
        await record(ledger, tenant_id, "USD/JPY", "0.1")
        requested = msgspec.structs.replace(conversion(tenant_id), **changes)
        with pytest.raises(fault):
            await self.post(ledger, requested)
        assert await standing(ledger, tenant_id) == {}
        with pytest.raises(ConversionUnknown):
            await ledger.exchange.on_get_conversion(
                GetConversion(tenant_id=tenant_id, conversion_id=requested.conversion_id)
            )


async def test_a_conversion_of_a_closed_period_is_refused(ledger: Ledger, clock: ManualClock, tenant_id: str) -> None:
    await record(ledger, tenant_id, "USD/BRL", "5", at=clock.now() - 72 * HOUR)
    periods = Periods(ledger.database, clock=clock)
    midnight = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    await periods.close(ClosePeriod(tenant_id=tenant_id, ends_before=midnight, closed_by="a"))
    late = msgspec.structs.replace(conversion(tenant_id), occurred_at=midnight - HOUR)
    with pytest.raises(PeriodClosed):
        await ledger.exchange.on_post_conversion(late)
    assert await standing(ledger, tenant_id) == {}
    await ledger.exchange.on_post_conversion(msgspec.structs.replace(late, occurred_at=midnight))
    assert (await standing(ledger, tenant_id))["CASH", "BRL"] == 50_000


async def test_balances_in_one_currency_use_the_rates_of_their_instant(
    ledger: Ledger, clock: ManualClock, tenant_id: str
) -> None:
    begin = clock.now()
    await record(ledger, tenant_id, "USD/BRL", "5")
    await ledger.handle_captures(
        captured(tenant_id, at=begin, amount_minor=1000, currency="BRL"),
        captured(tenant_id, at=begin, amount_minor=300, currency="USD"),
    )
    clock.advance(HOUR)
    await record(ledger, tenant_id, "USD/BRL", "4")
    await ledger.handle_captures(captured(tenant_id, at=begin, amount_minor=700, currency="JPY"))

    async def shown(at: datetime | None = None) -> tuple[dict[str, int], list[str]]:
        found = await ledger.exchange.on_get_consolidated_balances(
            GetConsolidatedBalances(tenant_id=tenant_id, currency="USD", at=at)
        )
        return {account.account: account.net_minor for account in found.accounts}, found.unconverted

    assert await shown() == ({"CASH": -550, "REVENUE": 550}, ["JPY"])
    assert await shown(begin + HOUR / 2) == ({"CASH": -500, "REVENUE": 500}, [])
    assert await shown(begin - HOUR) == ({}, [])
    await record(ledger, tenant_id, "JPY/BRL", "0.04")
    # No rate leads from the yen to the dollar over a base currency: it is still named.
    assert (await shown())[1] == ["JPY"]
    await record(ledger, tenant_id, "EUR/JPY", "175")
    await record(ledger, tenant_id, "EUR/USD", "1.25")
    assert await shown() == ({"CASH": -1050, "REVENUE": 1050}, [])
    with pytest.raises(UnsupportedCurrency):
        await ledger.exchange.on_get_consolidated_balances(GetConsolidatedBalances(tenant_id=tenant_id, currency="XXX"))
