"""Reports: what the books add up to, as JSON or as a table; the ledger is asked over the broker, page by page."""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream

from libs.common.clock import Clock, iso
from libs.common.contracts import ledger_reports as contract
from libs.common.money import is_known_currency
from services.api.access import Access
from services.api.books.schemas import reports as shapes
from services.api.http.bodies import NoMembers, take_nothing
from services.api.http.callers import Caller
from services.api.http.documentation import Documented
from services.api.http.parameters import AnyRequest, Query, QueryParameter, next_link, wrong
from services.api.http.problems import refusal
from services.api.http.rendering import json_answer
from services.api.http.requests import Ask
from services.api.http.tables import FORMAT, csv_answer, one_page, wants_csv

_READ, _WRITE = "ledger:read", "admin:write"
LINES, LINES_MAX = 200, 1000
ENTRIES, ENTRIES_MAX = 200, 500
TENANTS, TENANTS_MAX = 200, 1000

_INSTANT = {"type": "string", "examples": ["2026-04-01", "2026-04-30T23:59:59.999+00:00"]}
_FROM_TO = (
    QueryParameter(name="from", description="Posted at or after this date or instant.", shape=_INSTANT),
    QueryParameter(name="to", description="Posted until this instant, or on this date, included.", shape=_INSTANT),
)
_TZ = QueryParameter(
    name="tz",
    description="IANA time zone of dates and periods.",
    shape={"type": "string", "default": "UTC", "examples": ["America/Sao_Paulo"]},
)
_CURRENCY = QueryParameter(
    name="currency", description="ISO 4217 code.", shape={"type": "string", "pattern": "^[A-Z]{3}$"}
)
_CURSOR = QueryParameter(
    name="cursor", description="The `next_cursor` of the page before.", shape={"type": "string", "maxLength": 512}
)


def _limit(what: str, default: int, most: int) -> QueryParameter:
    return QueryParameter(
        name="limit",
        description=f"{what} on a page; a CSV file has all of them.",
        shape={"type": "integer", "minimum": 1, "maximum": most, "default": default},
    )


_AGED = "As of the last refresh, whose instant and age are in the headers; exact for any span before it."
_LIVE = "From the books themselves, as of now."


def report_routes(access: Access, ask: Ask, *, clock: Clock) -> list[HTTPRouteHandler]:
    """Build the routes of reports."""
    found: list[Any] = [
        *_revenue_routes(access, ask, clock),
        *_balance_routes(access, ask, clock),
        *_record_routes(access, ask),
    ]
    return found


def _revenue_routes(access: Access, ask: Ask, clock: Clock) -> list[Any]:
    @get(
        "/v1/reports/revenue",
        operation_id="reportRevenue",
        summary="Revenue by period",
        description=f"By period and currency, as a bare array; periods without revenue are left out. {_AGED}",
        tags=["reports"],
        documented=Documented(
            answer=list[shapes.RevenueItem],
            permission=_READ,
            query=(
                *_FROM_TO,
                QueryParameter(
                    name="granularity",
                    description="How long a period is; a week begins on Monday.",
                    shape={"type": "string", "enum": [g.value for g in contract.Granularity], "default": "month"},
                ),
                _CURRENCY,
                _TZ,
                FORMAT,
            ),
            refusals=("query_invalid",),
            csv=True,
            aged=True,
        ),
    )
    async def report_revenue(request: AnyRequest) -> Response[bytes] | Stream:
        caller = await access.admit(request.headers, _READ)
        query = Query(request)
        as_csv, zone = wants_csv(request, query), query.zone()
        found = await ask(
            contract.ReportRevenue(
                tenant_id=caller.tenant_id,
                granularity=_granularity(query),
                zone=zone.key,
                posted_from=query.begin(zone=zone),
                posted_until=query.end(zone=zone),
                currency=query.currency(),
            )
        )
        items = [shapes.revenue_item(row, zone) for row in found.rows]
        age = _age(found.refreshed_at, clock)
        if as_csv:
            return csv_answer("revenue", shapes.REVENUE_COLUMNS, one_page(shapes.rows_of(items)), headers=age)
        return json_answer(items, headers=age)

    @get(
        "/v1/reports/revenue-by-tenant",
        operation_id="reportRevenueByTenant",
        summary="Revenue of every tenant",
        description="By tenant and currency, as a bare array; for operators of the platform. The next page is in the "
        f"`Link` header. {_AGED}",
        tags=["reports"],
        documented=Documented(
            answer=list[shapes.TenantRevenueItem],
            permission=_READ,
            query=(*_FROM_TO, _CURRENCY, _TZ, _limit("Tenants", TENANTS, TENANTS_MAX), _CURSOR, FORMAT),
            refusals=("query_invalid", "operator_required"),
            csv=True,
            aged=True,
        ),
    )
    async def report_revenue_by_tenant(request: AnyRequest) -> Response[bytes] | Stream:
        await _admit_operator(access, request, _READ, what="revenue of every tenant")
        query = Query(request)
        as_csv, zone = wants_csv(request, query), query.zone()
        wanted = contract.ReportRevenueByTenant(
            posted_from=query.begin(zone=zone),
            posted_until=query.end(zone=zone),
            currency=query.currency(),
            limit=TENANTS_MAX if as_csv else query.integer("limit", default=TENANTS, at_least=1, at_most=TENANTS_MAX),
            cursor=query.cursor(),
        )
        first = await ask(wanted)
        headers = _age(first.refreshed_at, clock)
        if as_csv:

            async def pages() -> AsyncIterator[Iterable[Sequence[str]]]:
                async for page in _all(ask, wanted, first):
                    yield shapes.rows_of(shapes.tenant_item(row) for row in page.rows)

            return csv_answer("revenue-by-tenant", shapes.TENANT_COLUMNS, pages(), headers=headers)
        if first.next_cursor:
            headers["Link"] = next_link(query.given, first.next_cursor)
        return json_answer([shapes.tenant_item(row) for row in first.rows], headers=headers)

    @post(
        "/v1/reports/refresh",
        status_code=200,
        operation_id="refreshReports",
        summary="Refresh the reports now",
        description="For operators of the platform. Waits, bounded: 200 once it is done, 202 while it goes on, here or "
        "in another process.",
        tags=["reports"],
        documented=Documented(
            body=NoMembers, answer=shapes.RefreshBody, permission=_WRITE, accepted=True, refusals=("operator_required",)
        ),
    )
    async def refresh_reports(request: AnyRequest) -> Response[bytes]:
        await _admit_operator(access, request, _WRITE, what="refreshing reports")
        await take_nothing(await request.body())
        found = await ask(contract.RefreshReports())
        body = shapes.RefreshBody(refreshed_at=iso(found.refreshed_at), done=found.is_done)
        return json_answer(body, status=200 if found.is_done else 202)

    return [report_revenue, report_revenue_by_tenant, refresh_reports]


