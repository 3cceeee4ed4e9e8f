"""Financial statements: what figures become, and which periods are compared."""

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec
import pytest

from libs.common.contracts.ledger import AccountType
from libs.common.contracts.ledger_statements import AccountFigures, Basis, Figures, PeriodSeal, Span, SpanFigures
from services.api.books.routes.statements import earlier
from services.api.books.schemas.statements import (
    UNCLOSED,
    FinancialStatementBody,
    headings,
    statement_body,
    statement_page,
    table_rows,
)

ZONE = ZoneInfo("America/Sao_Paulo")
NEW_YORK = ZoneInfo("America/New_York")
CLOSED_AT = datetime(2026, 11, 2, 12, tzinfo=UTC)


def at(year: int, month: int, day: int, *, zone: ZoneInfo = ZONE) -> datetime:
    """A midnight of the local clock."""
    return datetime(year, month, day, tzinfo=zone)


def account(
    code: str,
    kind: AccountType,
    debits: tuple[int, int],
    credits_: tuple[int, int],
    *,
    roles: tuple[str, ...] = (),
    currency: str = "BRL",
) -> AccountFigures:
    """An account with its totals before the span and up to its end."""
    return AccountFigures(
        account=code,
        label=f"<{code}>",
        account_type=kind,
        roles=list(roles),
        currency=currency,
        opening_debits_minor=debits[0],
        closing_debits_minor=debits[1],
        opening_credits_minor=credits_[0],
        closing_credits_minor=credits_[1],
    )


OCTOBER = SpanFigures(
    span=Span(begins_at=at(2026, 10, 1).astimezone(UTC), ends_before=at(2026, 11, 1).astimezone(UTC)),
    accounts=[
        account("BANK", AccountType.ASSET, (1000, 4000), (0, 500), roles=("BANK",)),
        account("GOODS", AccountType.ASSET, (0, 200), (0, 0)),
        account("LOAN", AccountType.LIABILITY, (0, 0), (700, 700)),
        account("CAPITAL", AccountType.EQUITY, (0, 0), (300, 300)),
        account("SALES", AccountType.REVENUE, (0, 100), (0, 3000)),
        account("RENT", AccountType.EXPENSE, (0, 300), (0, 100)),
        account("SALES", AccountType.REVENUE, (0, 0), (0, 7), currency="JPY"),
        account("BANK", AccountType.ASSET, (0, 7), (0, 0), roles=("BANK",), currency="JPY"),
    ],
    is_final=True,
    seal=PeriodSeal(
        ends_before=at(2026, 11, 1).astimezone(UTC), closed_at=CLOSED_AT, closed_by="cfo", sha256="ab", is_equal=True
    ),
)
SEPTEMBER = SpanFigures(
    span=Span(begins_at=at(2026, 9, 1).astimezone(UTC), ends_before=at(2026, 10, 1).astimezone(UTC)),
    accounts=[account("OLD", AccountType.REVENUE, (0, 0), (0, 50))],
    is_final=False,
)


def made(kind: str, *columns: SpanFigures) -> FinancialStatementBody:
    """Make a statement."""
    return statement_body(kind, Figures(columns=list(columns)), basis=Basis.EFFECTIVE, zone_name=ZONE.key)


def rows_of(body: FinancialStatementBody, currency: str = "BRL") -> list[tuple[str, ...]]:
    """The rows of one currency, without it."""
    return [tuple(row[1:]) for row in table_rows(body) if row[0] == currency]


def test_income_is_revenue_less_expenses_in_each_column_and_currency() -> None:
    body = made("income_statement", OCTOBER, SEPTEMBER)
    assert rows_of(body) == [
        ("revenue", "OLD", "<OLD>", "0.00", "0.50"),
        ("revenue", "SALES", "<SALES>", "29.00", "0.00"),
        ("revenue", "", "total", "29.00", "0.50"),
        ("expenses", "RENT", "<RENT>", "2.00", "0.00"),
        ("expenses", "", "total", "2.00", "0.00"),
        ("net_income", "", "", "27.00", "0.50"),
    ]
    assert rows_of(body, "JPY")[-1] == ("net_income", "", "", "7", "0")


def test_assets_are_liabilities_equity_and_what_is_not_closed() -> None:
    body = made("balance_sheet", OCTOBER)
    assert rows_of(body) == [
        ("assets", "BANK", "<BANK>", "35.00"),
        ("assets", "GOODS", "<GOODS>", "2.00"),
        ("assets", "", "total", "37.00"),
        ("liabilities", "LOAN", "<LOAN>", "7.00"),
        ("liabilities", "", "total", "7.00"),
        ("equity", "CAPITAL", "<CAPITAL>", "3.00"),
        ("equity", "", UNCLOSED, "27.00"),
        ("equity", "", "total", "30.00"),
        ("assets", "", "", "37.00"),
        ("liabilities_and_equity", "", "", "37.00"),
        ("difference", "", "", "0.00"),
    ]


