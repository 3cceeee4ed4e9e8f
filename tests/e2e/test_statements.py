"""Financial statements over real HTTP: the same figures as JSON, as a table and as a page, tied to the closed month."""

import csv
import io

import pytest

from tests.e2e.bookkeeping import CHIEF, enter, moved, new_tenant, person
from tests.support.platform import Answer, Client, Platform

OCTOBER = "from=2025-10-01&to=2025-10-31"


@pytest.fixture
def tenant() -> str:
    """A tenant of the test's own."""
    return new_tenant()


@pytest.fixture
async def clerk(platform: Platform, tenant: str) -> Client:
    """Somebody who keeps the books of one tenant, with three months in them."""
    who = person(platform, tenant, "clerk@example.com", CHIEF)
    answer = await enter(
        who,
        moved("CASH", "REVENUE", "100.00", occurred_at="2025-09-30T23:59:59Z"),
        moved("CASH", "REVENUE", "150.50", occurred_at="2025-10-01T00:00:00Z"),
        moved("REFUND_EXPENSE", "CASH", "20.00", occurred_at="2025-10-31T23:59:59Z"),
        moved("BANK", "CASH", "50.00", occurred_at="2025-11-01T00:00:00Z"),
    )
    assert answer.json["posted"] == 4, answer.raw
    return who


async def read(clerk: Client, path: str) -> Answer:
    """Read a report."""
    answer = await clerk.call("GET", f"/v1/reports/{path}")
    assert answer.status == 200, answer.raw
    return answer


def results(answer: Answer, currency: str = "BRL") -> dict[str, list[str]]:
    """The results of a statement in one currency."""
    (found,) = [one for one in answer.json["currencies"] if one["currency"] == currency]
    return {one["name"]: one["amounts"] for one in found["results"]}


async def test_a_month_is_compared_with_the_one_before_and_tied_to_its_closing(clerk: Client) -> None:
    path = f"income-statement?{OCTOBER}&compare=previous_period"
    opened = await read(clerk, path)
    assert results(opened) == {"net_income": ["130.50", "100.00"]}
    assert [column["is_final"] for column in opened.json["columns"]] == [False, False]
    closed = await clerk.call("POST", "/v1/ledger/periods", {"ends_before": "2025-11-01"})
    assert closed.status == 201, closed.raw
    answer = await read(clerk, path)
    assert answer.json["currencies"] == opened.json["currencies"]
    month, before = answer.json["columns"]
    assert (month["is_final"], month["closed"]["is_equal"]) == (True, True)
    assert (before["is_final"], before["closed"]) == (True, None)
    recorded = await read(clerk, f"income-statement?{OCTOBER}&basis=record")
    assert recorded.json["currencies"] == []


async def test_a_balance_sheet_and_cash_show_where_all_is(clerk: Client) -> None:
    sheet = await read(clerk, "balance-sheet?as_of=2025-11-30&compare=previous_period")
    assert results(sheet) == {
        "assets": ["230.50", "230.50"],
        "liabilities_and_equity": ["230.50", "230.50"],
        "difference": ["0.00", "0.00"],
    }
    cash = await read(clerk, "cash-position?from=2025-11-01&to=2025-11-30")
    (found,) = cash.json["currencies"]
    totals = {section["section"]: section["total"] for section in found["sections"]}
    assert totals == {"opening": ["230.50"], "came": ["50.00"], "left": ["50.00"], "closing": ["230.50"]}


async def test_table_and_page_have_the_figures_of_the_json(clerk: Client, tenant: str) -> None:
    table = await read(clerk, f"income-statement?{OCTOBER}&format=csv")
    assert table.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(table.raw.decode(), newline="")))
    assert [(row["section"], row["account"], row["2025-10-01/2025-11-01"]) for row in rows] == [
        ("revenue", "REVENUE", "150.50"),
        ("revenue", "", "150.50"),
        ("expenses", "REFUND_EXPENSE", "20.00"),
        ("expenses", "", "20.00"),
        ("net_income", "", "130.50"),
    ]
    page = await read(clerk, f"income-statement?{OCTOBER}&format=html")
    assert page.headers["content-type"].startswith("text/html")
    assert tenant in page.raw.decode()
    assert "<td>130.50</td>" in page.raw.decode()


@pytest.mark.parametrize(
    "query",
    ["basis=paid", "compare=last", "compare=previous_period&columns=13", "columns=3", "from=2025-10-02&to=2025-10-01"],
)
async def test_what_makes_no_statement_is_refused(clerk: Client, query: str) -> None:
    refused = await clerk.call("GET", f"/v1/reports/income-statement?{query}")
    assert (refused.status, refused.json["code"]) == (422, "invalid_request"), refused.raw
