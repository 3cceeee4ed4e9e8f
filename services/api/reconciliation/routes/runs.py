"""Runs are requested, watched and read; the gateway answers over the broker."""

from datetime import UTC, datetime

from litestar import Response
from litestar.response import Stream

from libs.common.contracts.gateway_errors import ReconciliationRunConflict, ReconciliationRunNotFound
from libs.common.contracts.gateway_reconciliation import (
    GetReconciliationRun,
    ListReconciliationRuns,
    StartReconciliation,
)
from libs.common.errors import Invalid
from services.api.errors import ReconciliationReportMissing
from services.api.http.bodies import BodyReader
from services.api.http.callers import Caller
from services.api.http.controllers import Change, Resource, operation, resource_id
from services.api.http.parameters import AnyRequest, Query, path_id
from services.api.http.rendering import json_answer
from services.api.http.requests import Ask
from services.api.http.tables import PAGE_FORMAT, chosen_format, csv_answer, one_page
from services.api.reconciliation.reports import COLUMNS, Heading, report_page, report_rows
from services.api.reconciliation.routes.paging import CURSOR, LIMIT, PAGE_MAX
from services.api.reconciliation.schemas import (
    RunBody,
    StartRun,
    run_body,
)

_WRITE = "admin:write"
_START = Change(StartReconciliation, "gateway.start_reconciliation", target="run_id")


class Runs(Resource):
    """Routes of runs."""

    ask: Ask

    bodies = BodyReader(StartRun)

    @operation(
        "POST",
        "/v1/reconciliation/run",
        operation_id="startReconciliation",
        summary="Compare a window of time",
        description="Payments that were made in the window, and those for which something moved in it, are compared with the "
        "processor's statement and the books. It goes on by itself: read it again to see how far it is.",
        tags=["reconciliation"],
        body=StartRun,
        example={"from": "2026-11-01", "until": "2026-11-02", "dry_run": True},
        answer=RunBody,
        status=202,
        permission=_WRITE,
        refusals=(ReconciliationRunConflict,),
        change=_START,
    )
    async def start_reconciliation(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        requested = await self.bodies.take(await request.body())
        run = await self.ask(
            StartReconciliation(
                tenant_id=caller.tenant_id,
                run_id=resource_id(),
                window_from=_instant("/from", requested.window_from),
                window_until=_instant("/until", requested.window_until),
                is_dry=requested.dry_run,
                requested_by=caller.actor,
            )
        )
        return json_answer(run_body(run), status=202)

    @operation(
        "GET",
        "/v1/reconciliation/runs",
        operation_id="listReconciliationRuns",
        summary="List reconciliation runs",
        description="Newest first, as a bare array; `Link` names the next page.",
        tags=["reconciliation"],
        answer=list[RunBody],
        permission=_WRITE,
        query=(LIMIT, CURSOR),
    )
    async def list_reconciliation_runs(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        query = Query(request)
        page = await self.ask(
            ListReconciliationRuns(
                tenant_id=caller.tenant_id,
                before=query.identifier("cursor"),
                limit=query.integer("limit", default=PAGE_MAX, at_least=1, at_most=PAGE_MAX),
            )
        )
        return json_answer([run_body(run) for run in page.runs], headers=query.link(page.next_before))

    @operation(
        "GET",
        "/v1/reconciliation/runs/{run_id:str}",
        operation_id="getReconciliationRun",
        summary="Get a reconciliation run",
        description="How far it is, what moved in its window by currency, and what does not agree by type. Once it is complete, with "
        "the report of that moment, also as a table or a page to print; the same run has the same report for ever.",
        tags=["reconciliation"],
        answer=RunBody,
        permission=_WRITE,
        query=(PAGE_FORMAT,),
        csv=True,
        html=True,
        refusals=(ReconciliationRunNotFound, ReconciliationReportMissing),
    )
    async def get_reconciliation_run(
        self, caller: Caller, request: AnyRequest, run_id: str
    ) -> Response[bytes] | Stream:
        chosen = chosen_format(request, Query(request))
        run = await self.ask(GetReconciliationRun(tenant_id=caller.tenant_id, run_id=path_id(run_id, "run_id")))
        body = run_body(run)
        if chosen == "json":
            return json_answer(body)
        if body.report is None:
            raise ReconciliationReportMissing(f"the run {run_id} is {body.state}")
        if chosen == "csv":
            return csv_answer(f"reconciliation-{run_id}", COLUMNS, one_page(report_rows(body.report)))
        lines = [
            ("Tenant", caller.tenant_id),
            ("Run", body.id),
            ("From", body.window_from),
            ("Until", body.window_until),
        ]
        page = report_page(
            Heading(title="Reconciliation", lines=[*lines, ("Made at", body.report.made_at)]), body.report
        )
        return Response(page, media_type="text/html")


def _instant(pointer: str, text: str) -> datetime:
    """Read an instant with a zone; a date is its first instant in UTC.

    Raises:
        Invalid: when it is none.
    """
    try:
        found = datetime.fromisoformat(text)
        if len(text) == len("2026-11-01"):
            return found.replace(tzinfo=UTC)
        if found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise Invalid("an instant is malformed", errors=((pointer, "must be RFC 3339 with a zone, or a date"),))
