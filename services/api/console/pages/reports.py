"""Reports of the books: income statement, balance sheet, cash position, trial balance and revenue."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from services.api.console.declared import Act, Column, Filter, Kind, Listing, Page, Show, View
from services.api.console.pages.months import month_around, named_month
from services.api.console.showing import buttons_of
from services.api.console.visits import Visit

_COMPARED = ("previous_period", "previous_year")
_BASES = ("effective", "record")
_COLUMNS = "2"


def _statement(operation: str, *, is_of_period: bool) -> Show:
    """Make the page of a financial statement: of a period, or as of an instant."""

    async def show(visit: Visit) -> View:
        calendar = await visit.read("getLedgerCalendar")
        chosen = _chosen(visit, ZoneInfo(visit.query.get("tz") or calendar["zone"]), is_of_period=is_of_period)
        sent = dict(chosen)
        if not chosen["compare"]:
            del sent["columns"]
        found = (await visit.call(operation, query=list(sent.items()))).json()
        spans = [_span(column, ZoneInfo(found["tz"])) for column in found["columns"]]
        return View(
            template="report.html",
            values={
                "report": found,
                "spans": spans,
                "chosen": chosen,
                "is_of_period": is_of_period,
                "months": _months(visit, ZoneInfo(found["tz"])) if is_of_period else [],
                "compared": _COMPARED,
                "bases": _BASES,
                "csv": f"/console/export/{operation}?{urlencode({**sent, 'format': 'csv'})}",
                "journals": _journals(chosen, found["tz"]) if is_of_period and await visit.may("reportJournal") else [],
                "print": f"/console/export/{operation}?{urlencode({**sent, 'format': 'html'})}",
            },
        )

    return show


def _chosen(visit: Visit, zone: ZoneInfo, *, is_of_period: bool) -> dict[str, str]:
    """Return what the address names, and for a period the present month where it names none."""
    query = visit.query
    found = {name: query.get(name, "") for name in ("basis", "compare", "columns", "currency", "tz")}
    found["currency"] = found["currency"].upper()
    if not query.get("done") and "basis" not in query:
        found["compare"] = _COMPARED[0]
    found["columns"] = found["columns"] or _COLUMNS
    if not is_of_period:
        return {**found, "as_of": query.get("as_of", "")}
    period = {name: query.get(name, "") for name in ("from", "to")}
    if "from" not in query:
        first, last = named_month(f"{visit.now.astimezone(zone):%Y-%m}") or ("", "")
        period = {"from": first, "to": last}
    return {**found, **period}


def _months(visit: Visit, zone: ZoneInfo) -> list[tuple[str, str]]:
    """Return titles and queries of periods that one often looks at."""
    now = visit.now.astimezone(zone)
    this = f"{now:%Y-%m}"
    spans = [
        ("This month", named_month(this)),
        ("Last month", named_month(month_around(this)[0])),
        ("This year", (f"{now:%Y}-01-01", f"{now:%Y}-12-31")),
        ("Last year", (f"{now.year - 1}-01-01", f"{now.year - 1}-12-31")),
    ]
    kept = {name: value for name, value in visit.query.items() if name not in {"from", "to", "done"}}
    return [(title, urlencode({**kept, "from": span[0], "to": span[1]})) for title, span in spans if span is not None]


def _journals(chosen: Mapping[str, str], zone: str) -> list[tuple[str, str]]:
    """Return the addresses of the journal of the same period, in each form that it has."""
    period = {"from": chosen["from"], "to": chosen["to"], "tz": zone}
    return [
        (title, f"/console/export/reportJournal?{urlencode({**period, 'format': name})}")
        for title, name in (("CSV", "csv"), ("beancount", "beancount"), ("hledger", "hledger"))
    ]


def _span(column: Mapping[str, Any], zone: ZoneInfo) -> dict[str, str]:
    """Return the first and the last day of a column."""
    last = datetime.fromisoformat(column["ends_before"]) - timedelta(microseconds=1)
    begins = column["begins_at"]
    first = "" if begins is None else f"{datetime.fromisoformat(begins).astimezone(zone):%Y-%m-%d}"
    return {"from": first, "to": f"{last.astimezone(zone):%Y-%m-%d}"}


async def show_trial_balance(visit: Visit) -> View:
    """Show every account on its side, with the totals that prove that debits equal credits."""
    calendar = await visit.read("getLedgerCalendar")
    chosen = {"as_of": visit.query.get("as_of", ""), "tz": visit.query.get("tz") or calendar["zone"]}
    found = await visit.read("reportTrialBalance", as_of=chosen["as_of"], tz=chosen["tz"])
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for row in found["accounts"]:
        rows.setdefault(row["currency"], []).append(row)
    return View(
        template="trial_balance.html",
        values={
            "report": found,
            "groups": [(total, rows.get(total["currency"], ())) for total in found["totals"]],
            "chosen": chosen,
            "csv": f"/console/export/reportTrialBalance?{urlencode({**chosen, 'format': 'csv'})}",
        },
    )


async def show_revenue(visit: Visit) -> View:
    """Show revenue by period, with its totals by currency left to the exported table."""
    calendar = await visit.read("getLedgerCalendar")
    query = visit.query
    now = visit.now.astimezone(ZoneInfo(calendar["zone"]))
    chosen = {
        "from": query.get("from", f"{now - timedelta(days=89):%Y-%m-%d}"),
        "to": query.get("to", f"{now:%Y-%m-%d}"),
        "granularity": query.get("granularity") or "month",
        "currency": query.get("currency", "").upper(),
        "tz": query.get("tz") or calendar["zone"],
    }
    answer = await visit.call("reportRevenue", query=list(chosen.items()))
    return View(
        template="revenue.html",
        values={
            "rows": answer.json()[:_ROWS_MAX],
            "columns": _REVENUE,
            "chosen": chosen,
            "refreshed_at": answer.headers.get("x-report-refreshed-at", ""),
            "csv": f"/console/export/reportRevenue?{urlencode({**chosen, 'format': 'csv'})}",
            "buttons": await buttons_of(visit, (Act(operation="refreshReports", title="Refresh the figures"),), {}),
        },
    )


_ROWS_MAX = 400
_REVENUE: Sequence[Column] = (
    Column(member="period", title="Period", kind=Kind.TIME),
    Column(member="currency", title="Currency"),
    Column(member="gross", title="Gross", kind=Kind.MONEY),
    Column(member="reversals", title="Reversals", kind=Kind.MONEY),
    Column(member="refunds", title="Refunds", kind=Kind.MONEY),
    Column(member="net", title="Net", kind=Kind.MONEY),
)
_TENANTS = Listing(
    operation="reportRevenueByTenant",
    filters=(
        Filter(name="from", title="From", kind="date"),
        Filter(name="to", title="To", kind="date"),
        Filter(name="currency", title="Currency"),
    ),
    columns=(
        Column(member="tenant_id", title="Tenant", kind=Kind.CODE),
        Column(member="gross", title="Gross", kind=Kind.MONEY),
        Column(member="reversals", title="Reversals", kind=Kind.MONEY),
        Column(member="refunds", title="Refunds", kind=Kind.MONEY),
        Column(member="net", title="Net", kind=Kind.MONEY),
    ),
    is_exported=True,
    empty="No tenant has had revenue in this time.",
)

REPORTS = (
    Page(
        key="income-statement",
        title="Income statement",
        needs="reportIncomeStatement",
        group="Reports",
        show=_statement("reportIncomeStatement", is_of_period=True),
        letter="i",
    ),
    Page(
        key="balance-sheet",
        title="Balance sheet",
        needs="reportBalanceSheet",
        group="Reports",
        show=_statement("reportBalanceSheet", is_of_period=False),
        letter="b",
    ),
    Page(
        key="cash-position",
        title="Cash position",
        needs="reportCashPosition",
        group="Reports",
        show=_statement("reportCashPosition", is_of_period=True),
    ),
    Page(
        key="trial-balance",
        title="Trial balance",
        needs="reportTrialBalance",
        group="Reports",
        show=show_trial_balance,
        letter="t",
    ),
    Page(key="revenue", title="Revenue", needs="reportRevenue", group="Reports", show=show_revenue),
    Page(
        key="revenue-by-tenant",
        title="Revenue by tenant",
        needs="reportRevenueByTenant",
        group="Reports",
        show=_TENANTS,
    ),
)
