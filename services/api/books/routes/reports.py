"""Reports: what the books add up to, as JSON or as a table; the ledger answers over the broker, page by page."""

from collections.abc import AsyncIterator, Iterable, Sequence

from litestar import Response
from litestar.response import Stream

from libs.common.clock import iso
from libs.common.contracts import ledger_reports as contract
from libs.common.contracts.ledger_errors import QueryInvalid
from services.api.books.routes.parameters import (
    AGED,
    CURRENCY,
    CURSOR,
    FROM_TO,
    INSTANT,
    LIVE,
    TZ,
    all_pages,
    limited,
)
from services.api.books.schemas import reports as shapes
from services.api.errors import OperatorRequired
from services.api.http.bodies import NoMembers, take_nothing
from services.api.http.callers import Caller
from services.api.http.controllers import Change, Resource, operation
from services.api.http.parameters import AnyRequest, Query, QueryParameter, next_link, wrong
from services.api.http.rendering import age_of, final_before, json_answer
from services.api.http.requests import Ask
from services.api.http.tables import FORMAT, LOCALE, chosen_locale, csv_answer, one_page, sheet_of, wants_csv

_READ, _WRITE = "ledger:read", "admin:write"
TENANTS, TENANTS_MAX = 200, 1000


class RevenueReports(Resource):
    """Reports of revenue."""

    ask: Ask

    @operation(
        "GET",
        "/v1/reports/revenue",
        operation_id="reportRevenue",
        summary="Revenue by period",
        description=f"By period and currency, as a bare array; periods without revenue are left out. {AGED}",
        tags=["reports"],
        answer=list[shapes.RevenueItem],
        permission=_READ,
        query=(
            *FROM_TO,
            QueryParameter(
                name="granularity",
                description="How long a period is; a week begins on Monday.",
                shape={"type": "string", "enum": [g.value for g in contract.Granularity], "default": "month"},
            ),
            CURRENCY,
            TZ,
            FORMAT,
            LOCALE,
        ),
        refusals=(QueryInvalid,),
        csv=True,
        aged=True,
    )
    async def report_revenue(self, caller: Caller, request: AnyRequest) -> Response[bytes] | Stream:
        query = Query(request)
        as_csv, zone, locale = wants_csv(request, query), query.zone(), chosen_locale(query)
        found = await self.ask(
            contract.ReportRevenue(
                tenant_id=caller.tenant_id,
                granularity=_granularity(query),
                zone=zone.key,
                posted_from=query.begin(zone=zone),
                posted_until=query.end(zone=zone),
                currency=query.currency(own=True),
            )
        )
        items = [shapes.revenue_item(row, zone) for row in found.rows]
        age = age_of(found.refreshed_at, self.clock.now())
        if as_csv:
            sheet = sheet_of(locale, sums=shapes.REVENUE_SUMS, as_of=found.refreshed_at)
            rows = one_page(shapes.rows_of(items))
            return csv_answer("revenue", shapes.REVENUE_COLUMNS, rows, headers=age, sheet=sheet)
        return json_answer(items, headers=age)

    @operation(
        "GET",
        "/v1/reports/revenue-by-tenant",
        operation_id="reportRevenueByTenant",
        summary="Revenue of every tenant",
        description="By tenant and currency, as a bare array; for operators of the platform. The next page is in the "
        f"`Link` header. {AGED}",
        tags=["reports"],
        answer=list[shapes.TenantRevenueItem],
        permission=_READ,
        query=(*FROM_TO, CURRENCY, TZ, limited("Tenants", TENANTS, TENANTS_MAX), CURSOR, FORMAT, LOCALE),
        refusals=(QueryInvalid, OperatorRequired),
        csv=True,
        aged=True,
        operator_for="revenue of every tenant",
    )
    async def report_revenue_by_tenant(self, caller: Caller, request: AnyRequest) -> Response[bytes] | Stream:
        query = Query(request)
        as_csv, zone, locale = wants_csv(request, query), query.zone(), chosen_locale(query)
        requested = contract.ReportRevenueByTenant(
            posted_from=query.begin(zone=zone),
            posted_until=query.end(zone=zone),
            currency=query.currency(own=True),
            limit=TENANTS_MAX if as_csv else query.integer("limit", default=TENANTS, at_least=1, at_most=TENANTS_MAX),
            cursor=query.cursor(),
        )
        first = await self.ask(requested)
        headers = age_of(first.refreshed_at, self.clock.now())
        if as_csv:

            async def pages() -> AsyncIterator[Iterable[Sequence[str]]]:
                async for page in all_pages(self.ask, requested, first):
                    yield shapes.rows_of(shapes.tenant_item(row) for row in page.rows)

            sheet = sheet_of(locale, sums=shapes.REVENUE_SUMS, as_of=first.refreshed_at)
            return csv_answer("revenue-by-tenant", shapes.TENANT_COLUMNS, pages(), headers=headers, sheet=sheet)
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
        description=f"By account and currency, as a bare array; within a period when one is given. {AGED}",
        tags=["reports"],
        answer=list[shapes.AccountBalanceItem],
        permission=_READ,
        query=(*FROM_TO, CURRENCY, TZ, FORMAT, LOCALE),
        refusals=(QueryInvalid,),
        csv=True,
        aged=True,
    )
    async def report_account_balances(self, caller: Caller, request: AnyRequest) -> Response[bytes] | Stream:
        query = Query(request)
        as_csv, zone, locale = wants_csv(request, query), query.zone(), chosen_locale(query)
        found = await self.ask(
            contract.ReportBalances(
                tenant_id=caller.tenant_id,
                posted_from=query.begin(zone=zone),
                posted_until=query.end(zone=zone),
                currency=query.currency(own=True),
            )
        )
        items = [shapes.balance_item(balance) for balance in found.balances]
        age = age_of(found.refreshed_at, self.clock.now())
        if as_csv:
            sheet = sheet_of(locale, sums=shapes.BALANCE_SUMS, as_of=found.refreshed_at)
            rows = one_page(shapes.rows_of(items))
            return csv_answer("account-balances", shapes.BALANCE_COLUMNS, rows, headers=age, sheet=sheet)
        return json_answer(items, headers=age)

    @operation(
        "GET",
        "/v1/reports/trial-balance",
        operation_id="reportTrialBalance",
        summary="Trial balance",
        description=f"Every account at one instant of record: in each currency debits equal credits. {LIVE}",
        tags=["reports"],
        answer=shapes.TrialBalanceBody,
        permission=_READ,
        query=(
            QueryParameter(
                name="as_of",
                description="At the end of this date, or right after this instant; else now.",
                shape=INSTANT,
            ),
            TZ,
            FORMAT,
            LOCALE,
        ),
        csv=True,
        final=True,
    )
    async def report_trial_balance(self, caller: Caller, request: AnyRequest) -> Response[bytes] | Stream:
        query = Query(request)
        as_csv, locale = wants_csv(request, query), chosen_locale(query)
        as_of = query.end("as_of", zone=query.zone())
        found = await self.ask(contract.ReportTrialBalance(tenant_id=caller.tenant_id, as_of=as_of))
        body, final = shapes.trial_balance_body(found), final_before(found.final_before)
        if as_csv:
            sheet = sheet_of(locale, sums=shapes.TRIAL_SUMS, as_of=found.as_of)
            rows = one_page(shapes.rows_of(body.accounts))
            return csv_answer("trial-balance", shapes.TRIAL_COLUMNS, rows, headers=final, sheet=sheet)
        return json_answer(body, headers=final)


def _granularity(query: Query) -> contract.Granularity:
    name = query.text("granularity")
    try:
        return contract.Granularity.MONTH if name is None else contract.Granularity(name)
    except ValueError as fault:
        raise wrong("granularity", "must be day, week or month") from fault