def _balance_routes(access: Access, ask: Ask, clock: Clock) -> list[Any]:
    @get(
        "/v1/reports/account-balances",
        operation_id="reportAccountBalances",
        summary="Account balances",
        description=f"By account and currency, as a bare array; within a period when one is given. {_AGED}",
        tags=["reports"],
        documented=Documented(
            answer=list[shapes.AccountBalanceItem],
            permission=_READ,
            query=(*_FROM_TO, _CURRENCY, _TZ, FORMAT),
            refusals=("query_invalid",),
            csv=True,
            aged=True,
        ),
    )
    async def report_account_balances(request: AnyRequest) -> Response[bytes] | Stream:
        caller = await access.admit(request.headers, _READ)
        query = Query(request)
        as_csv, zone = wants_csv(request, query), query.zone()
        found = await ask(
            contract.ReportBalances(
                tenant_id=caller.tenant_id,
                posted_from=query.begin(zone=zone),
                posted_until=query.end(zone=zone),
                currency=query.currency(),
            )
        )
        items = [shapes.balance_item(balance) for balance in found.balances]
        age = _age(found.refreshed_at, clock)
        if as_csv:
            return csv_answer("account-balances", shapes.BALANCE_COLUMNS, one_page(shapes.rows_of(items)), headers=age)
        return json_answer(items, headers=age)

    @get(
        "/v1/reports/trial-balance",
        operation_id="reportTrialBalance",
        summary="Trial balance",
        description=f"Every account at one instant of record: in each currency debits equal credits. {_LIVE}",
        tags=["reports"],
        documented=Documented(
            answer=shapes.TrialBalanceBody,
            permission=_READ,
            query=(
                QueryParameter(
                    name="as_of",
                    description="At the end of this date, or right after this instant; else now.",
                    shape=_INSTANT,
                ),
                _TZ,
                FORMAT,
            ),
            csv=True,
        ),
    )
    async def report_trial_balance(request: AnyRequest) -> Response[bytes] | Stream:
        caller = await access.admit(request.headers, _READ)
        query = Query(request)
        as_csv = wants_csv(request, query)
        as_of = query.end("as_of", zone=query.zone())
        found = await ask(contract.ReportTrialBalance(tenant_id=caller.tenant_id, as_of=as_of))
        body = shapes.trial_balance_body(found)
        if as_csv:
            return csv_answer("trial-balance", shapes.TRIAL_COLUMNS, one_page(shapes.rows_of(body.accounts)))
        return json_answer(body)

    return [report_account_balances, report_trial_balance]


