"""A report has the same figures as JSON, as a table and as a page, and none of its texts is markup."""

from datetime import UTC, datetime

from libs.common.contracts.gateway_reports import (
    BooksBeside,
    ClearingBalance,
    MatchedTotal,
    MovedLine,
    OpenTotal,
    RunReport,
    StatementSummary,
)
from services.api.reconciliation.reports import Heading, report_body, report_page, report_rows

AT = datetime(2026, 11, 20, tzinfo=UTC)
REPORT = RunReport(
    window_from=AT,
    window_until=AT,
    made_at=AT,
    statements=[
        StatementSummary(
            account_id="acct_<1>",
            is_live=False,
            currency="JPY",
            opening_minor=111,
            lines=[MovedLine(kind="refund_failure", number=3, in_minor=222, out_minor=333)],
            in_minor=222,
            out_minor=333,
            closing_minor=0,
            off_minor=-444,
            compared_at=AT,
        )
    ],
    books=[BooksBeside(currency="BRL", statement_minor=100, books_minor=95, difference_minor=-5)],
    matched=[MatchedTotal(currency="BRL", number=9, amount_minor=12_345)],
    unsettled=[
        OpenTotal(type="FOREIGN", currency="BRL", age="older", number=2, amount_minor=678),
        OpenTotal(type="STATUS_MISMATCH", currency="", age="day", number=1, amount_minor=0),
    ],
    clearing=[
        ClearingBalance(
            account="SUSPENSE",
            roles=["SUSPENSE"],
            currency="BRL",
            balance_minor=-1_000,
            ages={"day": -1_000, "week": 0, "month": 0, "older": 0},
        )
    ],
)


def test_all_forms_have_the_same_figures() -> None:
    body = report_body(REPORT)
    assert report_rows(body) == [
        ("statement", "acct_<1> (test)", "JPY", "opening", "", "", "", "111"),
        ("statement", "acct_<1> (test)", "JPY", "refund_failure", "3", "222", "333", ""),
        ("statement", "acct_<1> (test)", "JPY", "closing", "", "222", "333", "0"),
        ("statement", "acct_<1> (test)", "JPY", "processor_beyond", "", "", "", "-444"),
        ("books", "", "BRL", "statements", "", "", "", "1.00"),
        ("books", "", "BRL", "books", "", "", "", "0.95"),
        ("books", "", "BRL", "difference", "", "", "", "-0.05"),
        ("matched", "", "BRL", "", "9", "", "", "123.45"),
        ("unsettled", "", "BRL", "FOREIGN older", "2", "", "", "6.78"),
        ("unsettled", "", "", "STATUS_MISMATCH day", "1", "", "", ""),
        ("clearing", "SUSPENSE", "BRL", "day", "", "", "", "-10.00"),
        ("clearing", "SUSPENSE", "BRL", "week", "", "", "", "0.00"),
        ("clearing", "SUSPENSE", "BRL", "month", "", "", "", "0.00"),
        ("clearing", "SUSPENSE", "BRL", "older", "", "", "", "0.00"),
        ("clearing", "SUSPENSE", "BRL", "balance", "", "", "", "-10.00"),
    ]
    page = report_page(Heading(title="Report", lines=[("Tenant", "<script>")]), body).decode()
    assert "<script>" not in page
    assert "acct_&lt;1&gt;, JPY, test mode" in page
    for row in report_rows(body):
        assert all(f"<td>{text}</td>" in page for text in row[4:] if text)
