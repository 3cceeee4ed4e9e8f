"""Months are closed, listed, read and checked; the gateway answers over the broker."""

import re

from litestar import Response
from litestar.response import Stream

from libs.common.contracts.gateway_errors import (
    ReconciliationPeriodInvalid,
    ReconciliationPeriodNotFound,
    ReconciliationPeriodOpen,
)
from libs.common.contracts.gateway_periods import (
    CloseReconciliationPeriod,
    GetReconciliationPeriod,
    GetReconciliationSeals,
    ListReconciliationPeriods,
    SealedMonth,
)
from services.api.http.bodies import BodyReader, require_one_line, require_storable
from services.api.http.callers import Caller
from services.api.http.controllers import Change, Resource, operation
from services.api.http.parameters import AnyRequest, Query, QueryParameter, wrong
from services.api.http.rendering import json_answer
from services.api.http.requests import Ask
from services.api.http.tables import PAGE_FORMAT, chosen_format, csv_answer, one_page
from services.api.reconciliation.periods import (
    ClosedMonthBody,
    CloseMonth,
    SealCheckBody,
    SealedMonthBody,
    closed_month_body,
    seal_check_body,
    sealed_month_body,
)
from services.api.reconciliation.reports import COLUMNS, Heading, report_page, report_rows
from services.api.reconciliation.routes.paging import LIMIT, PAGE_MAX

_WRITE = "admin:write"
_PATTERN = r"^\d{4}-(0[1-9]|1[0-2])(?!\n)$"
_MONTH = QueryParameter(
    name="month",
    description="Year and month in UTC.",
    shape={"type": "string", "pattern": _PATTERN, "examples": ["2026-10"]},
    required=True,
)
_CURSOR = QueryParameter(
    name="cursor",
    description="From the `Link` of the page before.",
    shape={"type": "string", "pattern": _PATTERN},
)


class ReconciliationPeriods(Resource):
    """Routes of closed months."""

    ask: Ask

    bodies = BodyReader(CloseMonth)

    @operation(
        "POST",
        "/v1/reconciliation/periods/{month:str}/close",
        operation_id="closeReconciliationPeriod",
        summary="Close a month of reconciliation",
        description="Seals its report for ever. It needs a complete run that has compared all of the month, statements that are "
        "known to its end, and no discrepancy of it that has been open for too long, or an `override_reason` for the latter two. Again is answered the same.",
        tags=["reconciliation"],
        body=CloseMonth,
        body_optional=True,
        example={"override_reason": "The bank answers in December"},
        answer=ClosedMonthBody,
        permission=_WRITE,
        path_parameters=(_MONTH,),
        refusals=(ReconciliationPeriodOpen, ReconciliationPeriodInvalid),
        change=Change(CloseReconciliationPeriod, "gateway.close_reconciliation_period", target="month"),
    )
    async def close_reconciliation_period(self, caller: Caller, request: AnyRequest, month: str) -> Response[bytes]:
        wished = await self.bodies.take(await request.body() or b"{}")
        require_storable({"/override_reason": wished.override_reason})
        require_one_line({"/override_reason": wished.override_reason})
        closed = await self.ask(
            CloseReconciliationPeriod(
                tenant_id=caller.tenant_id,
                month=_month(month),
                closed_by=caller.actor,
                override_reason=wished.override_reason.strip(),
            )
        )
        return json_answer(closed_month_body(closed))

    @operation(
        "GET",
        "/v1/reconciliation/periods",
        operation_id="listReconciliationPeriods",
        summary="List closed months of reconciliation",
        description="The latest first, as a bare array; `Link` names the next page.",
        tags=["reconciliation"],
        answer=list[ClosedMonthBody],
        permission=_WRITE,
        query=(LIMIT, _CURSOR),
    )
    async def list_reconciliation_periods(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        query = Query(request)
        cursor = query.text("cursor")
        page = await self.ask(
            ListReconciliationPeriods(
                tenant_id=caller.tenant_id,
                before="" if cursor is None else _month(cursor, name="cursor"),
                limit=query.integer("limit", default=PAGE_MAX, at_least=1, at_most=PAGE_MAX),
            )
        )
        headers = query.link(page.next_before)
        return json_answer([closed_month_body(each) for each in page.periods], headers=headers)

    @operation(
        "GET",
        "/v1/reconciliation/periods/verification",
        operation_id="verifyReconciliationPeriods",
        summary="Check the seals of closed months",
        description="Computes every checksum again, and whether each report contains the checksum of the one before.",
        tags=["reconciliation"],
        answer=SealCheckBody,
        permission=_WRITE,
    )
    async def verify_reconciliation_periods(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        found = await self.ask(GetReconciliationSeals(tenant_id=caller.tenant_id))
        return json_answer(seal_check_body(found))

    @operation(
        "GET",
        "/v1/reconciliation/periods/{month:str}",
        operation_id="getReconciliationPeriod",
        summary="Get a closed month of reconciliation",
        description="With its sealed report, also as a table or a page to print. `sealed` has the bytes of the checksum as text.",
        tags=["reconciliation"],
        answer=SealedMonthBody,
        permission=_WRITE,
        path_parameters=(_MONTH,),
        query=(PAGE_FORMAT,),
        csv=True,
        html=True,
        refusals=(ReconciliationPeriodNotFound,),
    )
    async def get_reconciliation_period(
        self, caller: Caller, request: AnyRequest, month: str
    ) -> Response[bytes] | Stream:
        chosen = chosen_format(request, Query(request))
        found: SealedMonth = await self.ask(GetReconciliationPeriod(tenant_id=caller.tenant_id, month=_month(month)))
        body = sealed_month_body(found)
        if chosen == "json":
            return json_answer(body)
        if chosen == "csv":
            return csv_answer(f"reconciliation-{month}", COLUMNS, one_page(report_rows(body.report)))
        lines = [("Tenant", caller.tenant_id), ("Month", body.month), ("Closed at", body.closed_at)]
        lines += [
            ("Closed by", body.closed_by),
            ("SHA-256", body.sha256),
            ("Month before", body.previous_sha256 or "none"),
        ]
        if body.override_reason is not None:
            lines.append((f"With {body.overridden} open discrepancies", body.override_reason))
        if body.unread_accounts:
            lines.append(("Statement not known to the end of", ", ".join(body.unread_accounts)))
        return Response(report_page(Heading(title="Closed month", lines=lines), body.report), media_type="text/html")


def _month(text: str, *, name: str = "month") -> str:
    if not re.match(_PATTERN, text, re.ASCII):
        raise wrong(name, "must be a year and a month, such as 2026-10")
    return text