def test_cash_is_where_money_stands_by_role() -> None:
    body = made("cash_position", OCTOBER)
    assert rows_of(body) == [
        ("opening", "BANK", "<BANK>", "10.00"),
        ("opening", "", "total", "10.00"),
        ("came", "BANK", "<BANK>", "30.00"),
        ("came", "", "total", "30.00"),
        ("left", "BANK", "<BANK>", "5.00"),
        ("left", "", "total", "5.00"),
        ("closing", "BANK", "<BANK>", "35.00"),
        ("closing", "", "total", "35.00"),
    ]


def test_page_and_table_have_the_same_figures_and_name_the_closed_period() -> None:
    body = made("income_statement", OCTOBER, SEPTEMBER)
    assert headings(body, ZONE) == ["2026-10-01/2026-11-01", "2026-09-01/2026-10-01"]
    page = statement_page(body, tenant_id="<t>", made_at=CLOSED_AT, zone=ZONE).decode()
    assert "<t>" not in page
    assert "SALES &lt;SALES&gt;" in page
    assert "closed by cfo" in page
    assert "may still change" in page
    for row in table_rows(body):
        for amount in row[4:]:
            assert f"<td>{amount}</td>" in page


@pytest.mark.parametrize(
    ("begin", "end", "back", "by_year", "expected"),
    [
        # Whole months by months, whatever their length and their clocks.
        (at(2026, 3, 1), at(2026, 4, 1), 1, False, (at(2026, 2, 1), at(2026, 3, 1))),
        (at(2026, 1, 1), at(2026, 4, 1), 2, False, (at(2025, 7, 1), at(2025, 10, 1))),
        (at(2026, 3, 1, zone=NEW_YORK), at(2026, 4, 1, zone=NEW_YORK), 1, True, None),
        # Others by their own length on the local clock.
        (at(2026, 3, 10), at(2026, 3, 13), 1, False, (at(2026, 3, 7), at(2026, 3, 10))),
        (at(2026, 3, 10), at(2026, 3, 13), 1, True, (at(2025, 3, 10), at(2025, 3, 13))),
        (at(2028, 2, 29), at(2028, 3, 1), 1, True, (at(2027, 2, 28), at(2027, 3, 1))),
        # An instant alone.
        (None, at(2026, 3, 1), 1, False, (None, at(2026, 2, 1))),
        (None, at(2026, 3, 15), 2, False, (None, at(2026, 3, 13))),
        (None, at(2026, 3, 15), 1, True, (None, at(2025, 3, 15))),
    ],
)
def test_what_is_compared_lies_on_the_local_calendar(
    begin: datetime | None,
    end: datetime,
    back: int,
    by_year: bool,
    expected: tuple[datetime | None, datetime] | None,
) -> None:
    zone = end.tzinfo
    assert isinstance(zone, ZoneInfo)
    span = Span(begins_at=None if begin is None else begin.astimezone(UTC), ends_before=end.astimezone(UTC))
    if expected is None:
        expected = (at(2025, 3, 1, zone=zone), at(2025, 4, 1, zone=zone))
    found = earlier(span, zone, back, by_year=by_year)
    assert (found.begins_at, found.ends_before) == expected


def test_columns_of_many_months_follow_each_other_without_a_gap() -> None:
    span = Span(begins_at=at(2026, 5, 1).astimezone(UTC), ends_before=at(2026, 6, 1).astimezone(UTC))
    columns = [span, *(earlier(span, ZONE, back, by_year=False) for back in range(1, 12))]
    for later, before in pairwise(columns):
        assert before.ends_before == later.begins_at


@pytest.mark.parametrize(
    ("instant", "zone"),
    [("0001-01-01T00:00:00+00:00", "America/Sao_Paulo"), ("9999-12-31T23:59:59+00:00", "Asia/Tokyo")],
)
def test_instant_that_the_zone_has_not_is_shown_in_utc(instant: str, zone: str) -> None:
    body = made("income_statement", OCTOBER)
    column = msgspec.structs.replace(body.columns[0], begins_at=instant, ends_before=instant)
    shown = headings(msgspec.structs.replace(body, columns=[column]), ZoneInfo(zone))
    assert shown == [f"{instant}/{instant}"]
