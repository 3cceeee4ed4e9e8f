"""A year that was ended still shows what was earned in it, on its income statement."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from libs.common.clock import ManualClock
from libs.common.contracts.ledger_closing import CloseYear
from libs.common.contracts.ledger_statements import AccountFigures, Basis, ReportFigures, Span
from services.ledger.closing import Closing
from services.ledger.statements import StatementQueries
from tests.integration.ledger.books import Books, moved

BEGIN, END = datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands shortly before the year ends."""
    return ManualClock(datetime(2025, 12, 31, 12, tzinfo=UTC))


async def figures(books: Books, tenant_id: str, basis: Basis, span: Span) -> dict[str, AccountFigures]:
    """Read one column."""
    found = await StatementQueries(books.database, clock=books.clock).figures(
        ReportFigures(tenant_id=tenant_id, spans=[span], basis=basis)
    )
    return {one.account: one for one in found.columns[0].accounts}


async def test_a_year_end_is_beside_what_was_earned(books: Books, tenant_id: str) -> None:
    await books.post(tenant_id, moved("CASH", "REVENUE", "100.50"), moved("REFUND_EXPENSE", "CASH", "40.25"))
    books.clock.advance(timedelta(days=2))
    await Closing(books.journal).close_year(CloseYear(tenant_id=tenant_id, year=2025, made_by="chief@example.com"))
    by_effect = await figures(books, tenant_id, Basis.EFFECTIVE, Span(begins_at=BEGIN, ends_before=END))
    revenue, refunds = by_effect["REVENUE"], by_effect["REFUND_EXPENSE"]
    assert (revenue.closing_credits_minor, revenue.closing_debits_minor) == (10050, 10050)
    assert (revenue.year_end_credits_minor, revenue.year_end_debits_minor) == (0, 10050)
    assert (refunds.year_end_credits_minor, refunds.year_end_debits_minor) == (4025, 0)
    assert by_effect["RETAINED_EARNINGS"].year_end_credits_minor == 0
    # It was recorded in the next year, and so by record it is of that one.
    by_record = await figures(books, tenant_id, Basis.RECORD, Span(begins_at=BEGIN, ends_before=END))
    assert by_record["REVENUE"].year_end_debits_minor == 0
    later = Span(begins_at=END, ends_before=datetime(2026, 2, 1, tzinfo=UTC))
    assert (await figures(books, tenant_id, Basis.RECORD, later))["REVENUE"].year_end_debits_minor == 10050
    assert (await figures(books, tenant_id, Basis.EFFECTIVE, later))["REVENUE"].year_end_debits_minor == 0


async def test_a_year_end_that_comes_to_nothing_is_shown(books: Books, tenant_id: str) -> None:
    """As much was spent as earned: no line is on retained earnings."""
    year_before = datetime(2024, 1, 1, tzinfo=UTC)
    both = moved("CASH", "REVENUE", "40.00"), moved("REFUND_EXPENSE", "CASH", "40.00")
    await books.post(tenant_id, *(msgspec.structs.replace(each, occurred_at=year_before) for each in both))
    await Closing(books.journal).close_year(CloseYear(tenant_id=tenant_id, year=2024, made_by="chief@example.com"))
    shown = await figures(books, tenant_id, Basis.EFFECTIVE, Span(begins_at=year_before, ends_before=BEGIN))
    assert "RETAINED_EARNINGS" not in shown
    assert (shown["REVENUE"].year_end_debits_minor, shown["REFUND_EXPENSE"].year_end_credits_minor) == (4000, 4000)
