"""Periods end by the tenant's calendar; years follow one another without a gap when it changes."""

from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from libs.common.clock import ManualClock
from libs.common.contracts.ledger_calendar import SetCalendar
from libs.common.contracts.ledger_closing import ClosingOutcome
from libs.common.contracts.ledger_errors import PeriodInvalid
from services.ledger.balances.sql.effective import fold
from services.ledger.periods import Periods
from tests.integration.ledger.books import Books, moved
from tests.integration.ledger.closing.test_revaluation import rate, revalued
from tests.integration.ledger.closing.test_year_end import closed, held

END = datetime(2026, 1, 1, tzinfo=UTC)
SAO_PAULO, TOKYO = timedelta(hours=3), timedelta(hours=-9)
HOUR, TICK = timedelta(hours=1), timedelta(microseconds=1)
LAST_DAY = date(2025, 12, 31)


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands shortly before a year ends in UTC."""
    return ManualClock(END - HOUR)


async def keep_by(books: Books, tenant_id: str, zone: str) -> None:
    """Keep the tenant's books by a zone."""
    await Periods(books.database, clock=books.clock).keep_by(
        SetCalendar(tenant_id=tenant_id, zone=zone, changed_by="cfo")
    )


async def earn(books: Books, tenant_id: str, amount: str, at: datetime) -> None:
    """Post revenue that counts at an instant."""
    await books.post(tenant_id, msgspec.structs.replace(moved("CASH", "REVENUE", amount), occurred_at=at))


async def results(books: Books, tenant_id: str, year: int) -> list[int]:
    """Close a year and return what was moved."""
    return [each.result_minor for each in (await closed(books, tenant_id, year)).results]


@pytest.mark.parametrize(("zone", "later"), [("America/Sao_Paulo", SAO_PAULO), ("Asia/Tokyo", TOKYO)])
async def test_a_year_ends_with_the_tenants_midnight(books: Books, tenant_id: str, zone: str, later: timedelta) -> None:
    await keep_by(books, tenant_id, zone)
    books.clock.advance(END + later - timedelta(microseconds=1) - books.clock.now())
    if later > timedelta(0):
        with pytest.raises(PeriodInvalid, match="not over"):
            await closed(books, tenant_id)
    books.clock.advance(timedelta(days=2))
    await earn(books, tenant_id, "7.00", END + later - HOUR)
    await earn(books, tenant_id, "1.00", END + later)
    assert await results(books, tenant_id, 2025) == [700]
    left = await held(books, tenant_id, before=END + later)
    assert left == {("CASH", "BRL"): 700, ("RETAINED_EARNINGS", "BRL"): -700}
    assert (await closed(books, tenant_id)).outcome is ClosingOutcome.UNCHANGED


@pytest.mark.parametrize("zone", ["America/Sao_Paulo", "Asia/Tokyo"])
async def test_years_follow_without_a_gap_when_the_calendar_changes(books: Books, tenant_id: str, zone: str) -> None:
    books.clock.advance(timedelta(days=400))
    for hours in (-20, -2, 1, 10):
        await earn(books, tenant_id, "1.00", END + hours * HOUR)
    assert await results(books, tenant_id, 2025) == [200]
    await keep_by(books, tenant_id, zone)
    # What was ended in UTC stays so, and the next year begins there.
    assert (await closed(books, tenant_id)).outcome is ClosingOutcome.UNCHANGED
    assert await results(books, tenant_id, 2026) == [200]
    assert await results(books, tenant_id, 2024) == []
    left = await held(books, tenant_id, before=books.clock.now())
    assert left == {("CASH", "BRL"): 400, ("RETAINED_EARNINGS", "BRL"): -400}


@pytest.mark.parametrize(("zone", "later"), [("America/Sao_Paulo", SAO_PAULO), ("Asia/Kolkata", timedelta(hours=-5.5))])
@pytest.mark.parametrize("is_summed", [False, True])
async def test_currencies_are_valued_by_the_tenants_days(
    books: Books, tenant_id: str, zone: str, later: timedelta, is_summed: bool
) -> None:
    await keep_by(books, tenant_id, zone)
    end = END + later
    await rate(books, tenant_id, "USD/BRL", "4", end - timedelta(days=2))
    await rate(books, tenant_id, "USD/BRL", "5", end - timedelta(days=1))
    await rate(books, tenant_id, "USD/BRL", "6", end - TICK)
    await rate(books, tenant_id, "USD/BRL", "9", end)
    books.clock.advance(end - TICK - books.clock.now())
    with pytest.raises(PeriodInvalid, match="not over"):
        await revalued(books, tenant_id, LAST_DAY)
    books.clock.advance(timedelta(days=3))
    # One tick before the last day, in it, and one after it: at 4, at 6, and not at all.
    for at in (end - timedelta(days=1) - TICK, end - timedelta(days=1), end):
        await books.post(tenant_id, msgspec.structs.replace(moved("CASH", "REVENUE", "10", "USD"), occurred_at=at))
    if is_summed:
        async with books.database.transaction() as tx:
            await fold(tx, postings_min=1, accounts_max=1000, postings_max=1000)
    [result] = (await revalued(books, tenant_id, LAST_DAY)).results
    assert (result.balance_minor, result.result_minor) == (2000, 2000)
    assert (await held(books, tenant_id, before=end))["FX_REVALUATION", "BRL"] == 2000
    assert ("FX_REVALUATION", "BRL") not in await held(books, tenant_id, before=end + TICK)
