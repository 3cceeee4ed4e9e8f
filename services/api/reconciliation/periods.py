"""Closed months, as clients write and see them."""

from typing import Annotated, Any

import msgspec

from libs.common.clock import iso
from libs.common.contracts.gateway_periods import ClosedMonth, SealCheck, SealedMonth
from services.api.reconciliation.reports import ReportBody, report_body


class CloseMonth(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a month is closed."""

    override_reason: Annotated[
        str,
        msgspec.Meta(
            max_length=500,
            description="Why it is closed though discrepancies have been open for too long, or a statement is not known to its end; it stands in the report, with who closed it.",
        ),
    ] = ""


class ClosedMonthBody(msgspec.Struct, frozen=True, kw_only=True):
    """A month that is closed; what became known after `known_until` counts in the month after."""

    month: str
    closed_at: str
    closed_by: str
    known_until: str
    run_id: str
    override_reason: str | None
    overridden: int
    sha256: str
    previous_sha256: str | None


class SealedMonthBody(ClosedMonthBody, frozen=True, kw_only=True):
    """A closed month with its report; `overridden_ids` names the first 1,000 discrepancies that were open for too long,
    `unread_accounts` the accounts whose statement was not known to the end of the month."""

    overridden_ids: list[str]
    unread_accounts: list[str]
    report: ReportBody
    sealed: str


class SealCheckBody(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the seals hold; `last_sha256`, kept elsewhere, proves that no month was removed from the end."""

    valid: bool
    periods: int
    last_sha256: str | None
    faults: list[str]


def closed_month_body(found: ClosedMonth) -> ClosedMonthBody:
    """Show a closed month."""
    return ClosedMonthBody(**_members(found))


def sealed_month_body(found: SealedMonth) -> SealedMonthBody:
    """Show a closed month with its report."""
    return SealedMonthBody(
        **_members(found.period),
        overridden_ids=[str(each) for each in found.overridden_ids],
        unread_accounts=found.unread,
        report=report_body(found.report),
        sealed=found.sealed,
    )


def seal_check_body(found: SealCheck) -> SealCheckBody:
    """Show whether the seals hold."""
    return SealCheckBody(
        valid=not found.faults,
        periods=found.periods,
        last_sha256=found.last_sha256 or None,
        faults=found.faults,
    )


def _members(found: ClosedMonth) -> dict[str, Any]:
    return {
        "month": found.month,
        "closed_at": iso(found.closed_at),
        "closed_by": found.closed_by,
        "known_until": iso(found.known_until),
        "run_id": str(found.run_id),
        "override_reason": found.override_reason or None,
        "overridden": found.overridden,
        "sha256": found.sha256,
        "previous_sha256": found.previous_sha256 or None,
    }
