"""Runs and discrepancies, as clients write and see them; the first members of a discrepancy are those of the reference system."""

from typing import Annotated, Any

import msgspec

from libs.common.clock import iso
from libs.common.contracts.gateway_reconciliation import (
    SETTLED_STATES,
    Discrepancy,
    DiscrepancyChange,
    DiscrepancyHistory,
    ReconciliationRun,
    RunTotals,
)
from libs.common.money import format_minor
from services.api.reconciliation.reports import ReportBody, report_body

type _Word = Annotated[
    str,
    msgspec.Meta(max_length=64, pattern=r"^[a-z0-9_]*(?!\n)$", description="Why, as a word: `refunded_by_hand`."),
]
type _Note = Annotated[str, msgspec.Meta(max_length=2000, description="Why, in your words.")]
type _Instant = Annotated[
    str, msgspec.Meta(min_length=10, max_length=40, description="RFC 3339 with a zone, or a date in UTC.")
]


class StartRun(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A window to compare."""

    window_from: Annotated[_Instant, msgspec.Meta(description="From when on.")] = msgspec.field(name="from")
    window_until: Annotated[_Instant, msgspec.Meta(description="Until before when; not in the future.")] = (
        msgspec.field(name="until")
    )
    dry_run: Annotated[bool, msgspec.Meta(description="Only report, and write nothing down.")] = False


class Settle(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why something is decided."""

    reason: _Word = ""
    note: _Note = ""


class Assign(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who looks at it."""

    assignee: Annotated[str, msgspec.Meta(min_length=1, max_length=255, description="Who looks at it from now on.")]
    note: _Note = ""


class Repair(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a discrepancy is repaired."""

    proposal_id: (
        Annotated[
            str,
            msgspec.Meta(
                min_length=36,
                max_length=36,
                description="Entries that are proposed in the ledger; without it, what is safe is done at once.",
            ),
        ]
        | None
    ) = None


class DecideMany(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A decision about several discrepancies, all or none of them."""

    ids: Annotated[
        list[Annotated[str, msgspec.Meta(min_length=1, max_length=36)]],
        msgspec.Meta(min_length=1, max_length=100, description="Their ids."),
    ]
    decision: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            max_length=16,
            extra_json_schema={"enum": ["assign", "pend", "resolve", "ignore", "reopen"]},
        ),
    ]
    assignee: Annotated[str, msgspec.Meta(max_length=255, description="Who looks at them, for `assign`.")] = ""
    reason: _Word = ""
    note: _Note = ""


class DiscrepancyBody(msgspec.Struct, frozen=True, kw_only=True):
    """Something on which two sides do not agree."""

    id: str
    tenant_id: str
    payment_intent_id: str | None
    discrepancy_type: str
    gateway_ref: str | None
    expected_amount: str | None
    actual_amount: str | None
    expected_status: str | None
    actual_status: str | None
    resolved: bool
    created_at: str
    currency: str | None
    subject_kind: str
    subject: str
    aspect: str
    detail: str
    state: str
    assignee: str | None
    reason: str | None
    note: str | None
    last_seen_at: str
    settled_at: str | None


class ChangeBody(msgspec.Struct, frozen=True, kw_only=True):
    """One step in the life of a discrepancy."""

    state: str
    actor: str
    reason: str | None
    note: str | None
    changed_at: str


class DiscrepancyHistoryBody(DiscrepancyBody, frozen=True, kw_only=True):
    """A discrepancy with all that was done about it, oldest first."""

    changes: list[ChangeBody]


class TotalsBody(msgspec.Struct, frozen=True, kw_only=True):
    """What moved in a window, in one currency: `net` is what came, less what left, was kept and was paid out."""

    currency: str
    came: str
    left: str
    fees: str
    paid_out: str
    net: str


class RunBody(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison of a window."""

    id: str
    requested_by: str | None
    dry_run: bool
    window_from: str = msgspec.field(name="from")
    window_until: str = msgspec.field(name="until")
    state: str
    phase: str
    payments: int
    movements: int
    matched: int
    lines: int
    lines_matched: int
    discrepancies: dict[str, int]
    new: int
    agreed: int
    totals: list[TotalsBody]
    sample: list[DiscrepancyBody]
    reason: str | None
    started_at: str
    ended_at: str | None
    report: ReportBody | None


def discrepancy_body(found: Discrepancy) -> DiscrepancyBody:
    """Show a discrepancy."""
    return DiscrepancyBody(**_members(found))


def history_body(found: DiscrepancyHistory) -> DiscrepancyHistoryBody:
    """Show a discrepancy with its history."""
    return DiscrepancyHistoryBody(**_members(found.discrepancy), changes=[_change(each) for each in found.changes])


def run_body(run: ReconciliationRun) -> RunBody:
    """Show a run."""
    return RunBody(
        id=str(run.id),
        requested_by=run.requested_by or None,
        dry_run=run.is_dry,
        window_from=iso(run.window_from),
        window_until=iso(run.window_until),
        state=run.state,
        phase=run.phase,
        payments=run.payments,
        movements=run.movements,
        matched=run.matched,
        lines=run.lines,
        lines_matched=run.lines_matched,
        discrepancies=run.found,
        new=run.new,
        agreed=run.agreed,
        totals=[_totals(currency, run.totals[currency]) for currency in sorted(run.totals)],
        sample=[discrepancy_body(each) for each in run.sample],
        reason=run.reason or None,
        started_at=iso(run.started_at),
        ended_at=None if run.ended_at is None else iso(run.ended_at),
        report=None if run.report is None else report_body(run.report),
    )


def _members(found: Discrepancy) -> dict[str, Any]:
    return {
        "id": str(found.id),
        "tenant_id": found.tenant_id,
        "payment_intent_id": None if found.payment_intent_id is None else str(found.payment_intent_id),
        "discrepancy_type": found.type,
        "gateway_ref": found.gateway_ref or None,
        "expected_amount": _amount(found.expected_minor, found.currency),
        "actual_amount": _amount(found.actual_minor, found.currency),
        "expected_status": found.expected_status or None,
        "actual_status": found.actual_status or None,
        "resolved": found.state in SETTLED_STATES,
        "created_at": iso(found.found_at),
        "currency": found.currency or None,
        "subject_kind": found.subject_kind,
        "subject": found.subject,
        "aspect": found.aspect,
        "detail": found.detail,
        "state": found.state,
        "assignee": found.assignee or None,
        "reason": found.reason or None,
        "note": found.note or None,
        "last_seen_at": iso(found.seen_at),
        "settled_at": None if found.settled_at is None else iso(found.settled_at),
    }


def _amount(minor: int | None, currency: str) -> str | None:
    return None if minor is None or not currency else format_minor(minor, currency)


def _change(each: DiscrepancyChange) -> ChangeBody:
    return ChangeBody(
        state=each.state,
        actor=each.actor,
        reason=each.reason or None,
        note=each.note or None,
        changed_at=iso(each.changed_at),
    )


def _totals(currency: str, total: RunTotals) -> TotalsBody:
    return TotalsBody(
        currency=currency,
        came=format_minor(total.in_minor, currency),
        left=format_minor(total.out_minor, currency),
        fees=format_minor(total.fees_minor, currency),
        paid_out=format_minor(total.paid_out_minor, currency),
        net=format_minor(total.net_minor, currency),
    )
