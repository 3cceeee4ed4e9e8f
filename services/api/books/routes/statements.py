"""Financial statements: income statement, balance sheet and cash position, by effect or by record."""

from calendar import monthrange
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from litestar import Response
from litestar.response import Stream

from libs.common.contracts.ledger_calendar import GetCalendar
from libs.common.contracts.ledger_errors import QueryInvalid
from libs.common.contracts.ledger_statements import Basis, ReportFigures, Span
from services.api.books.routes.parameters import CURRENCY, FROM_TO, INSTANT
from services.api.books.schemas import statements as shapes
from services.api.http.callers import Caller
from services.api.http.controllers import Resource, operation
from services.api.http.parameters import AnyRequest, Query, QueryParameter, wrong
from services.api.http.rendering import json_answer
from services.api.http.requests import Ask
from services.api.http.tables import LOCALE, PAGE_FORMAT, chosen_format, chosen_locale, csv_answer, one_page, sheet_of

_READ = "ledger:read"
COLUMNS_MAX = 12
_BASES = {basis.value: (basis.value,) for basis in Basis}
_COMPARISONS = {name: (name,) for name in ("previous_period", "previous_year")}

_COMMON = (
    QueryParameter(
        name="basis",
        description="By when postings count, as periods are closed, or by when they were recorded.",
        shape={"type": "string", "enum": [*_BASES], "default": "effective"},
    ),
    QueryParameter(
        name="compare",
        description="More columns: the periods before, or the same one of years before. Whole months are followed by whole months.",
        shape={"type": "string", "enum": [*_COMPARISONS]},
    ),
    QueryParameter(
        name="columns",
        description="How many columns, with `compare`.",
        shape={"type": "integer", "minimum": 2, "maximum": COLUMNS_MAX, "default": 2},
    ),
    CURRENCY,
    QueryParameter(
        name="tz",
        description="IANA time zone of dates and periods; else that of the tenant's calendar.",
        shape={"type": "string", "examples": ["America/Sao_Paulo"]},
    ),
    PAGE_FORMAT,
    LOCALE,
)
_AS_OF = QueryParameter(
    name="as_of", description="At the end of this date, or right after this instant; else now.", shape=INSTANT
)
_WHAT = (
    "One column for the period and one for each that it is compared with. `closed` ties a column to a closed period."
)


class StatementReports(Resource):
    """Routes of financial statements."""

    ask: Ask

    @operation(
        "GET",
        "/v1/reports/income-statement",
        operation_id="reportIncomeStatement",
        summary="Income statement",
        description=f"Revenue less expenses by currency. {_WHAT}",
        tags=["reports"],
        answer=shapes.FinancialStatementBody,
        permission=_READ,
        query=(*FROM_TO, *_COMMON),
        refusals=(QueryInvalid,),
        csv=True,
        html=True,
    )
    async def report_income_statement(self, caller: Caller, request: AnyRequest) -> Response[bytes] | Stream:
        return await self._report("income_statement", caller, request)

    @operation(
        "GET",
        "/v1/reports/balance-sheet",
        operation_id="reportBalanceSheet",
        summary="Balance sheet",
        description=f"Assets, liabilities and equity by currency; what was earned and is not closed to equity yet is a row of "
        f"its own. {_WHAT}",
        tags=["reports"],
        answer=shapes.FinancialStatementBody,
        permission=_READ,
        query=(_AS_OF, *_COMMON),
        refusals=(QueryInvalid,),
        csv=True,
        html=True,
    )
    async def report_balance_sheet(self, caller: Caller, request: AnyRequest) -> Response[bytes] | Stream:
        return await self._report("balance_sheet", caller, request)

    @operation(
        "GET",
        "/v1/reports/cash-position",
        operation_id="reportCashPosition",
        summary="Cash position",
        description="Where money stands: at the processor, in transit and at the bank, with what came and left. An account "
        f"counts that plays or has played such a role. {_WHAT}",
        tags=["reports"],
        answer=shapes.FinancialStatementBody,
        permission=_READ,
        query=(*FROM_TO, *_COMMON),
        refusals=(QueryInvalid,),
        csv=True,
        html=True,
    )
    async def report_cash_position(self, caller: Caller, request: AnyRequest) -> Response[bytes] | Stream:
        return await self._report("cash_position", caller, request)

    async def _report(self, kind: str, caller: Caller, request: AnyRequest) -> Response[bytes] | Stream:
        query = Query(request)
        currency = query.currency(own=True)
        chosen, locale, now = chosen_format(request, query), chosen_locale(query), self.clock.now()
        zone = query.zone()
        if query.text("tz") is None:
            zone = ZoneInfo((await self.ask(GetCalendar(tenant_id=caller.tenant_id))).zone)
        basis = Basis(_one(query, "basis", _BASES) or "effective")
        begins_at = None if kind == "balance_sheet" else query.begin(zone=zone)
        end = query.end("as_of" if kind == "balance_sheet" else "to", zone=zone)
        span = Span(begins_at=begins_at, ends_before=now if end is None else end)
        if span.begins_at is not None and span.begins_at >= span.ends_before:
            raise wrong("to", "must be after from")
        spans = [span, *_compared(query, span, zone)]
        figures = await self.ask(ReportFigures(tenant_id=caller.tenant_id, spans=spans, basis=basis, currency=currency))
        body = shapes.statement_body(kind, figures, basis=basis, zone_name=zone.key)
        if chosen == "csv":
            headings = shapes.headings(body, zone)
            sheet = sheet_of(locale, sums=(), amounts=headings, as_of=now)
            rows = one_page(shapes.table_rows(body))
            return csv_answer(kind.replace("_", "-"), (*shapes.TABLE_COLUMNS, *headings), rows, sheet=sheet)
        if chosen == "html":
            page = shapes.statement_page(body, tenant_id=caller.tenant_id, made_at=now, zone=zone)
            return Response(page, media_type="text/html")
        return json_answer(body)


