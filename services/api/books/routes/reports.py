"""Reports: what the books add up to, as JSON or as a table; the ledger answers over the broker, page by page."""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from litestar import Response
from litestar.response import Stream

from libs.common.clock import Clock, iso
from libs.common.contracts import ledger_reports as contract
from libs.common.contracts.ledger_errors import AccountUnknown, QueryInvalid
from libs.common.money import UnsupportedCurrency, is_known_currency
from services.api.books.schemas import reports as shapes
from services.api.errors import OperatorRequired
from services.api.http.bodies import NoMembers, take_nothing
from services.api.http.callers import Caller
from services.api.http.controllers import Change, Resource, operation
from services.api.http.parameters import AnyRequest, Query, QueryParameter, next_link, wrong
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


class RevenueReports(Resource):
    """Reports of revenue."""

    ask: Ask

    @operation(
        "GET",
        "/v1/reports/revenue",
        operation_id="reportRevenue",
        summary="Revenue by period",
        description=f"By period and currency, as a bare array; periods without revenue are left out. {_AGED}",
        tags=["reports"],
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
        refusals=(QueryInvalid,),
        csv=True,
        aged=True,
    )
    async def report_revenue(self, caller: Caller, request: AnyRequest) -> Response[bytes] | Stream:
        query = Query(request)
        as_csv, zone = wants_csv(request, query), query.zone()
        found = await self.ask(
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
        age = _age(found.refreshed_at, self.clock)
        if as_csv:
            return csv_answer("revenue", shapes.REVENUE_COLUMNS, one_page(shapes.rows_of(items)), headers=age)
        return json_answer(items, headers=age)

    @operation(
        "GET",
        "/v1/reports/revenue-by-tenant",
        operation_id="reportRevenueByTenant",
        summary="Revenue of every tenant",
        description="By tenant and currency, as a bare array; for operators of the platform. The next page is in the "
        f"`Link` header. {_AGED}",
        tags=["reports"],
        answer=list[shapes.TenantRevenueItem],
        permission=_READ,
        query=(*_FROM_TO, _CURRENCY, _TZ, _limit("Tenants", TENANTS, TENANTS_MAX), _CURSOR, FORMAT),
        refusals=(QueryInvalid, OperatorRequired),
        csv=True,
        aged=True,
        operator_for="revenue of every tenant",
    )
    async def report_revenue_by_tenant(self, caller: Caller, request: AnyRequest) -> Response[bytes] | Stream:
        query = Query(request)
        as_csv, zone = wants_csv(request, query), query.zone()
        requested = contract.ReportRevenueByTenant(
            posted_from=query.begin(zone=zone),
            posted_until=query.end(zone=zone),
            currency=query.currency(),
            limit=TENANTS_MAX if as_csv else query.integer("limit", default=TENANTS, at_least=1, at_most=TENANTS_MAX),
            cursor=query.cursor(),
        )
        first = await self.ask(requested)
        headers = _age(first.refreshed_at, self.clock)
        if as_csv:

            async def pages() -> AsyncIterator[Iterable[Sequence[str]]]:
                async for page in _all(self.ask, requested, first):
                    yield shapes.rows_of(shapes.tenant_item(row) for row in page.rows)

            return csv_answer("revenue-by-tenant", shapes.TENANT_COLUMNS, pages(), headers=headers)
        if first.next_cursor:
            headers["Link"] = next_link(query.given, first.next_cursor)
        return json_answer([shapes.tenant_item(row) for row in first.rows], headers=headers)

    @operation(
        "POST",
        "/v1/reports/refresh",
        operation_id="refreshReports",
        summary="Refresh the reports now",
        description="For operators of the platform. Waits, bounded: 200 once it is done, 202 while it goes on, here or "
        "in another process.",
        tags=["reports"],
        body=NoMembers,
        answer=shapes.RefreshBody,
        permission=_WRITE,
        accepted=True,
        refusals=(OperatorRequired,),
        operator_for="refreshing reports",
        change=Change(contract.RefreshReports, "ledger.refresh_reports", subject="RefreshReports"),
    )
    async def refresh_reports(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        await take_nothing(await request.body())
        found = await self.ask(contract.RefreshReports())
        body = shapes.RefreshBody(refreshed_at=iso(found.refreshed_at), done=found.is_done)
        return json_answer(body, status=200 if found.is_done else 202)


class BalanceReports(Resource):
    """Reports of balances."""

    ask: Ask

    @operation(
        "GET",
        "/v1/reports/account-balances",
        operation_id="reportAccountBalances",
        summary="Account balances",
        description=f"By account and currency, as a bare array; within a period when one is given. {_AGED}",
        tags=["reports"],
        answer=list[shapes.AccountBalanceItem],
        permission=_READ,
        query=(*_FROM_TO, _CURRENCY, _TZ, FORMAT),
        refusals=(QueryInvalid,),
        csv=True,
        aged=True,
    )
    async def report_account_balances(self, caller: Caller, request: AnyRequest) -> Response[bytes] | Stream:
        query = Query(request)
        as_csv, zone = wants_csv(request, query), query.zone()
        found = await self.ask(
            contract.ReportBalances(
                tenant_id=caller.tenant_id,
                posted_from=query.begin(zone=zone),
                posted_until=query.end(zone=zone),
                currency=query.currency(),
            )
        )
        items = [shapes.balance_item(balance) for balance in found.balances]
        age = _age(found.refreshed_at, self.clock)
        if as_csv:
            return csv_answer("account-balances", shapes.BALANCE_COLUMNS, one_page(shapes.rows_of(items)), headers=age)
        return json_answer(items, headers=age)

    @operation(
        "GET",
        "/v1/reports/trial-balance",
        operation_id="reportTrialBalance",
        summary="Trial balance",
        description=f"Every account at one instant of record: in each currency debits equal credits. {_LIVE}",
        tags=["reports"],
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
    )
    async def report_trial_balance(self, caller: Caller, request: AnyRequest) -> Response[bytes] | Stream:
        query = Query(request)
        as_csv = wants_csv(request, query)
        as_of = query.end("as_of", zone=query.zone())
        found = await self.ask(contract.ReportTrialBalance(tenant_id=caller.tenant_id, as_of=as_of))
        body = shapes.trial_balance_body(found)
        if as_csv:
            return csv_answer("trial-balance", shapes.TRIAL_COLUMNS, one_page(shapes.rows_of(body.accounts)))
        return json_answer(body)


class RecordReports(Resource):
    """Reports of what stands in the books, line by line."""

    ask: Ask

    @operation(
        "GET",
        "/v1/reports/statement",
        operation_id="reportStatement",
        summary="Account statement",
        description="One account in one currency, oldest first: the opening balance and the lines make the closing "
        "balance. The first page fixes where it ends, so that all pages are of one statement.",
        tags=["reports"],
        answer=shapes.StatementBody,
        permission=_READ,
        query=(
            QueryParameter(name="account", description="The account's code.", shape={"type": "string"}, required=True),
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
        refusals=(QueryInvalid, AccountUnknown, UnsupportedCurrency),
        csv=True,
    )
    async def report_statement(self, caller: Caller, request: AnyRequest) -> Response[bytes] | Stream:
        query = Query(request)
        as_csv, zone = wants_csv(request, query), query.zone()
        account, currency = query.text("account", length_max=64), query.currency()
        if account is None:
            raise wrong("account", "is required")
        if currency is None:
            raise wrong("currency", "is required")
        if not is_known_currency(currency):
            raise UnsupportedCurrency("unsupported currency", errors=(("currency", "unsupported currency"),))
        requested = contract.ReportStatement(
            tenant_id=caller.tenant_id,
            account=account,
            currency=currency,
            posted_from=query.begin(zone=zone),
            posted_until=query.end(zone=zone),
            limit=LINES_MAX if as_csv else query.integer("limit", default=LINES, at_least=1, at_most=LINES_MAX),
            cursor=query.cursor(),
        )
        first = await self.ask(requested)
        body = shapes.statement_body(first)
        if as_csv:

            async def pages() -> AsyncIterator[Iterable[Sequence[str]]]:
                yield [shapes.edge_row("opening", requested.posted_from, body.opening_balance, currency)]
                async for page in _all(self.ask, requested, first):
                    yield shapes.statement_rows(shapes.statement_body(page).lines, currency)
                yield [shapes.edge_row("closing", requested.posted_until, body.closing_balance, currency)]

            return csv_answer("statement", shapes.STATEMENT_COLUMNS, pages())
        link = query.link(body.next_cursor)
        return json_answer(body, headers=link)

    @operation(
        "GET",
        "/v1/reports/journal",
        operation_id="reportJournal",
        summary="General journal",
        description=f"Every entry with its lines, oldest first; as CSV one row per line. {_LIVE}",
        tags=["reports"],
        answer=shapes.JournalBody,
        permission=_READ,
        query=(*_FROM_TO, _TZ, _limit("Entries", ENTRIES, ENTRIES_MAX), _CURSOR, FORMAT),
        refusals=(QueryInvalid,),
        csv=True,
    )
    async def report_journal(self, caller: Caller, request: AnyRequest) -> Response[bytes] | Stream:
        query = Query(request)
        as_csv, zone = wants_csv(request, query), query.zone()
        requested = contract.ReportJournal(
            tenant_id=caller.tenant_id,
            posted_from=query.begin(zone=zone),
            posted_until=query.end(zone=zone),
            limit=ENTRIES_MAX if as_csv else query.integer("limit", default=ENTRIES, at_least=1, at_most=ENTRIES_MAX),
            cursor=query.cursor(),
        )
        first = await self.ask(requested)
        if as_csv:

            async def pages() -> AsyncIterator[Iterable[Sequence[str]]]:
                async for page in _all(self.ask, requested, first):
                    yield shapes.journal_rows(page.entries)

            return csv_answer("journal", shapes.JOURNAL_COLUMNS, pages())
        body = shapes.JournalBody(
            data=[shapes.journal_item(entry) for entry in first.entries], next_cursor=first.next_cursor
        )
        link = query.link(first.next_cursor)
        return json_answer(body, headers=link)


async def _all(ask: Ask, requested: Any, first: Any) -> AsyncIterator[Any]:
    """Ask for page after page, one at a time, beginning with one that is there."""
    page = first
    yield page
    while page.next_cursor is not None:
        page = await ask(msgspec.structs.replace(requested, cursor=page.next_cursor))
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
