"""Other currencies at the closing rate: what they gained is what a plain model computes, booked once and taken back."""

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import msgspec
import pytest

from libs.common.clock import ManualClock
from libs.common.contracts.ledger import AccountType
from libs.common.contracts.ledger_books import ClosePeriod
from libs.common.contracts.ledger_calendar import SetCalendar
from libs.common.contracts.ledger_closing import BooksClosed, ClosingOutcome, RevalueCurrencies
from libs.common.contracts.ledger_errors import PeriodClosed, PeriodInvalid, RateUnknown
from libs.common.contracts.ledger_journal import ApproveProposal
from libs.common.contracts.ledger_money import RecordExchangeRate
from libs.common.contracts.ledger_roles import AssignAccountRole, Role
from libs.common.ids import new_id
from libs.common.money import UnsupportedCurrency, format_minor
from services.ledger.balances.sql.effective import fold
from services.ledger.closing import Closing
from services.ledger.exchange import ExchangeCommands
from services.ledger.manual_entries.commands import decide
from services.ledger.periods import Periods
from services.ledger.posting_rules import RoleCommands
from tests.integration.ledger.books import Books, moved
from tests.integration.ledger.closing.test_year_end import held
from tests.integration.ledger.conftest import audit
from tests.integration.ledger.policies.test_control import demand
from tests.support.samples import seed