def _record_routes(access: Access, ask: Ask) -> list[Any]:
    @get(
        "/v1/reports/statement",
        operation_id="reportStatement",
        summary="Account statement",
        description="One account in one currency, oldest first: the opening balance and the lines make the closing "
        "balance. The first page fixes where it ends, so that all pages are of one statement.",
        tags=["reports"],
        documented=Documented(
            answer=shapes.StatementBody,
            permission=_READ,
            query=(
                QueryParameter(
                    name="account", description="The account's code.", shape={"type": "string"}, required=True
                ),
                QueryParameter(
                    name="currency",
                    description="ISO 4217 code.",
                    shape={"type": "string", "pattern": "^[A-Z]{3}$"},
                    required=True,
                ),
                *_FROM_TO,
                _TZ,
                _limit("Lines", LINES, LINES_MAX),
                _CURSOR,
                FORMAT,
            ),
            refusals=("query_invalid", "account_unknown", "unsupported_currency"),
            csv=True,
        ),
    )
    async def report_statement(request: AnyRequest) -> Response[bytes] | Stream:
        caller = await access.admit(request.headers, _READ)
        query = Query(request)
        as_csv, zone = wants_csv(request, query), query.zone()
        account, currency = query.text("account", length_max=64), query.currency()
        if account is None:
            raise wrong("account", "is required")
        if currency is None:
            raise wrong("currency", "is required")
        if not is_known_currency(currency):
            raise refusal(
                "unsupported_currency", "unsupported currency", errors=(("currency", "unsupported currency"),)
            )
        wanted = contract.ReportStatement(
            tenant_id=caller.tenant_id,
            account=account,
            currency=currency,
            posted_from=query.begin(zone=zone),
            posted_until=query.end(zone=zone),
            limit=LINES_MAX if as_csv else query.integer("limit", default=LINES, at_least=1, at_most=LINES_MAX),
            cursor=query.cursor(),
        )
        first = await ask(wanted)
        body = shapes.statement_body(first)
        if as_csv:

            async def pages() -> AsyncIterator[Iterable[Sequence[str]]]:
                yield [shapes.edge_row("opening", wanted.posted_from, body.opening_balance, currency)]
                async for page in _all(ask, wanted, first):
                    yield shapes.statement_rows(shapes.statement_body(page).lines, currency)
                yield [shapes.edge_row("closing", wanted.posted_until, body.closing_balance, currency)]

            return csv_answer("statement", shapes.STATEMENT_COLUMNS, pages())
        link = {"Link": next_link(query.given, body.next_cursor)} if body.next_cursor else None
        return json_answer(body, headers=link)

    @get(
        "/v1/reports/journal",
        operation_id="reportJournal",
        summary="General journal",
        description=f"Every entry with its lines, oldest first; as CSV one row per line. {_LIVE}",
        tags=["reports"],
        documented=Documented(
            answer=shapes.JournalBody,
            permission=_READ,
            query=(*_FROM_TO, _TZ, _limit("Entries", ENTRIES, ENTRIES_MAX), _CURSOR, FORMAT),
            refusals=("query_invalid",),
            csv=True,
        ),
    )
    async def report_journal(request: AnyRequest) -> Response[bytes] | Stream:
        caller = await access.admit(request.headers, _READ)
        query = Query(request)
        as_csv, zone = wants_csv(request, query), query.zone()
        wanted = contract.ReportJournal(
            tenant_id=caller.tenant_id,
            posted_from=query.begin(zone=zone),
            posted_until=query.end(zone=zone),
            limit=ENTRIES_MAX if as_csv else query.integer("limit", default=ENTRIES, at_least=1, at_most=ENTRIES_MAX),
            cursor=query.cursor(),
        )
        first = await ask(wanted)
        if as_csv:

            async def pages() -> AsyncIterator[Iterable[Sequence[str]]]:
                async for page in _all(ask, wanted, first):
                    yield shapes.journal_rows(page.entries)

            return csv_answer("journal", shapes.JOURNAL_COLUMNS, pages())
        body = shapes.JournalBody(
            data=[shapes.journal_item(entry) for entry in first.entries], next_cursor=first.next_cursor
        )
        link = {"Link": next_link(query.given, first.next_cursor)} if first.next_cursor else None
        return json_answer(body, headers=link)

    return [report_statement, report_journal]


async def _all(ask: Ask, wanted: Any, first: Any) -> AsyncIterator[Any]:
    """Ask for page after page, one at a time, beginning with one that is there."""
    page = first
    yield page
    while page.next_cursor is not None:
        page = await ask(msgspec.structs.replace(wanted, cursor=page.next_cursor))
        yield page


def _granularity(query: Query) -> contract.Granularity:
    name = query.text("granularity")
    try:
        return contract.Granularity.MONTH if name is None else contract.Granularity(name)
    except ValueError as fault:
        raise wrong("granularity", "must be day, week or month") from fault


def _age(refreshed_at: datetime, clock: Clock) -> dict[str, str]:
    seconds = max(0, int((clock.now() - refreshed_at).total_seconds()))
    return {"Age": str(seconds), "X-Report-Refreshed-At": iso(refreshed_at)}


async def _admit_operator(access: Access, request: AnyRequest, permission: str, *, what: str) -> Caller:
    caller = await access.admit(request.headers, permission)
    await access.require_operator(caller, what)
    return caller