def _one(query: Query, name: str, known: Mapping[str, tuple[str, ...]]) -> str | None:
    found = query.names(name, known)
    if found is not None and len(found) != 1:
        raise wrong(name, f"must be one of {', '.join(known)}")
    return None if found is None else found[0]


def _compared(query: Query, span: Span, zone: ZoneInfo) -> list[Span]:
    compare = _one(query, "compare", _COMPARISONS)
    number = query.integer("columns", default=2, at_least=2, at_most=COLUMNS_MAX)
    if compare is None:
        if query.text("columns") is not None:
            raise wrong("columns", "needs compare")
        return []
    try:
        return [earlier(span, zone, back, by_year=compare == "previous_year") for back in range(1, number)]
    except (ValueError, OverflowError) as fault:
        raise wrong("compare", "reaches beyond the first year") from fault


def earlier(span: Span, zone: ZoneInfo, back: int, *, by_year: bool) -> Span:
    """Return the period so many before, on the calendar of a zone: whole months by months, others by their own length.

    An instant alone, the end of a balance sheet, goes back by months where it is the first of one, else by days.
    """
    end = span.ends_before.astimezone(zone)
    begin = None if span.begins_at is None else span.begins_at.astimezone(zone)
    months = 12 if by_year else _months(begin, end)
    if months:
        return Span(
            begins_at=None if begin is None else _moved(begin, months * back),
            ends_before=_moved(end, months * back),
        )
    length = timedelta(days=1) if begin is None else end.replace(tzinfo=None) - begin.replace(tzinfo=None)
    return Span(
        begins_at=None if begin is None else (begin - length * back).astimezone(UTC),
        ends_before=(end - length * back).astimezone(UTC),
    )


def _months(begin: datetime | None, end: datetime) -> int:
    """Return how many whole months a period has; 0: it is none of them."""
    for instant in (begin, end):
        if instant is not None and (instant.day != 1 or instant.time() != datetime.min.time()):
            return 0
    return 1 if begin is None else (end.year - begin.year) * 12 + end.month - begin.month


def _moved(local: datetime, months: int) -> datetime:
    """Go back by months; a day that the month does not have is its last one."""
    year, month = divmod(local.year * 12 + local.month - 1 - months, 12)
    day = min(local.day, monthrange(year, month + 1)[1])
    return local.replace(year=year, month=month + 1, day=day).astimezone(UTC)