FIRST = datetime(2025, 11, 20, 15, 0, tzinfo=UTC)
LAST = date(2025, 12, 31)
END = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands some weeks before the period ends."""
    return ManualClock(FIRST)


async def rate(books: Books, tenant_id: str, pair: str, rate: str, at: datetime) -> None:
    from_currency, to_currency = pair.split("/")
    await ExchangeCommands(books.database, clock=books.clock).record_rate(
        RecordExchangeRate(
            tenant_id=tenant_id,
            rate_id=new_id(),
            from_currency=from_currency,
            to_currency=to_currency,
            rate=Decimal(rate),
            effective_at=at,
            source="ECB",
            actor="admin@example.com",
        )
    )


async def revalued(books: Books, tenant_id: str, day: date = LAST, currency: str = "BRL") -> BooksClosed:
    return await Closing(books.journal).revalue(
        RevalueCurrencies(tenant_id=tenant_id, day=day, currency=currency, made_by="chief@example.com")
    )


async def two_purchases(books: Books, tenant_id: str) -> None:
    """Receive 100 USD at 5.00 and 50 USD at 5.20; at the end of the period a dollar is worth 6."""
    await rate(books, tenant_id, "USD/BRL", "5", FIRST - DAY)
    await rate(books, tenant_id, "USD/BRL", "5.2", FIRST + 3 * DAY)
    await rate(books, tenant_id, "USD/BRL", "6", END - timedelta(hours=1))
    # Of the next period already.
    await rate(books, tenant_id, "USD/BRL", "9", END)
    await books.post(tenant_id, moved("CASH", "REVENUE", "100", "USD"), moved("CASH", "REVENUE", "77", "BRL"))
    books.clock.advance(3 * DAY)
    await books.post(tenant_id, moved("CASH", "REVENUE", "50", "USD"))
    books.clock.advance(END - books.clock.now())


async def test_a_gain_is_booked_once_and_taken_back_the_next_day(books: Books, tenant_id: str) -> None:
    await two_purchases(books, tenant_id)
    done = await revalued(books, tenant_id)
    # 150 at 6, less 100 at 5 and 50 at 5.2.
    [result] = done.results
    assert (result.currency, result.result_minor, result.balance_minor, result.rate) == (
        "USD",
        14000,
        15000,
        Decimal(6),
    )
    assert (await revalued(books, tenant_id)).outcome is ClosingOutcome.UNCHANGED
    before = await held(books, tenant_id, before=END)
    assert (before["FX_REVALUATION", "BRL"], before["FX_UNREALIZED", "BRL"]) == (14000, -14000)
    after = await held(books, tenant_id, before=END + DAY)
    assert {code for code, _ in after} == {"CASH", "REVENUE"}
    # What comes later is valued by itself.
    late = msgspec.structs.replace(moved("CASH", "REVENUE", "10", "USD"), occurred_at=FIRST + 4 * DAY)
    await books.post(tenant_id, late)
    later = await revalued(books, tenant_id)
    assert ([each.result_minor for each in later.results], len(later.entry_ids)) == ([800], 2)
    assert (await revalued(books, tenant_id)).outcome is ClosingOutcome.UNCHANGED
    assert (await held(books, tenant_id, before=END))["FX_REVALUATION", "BRL"] == 14800
    assert {code for code, _ in await held(books, tenant_id, before=END + DAY)} == {"CASH", "REVENUE"}
    assert await audit(books.database) == []


async def test_a_second_person_approves_a_revaluation(books: Books, tenant_id: str) -> None:
    await two_purchases(books, tenant_id)
    await demand(books, tenant_id)
    proposed = await revalued(books, tenant_id)
    assert (proposed.outcome, await revalued(books, tenant_id)) == (ClosingOutcome.PROPOSED, proposed)
    assert ("FX_REVALUATION", "BRL") not in await held(books, tenant_id, before=END)
    assert proposed.proposal_id is not None
    await decide.approve(
        books.journal,
        ApproveProposal(tenant_id=tenant_id, proposal_id=proposed.proposal_id, decided_by="second@example.com"),
    )
    assert (await revalued(books, tenant_id)).outcome is ClosingOutcome.UNCHANGED
    assert (await held(books, tenant_id, before=END))["FX_REVALUATION", "BRL"] == 14000


async def test_what_cannot_be_valued_leaves_nothing(books: Books, tenant_id: str) -> None:
    await two_purchases(books, tenant_id)
    count = await books.count(tenant_id)
    with pytest.raises(PeriodInvalid):
        await revalued(books, tenant_id, LAST + DAY)
    with pytest.raises(UnsupportedCurrency):
        await revalued(books, tenant_id, currency="XXX")
    with pytest.raises(RateUnknown, match="2025-11-20"):
        await revalued(books, tenant_id, currency="JPY")
    await Periods(books.database, clock=books.clock).close(
        ClosePeriod(tenant_id=tenant_id, ends_before=END, closed_by="chief")
    )
    with pytest.raises(PeriodClosed):
        await revalued(books, tenant_id)
    assert await books.count(tenant_id) == count


@pytest.mark.parametrize("replaced", [None, Role.FX_REVALUATION, Role.FX_POSITION])
async def test_a_valuation_is_not_valued(books: Books, tenant_id: str, replaced: Role | None) -> None:
    """Neither what was valued in another currency nor what mirrors an exchange is valued, whoever plays its role now."""
    await rate(books, tenant_id, "EUR/USD", "1", FIRST - DAY)
    await rate(books, tenant_id, "EUR/BRL", "5", FIRST - DAY)
    await rate(books, tenant_id, "USD/BRL", "5", FIRST - DAY)
    november = datetime(2025, 12, 1, tzinfo=UTC)
    await rate(books, tenant_id, "EUR/USD", "2", november - timedelta(hours=1))
    await rate(books, tenant_id, "USD/BRL", "5.2", november)
    await books.post(
        tenant_id, moved("CASH", "REVENUE", "100", "EUR"), moved("FX_POSITION", "RETAINED_EARNINGS", "70", "USD")
    )
    books.clock.advance(END - books.clock.now())
    [gained] = (await revalued(books, tenant_id, date(2025, 11, 30), "USD")).results
    assert (gained.currency, gained.result_minor) == ("EUR", 10000)
    if replaced is not None:
        await books.open_account(tenant_id, "NEW", AccountType.ASSET)
        await RoleCommands(books.database, clock=books.clock).assign(
            AssignAccountRole(tenant_id=tenant_id, role=replaced, account="NEW", actor="chief@example.com")
        )
    assert (await revalued(books, tenant_id)).outcome is ClosingOutcome.UNCHANGED


@pytest.mark.parametrize("zone", ["UTC", "America/Sao_Paulo", "Asia/Kathmandu", "Pacific/Kiritimati"])
async def test_gains_are_those_of_the_model(books: Books, tenant_id: str, zone: str) -> None:
    """Over random postings and rates: by recorded rates, their inverse, and over a third currency, by the tenant's days."""
    dice, days_of = random.Random(seed(f"revaluation {zone}")), ZoneInfo(zone)
    end = END.replace(tzinfo=days_of).astimezone(UTC)
    await Periods(books.database, clock=books.clock).keep_by(
        SetCalendar(tenant_id=tenant_id, zone=zone, changed_by="cfo")
    )

    def day_of(instant: datetime) -> date:
        return instant.astimezone(days_of).date()

    await books.open_account(tenant_id, "LOAN", AccountType.LIABILITY)
    for pair, about in (("USD/BRL", 5.0), ("JPY/BRL", 0.03), ("USD/EUR", 0.9)):
        for day in range(0, 41, dice.randint(1, 5)):
            at = FIRST - DAY + day * DAY + timedelta(hours=dice.randint(0, 8))
            await rate(books, tenant_id, pair, f"{about * dice.uniform(0.8, 1.2):.6f}", at)
    # A mirror of what was exchanged is no asset, whatever its type.
    booked = [("CASH", "REVENUE", 1), ("CASH", "LOAN", 0), ("REFUND_EXPENSE", "LOAN", -1), ("FX_POSITION", "CASH", -1)]
    facts: list[tuple[date, str, int]] = []
    for _ in range(60):
        debit, credit, sign = dice.choice(booked)
        currency, amount_minor = dice.choice(("USD", "JPY", "EUR", "BRL")), dice.randint(1, 10**6)
        await books.post(tenant_id, moved(debit, credit, format_minor(amount_minor, currency), currency))
        if currency != "BRL":
            facts.append((day_of(books.clock.now()), currency, sign * amount_minor))
        books.clock.advance(timedelta(hours=dice.randint(1, 15), minutes=dice.randint(0, 59)))
        if dice.random() < 0.2:
            async with books.database.transaction() as tx:
                await fold(tx, postings_min=1, accounts_max=1000, postings_max=7)
    books.clock.advance(end - books.clock.now())
    rows = await books.database.fetch(
        "SELECT from_currency, to_currency, rate, effective_at FROM exchange_rates WHERE tenant_id = $1 "
        "ORDER BY effective_at",
        tenant_id,
    )

    def last(pair: tuple[str, str], day: date) -> Fraction:
        return Fraction([r["rate"] for r in rows if (r[0], r[1]) == pair and day_of(r["effective_at"]) <= day][-1])

    def worth(currency: str, day: date) -> Fraction:
        """What a minor unit is worth in minor units of BRL."""
        if currency == "EUR":
            return last(("USD", "BRL"), day) / last(("USD", "EUR"), day)
        return last((currency, "BRL"), day) * (100 if currency == "JPY" else 1)

    gains = {
        currency: round(
            sum(
                (
                    amount * (worth(currency, LAST) - worth(currency, day))
                    for day, of, amount in facts
                    if of == currency
                ),
                Fraction(0),
            )
        )
        for currency in {currency for _, currency, _ in facts}
    }
    done = await revalued(books, tenant_id)
    assert {each.currency: each.result_minor for each in done.results} == {
        currency: gain for currency, gain in gains.items() if gain
    }
    assert (await held(books, tenant_id, before=end)).get(("FX_REVALUATION", "BRL"), 0) == sum(gains.values())
    assert (await revalued(books, tenant_id)).outcome is ClosingOutcome.UNCHANGED
