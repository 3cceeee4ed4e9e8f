"""Reconciliation: runs with their reports, discrepancies, and closed months."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from services.api.console.calling import Refused
from services.api.console.declared import YES_OR_NO, Act, Column, Filter, Kind, Listing, Page, View
from services.api.console.forms import key_of
from services.api.console.pages.months import month_around
from services.api.console.showing import buttons_of, show_listing, with_done
from services.api.console.visits import Visit

_TYPES = (
    "MISSING_LOCAL",
    "MISSING_REMOTE",
    "AMOUNT_MISMATCH",
    "CURRENCY_MISMATCH",
    "STATUS_MISMATCH",
    "FEE_MISMATCH",
    "DUPLICATE",
    "NOT_BOOKED",
    "FOREIGN",
    "LATE",
    "AMBIGUOUS",
    "TIMING",
)
_STATES = ("open", "assigned", "pending", "reopened", "resolved", "ignored")
_UNSETTLED, _SETTLED = _STATES[:4], _STATES[4:]
_DECISIONS = ("assign", "pend", "resolve", "ignore", "reopen")
_ID = {"discrepancy_id": "id"}
_REPAIRED = ("NOT_BOOKED", "STATUS_MISMATCH", "MISSING_LOCAL")

_RUNS = Listing(
    operation="listReconciliationRuns",
    columns=(
        Column(member="from", title="From", kind=Kind.TIME, link="/console/runs/{id}"),
        Column(member="until", title="Until", kind=Kind.TIME),
        Column(member="state", title="State", kind=Kind.STATE),
        Column(member="dry_run", title="Dry run", kind=Kind.FLAG, is_minor=True),
        Column(member="agreed", title="Agreed", kind=Kind.COUNT),
        Column(member="new", title="New discrepancies", kind=Kind.COUNT),
        Column(member="requested_by", title="Requested by", is_minor=True),
        Column(member="started_at", title="Started", kind=Kind.TIME, is_minor=True),
    ),
    acts=(Act(operation="startReconciliation", title="Compare a window of time"),),
    fixed={"limit": "25"},
    empty="Nothing was compared yet. Each tenant is compared once an hour; or compare a window of time now.",
)


async def show_run(visit: Visit, run_id: str) -> View:
    """Show how far a run is, and its report once it is complete."""
    run = await visit.read("getReconciliationRun", path={"run_id": run_id})
    return View(
        template="run.html",
        title=f"{run['from'][:10]} – {run['until'][:10]}",
        values={
            "run": run,
            "is_over": run["state"] in {"complete", "failed"},
            "csv": _export("getReconciliationRun", run_id=run_id, format="csv"),
            "print": _export("getReconciliationRun", run_id=run_id, format="html"),
        },
    )


def _export(operation: str, **query: str) -> str:
    return f"/console/export/{operation}?{urlencode(query)}"


RUNS = Page(
    key="runs",
    title="Runs",
    needs="listReconciliationRuns",
    group="Reconciliation",
    show=_RUNS,
    one=show_run,
    letter="r",
)

_DISCREPANCIES = Listing(
    operation="listDiscrepancies",
    filters=(
        Filter(name="resolved", title="Settled", choices=("false", "true"), names=YES_OR_NO, default="false"),
        Filter(name="state", title="State", choices=_STATES),
        Filter(name="type", title="Type", choices=_TYPES),
        Filter(name="assignee", title="Assignee"),
        Filter(name="payment_intent_id", title="Payment"),
    ),
    columns=(
        Column(member="discrepancy_type", title="Type", link="/console/discrepancies/{id}"),
        Column(member="state", title="State", kind=Kind.STATE),
        Column(member="expected_amount", title="Expected", kind=Kind.MONEY),
        Column(member="actual_amount", title="Actual", kind=Kind.MONEY),
        Column(member="detail", title="Detail", is_minor=True),
        Column(member="assignee", title="Assignee", is_minor=True),
        Column(member="created_at", title="First seen", kind=Kind.TIME),
    ),
    template="discrepancies.html",
    empty="No discrepancy is like this: whatever was compared agrees, or is settled.",
)


async def show_discrepancies(visit: Visit) -> View:
    """Show discrepancies, and a form that decides about those that are chosen."""
    return await _listed(visit)


async def _listed(visit: Visit, *, form: Mapping[str, str] | None = None, fault: Refused | None = None) -> View:
    view = await show_listing(_DISCREPANCIES, visit)
    form = form or {}
    return View(
        template=view.template,
        values={
            **view.values,
            "decisions": _DECISIONS if await visit.may("decideDiscrepancies") else (),
            "written": {name: form.get(name, "") for name in ("decision", "assignee", "note", "reason")},
            "ticked": _chosen(form),
            "key": key_of(form, fault),
            "fault": fault,
        },
    )


def _chosen(form: Mapping[str, str]) -> list[str]:
    return [name.removeprefix("id.") for name in form if name.startswith("id.")]


async def decide(visit: Visit, form: Mapping[str, str]) -> View | str:
    """Decide about all that were chosen, or about none."""
    body: dict[str, Any] = {"decision": form.get("decision", ""), "ids": _chosen(form)}
    body |= {name: form[name] for name in ("assignee", "note", "reason") if form.get(name)}
    try:
        await visit.call("decideDiscrepancies", body=body, headers={"idempotency-key": form.get("_key", "")})
    except Refused as fault:
        if fault.status in {401, 403}:
            raise
        return await _listed(visit, form=form, fault=fault)
    return with_done(form.get("back", "/console/discrepancies"), "decideDiscrepancies", visit.session)


async def show_discrepancy(visit: Visit, discrepancy_id: str) -> View:
    """Show what was expected beside what is, what has become of it, and what can be done."""
    found = await visit.read("getDiscrepancy", path=_path(discrepancy_id))
    acts = (
        Act(operation="assignDiscrepancy", title="Assign", path=_ID, when=("state", _UNSETTLED)),
        Act(operation="resolveDiscrepancy", title="Resolve", path=_ID, when=("state", _UNSETTLED)),
        Act(operation="ignoreDiscrepancy", title="Ignore", path=_ID, when=("state", _UNSETTLED), is_danger=True),
        Act(operation="reopenDiscrepancy", title="Reopen", path=_ID, when=("state", _SETTLED)),
        Act(operation="repairDiscrepancy", title="Repair", path=_ID, when=("state", _UNSETTLED)),
        Act(
            operation="proposeLedgerEntries",
            title="Propose an entry",
            page="/console/compose",
            query={"description": "detail", "currency": "currency"},
            when=("state", _UNSETTLED),
        ),
    )
    is_adjusted = found["discrepancy_type"] not in _REPAIRED
    return View(
        template="discrepancy.html",
        title=found["discrepancy_type"],
        values={"found": found, "buttons": await buttons_of(visit, acts, found), "is_adjusted": is_adjusted},
    )


def _path(discrepancy_id: str) -> dict[str, str]:
    return {"discrepancy_id": discrepancy_id}


DISCREPANCIES = Page(
    key="discrepancies",
    title="Discrepancies",
    needs="listDiscrepancies",
    group="Reconciliation",
    show=show_discrepancies,
    one=show_discrepancy,
    send=decide,
    letter="d",
)


async def show_months(visit: Visit) -> View:
    """Show which months are closed, and whether their seals hold."""
    months, seals = await asyncio.gather(
        visit.call("listReconciliationPeriods", query=[("limit", "60")]), visit.read("verifyReconciliationPeriods")
    )
    rows = months.json()
    before = month_around(f"{visit.now:%Y-%m}")[0]
    acts = (Act(operation="closeReconciliationPeriod", title="Close a month", query={"month": "next"}),)
    thing = {"next": month_around(rows[0]["month"])[1] if rows else before}
    return View(
        template="months.html",
        values={
            "months": rows,
            "seals": seals,
            "next": thing["next"],
            "buttons": await buttons_of(visit, acts, thing),
        },
    )


async def show_month(visit: Visit, month: str) -> View:
    """Show the sealed report of a closed month."""
    found = await visit.read("getReconciliationPeriod", path={"month": month})
    return View(
        template="month.html",
        title=month,
        values={
            "found": found,
            "csv": _export("getReconciliationPeriod", month=month, format="csv"),
            "print": _export("getReconciliationPeriod", month=month, format="html"),
        },
    )


MONTHS = Page(
    key="months",
    title="Closed months",
    needs="listReconciliationPeriods",
    group="Reconciliation",
    show=show_months,
    one=show_month,
)
