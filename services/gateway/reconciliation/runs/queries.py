"""What is shown of runs."""

import msgspec

from libs.common.contracts.gateway_errors import ReconciliationRunNotFound
from libs.common.contracts.gateway_reconciliation import (
    GetReconciliationRun,
    ListReconciliationRuns,
    ReconciliationRun,
    RunPage,
)
from libs.common.contracts.gateway_reports import RunReport
from libs.common.db import Database
from libs.common.errors import Invalid
from services.gateway.reconciliation.runs import sql

_PAGE_MAX = 200
"""Runs on one page."""


async def show(database: Database, request: GetReconciliationRun) -> ReconciliationRun:
    """Show how far a run is, and what it found, with its report where it is complete.

    Raises:
        ReconciliationRunNotFound: when the tenant has no such.
    """
    found = await sql.get(database, request.tenant_id, request.run_id)
    if found is None:
        raise ReconciliationRunNotFound
    report = await sql.report_of(database, request.tenant_id, request.run_id)
    return found.shown(None if report is None else msgspec.json.decode(report, type=RunReport))


async def list_page(database: Database, request: ListReconciliationRuns) -> RunPage:
    """List runs, newest first.

    Raises:
        Invalid: when the page is too large.
    """
    if not 1 <= request.limit <= _PAGE_MAX:
        raise Invalid(f"limit must be 1 to {_PAGE_MAX}")
    found = await sql.list_newest(database, request.tenant_id, before=request.before, limit=request.limit + 1)
    # What a dry run found is shown with that run alone: all together it would be too much for one message.
    page = [msgspec.structs.replace(run.shown(), sample=[]) for run in found[: request.limit]]
    return RunPage(runs=page, next_before=page[-1].id if len(found) > request.limit else None)
