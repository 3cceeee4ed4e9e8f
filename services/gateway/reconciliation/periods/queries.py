"""What is shown of closed months."""

from libs.common.contracts.gateway_errors import ReconciliationPeriodNotFound
from libs.common.contracts.gateway_periods import (
    ClosedMonths,
    GetReconciliationPeriod,
    GetReconciliationSeals,
    ListReconciliationPeriods,
    SealCheck,
    SealedMonth,
)
from libs.common.db import Database
from libs.common.errors import Invalid
from services.gateway.reconciliation.periods import sql
from services.gateway.reconciliation.periods.domain import StoredMonth, faults

_PAGE_MAX = 200
"""Months on one page."""


async def show(database: Database, request: GetReconciliationPeriod) -> SealedMonth:
    """Show a closed month with its report.

    Raises:
        ReconciliationPeriodNotFound: when the tenant has not closed it.
    """
    found = await sql.get(database, request.tenant_id, request.month)
    if found is None:
        raise ReconciliationPeriodNotFound
    seal = found.seal()
    return SealedMonth(
        period=found.shown(),
        report=seal.report,
        overridden_ids=seal.overridden_ids,
        unread=seal.unread,
        sealed=found.sealed,
    )


async def list_page(database: Database, request: ListReconciliationPeriods) -> ClosedMonths:
    """List closed months, the latest first.

    Raises:
        Invalid: when the page is too large.
    """
    if not 1 <= request.limit <= _PAGE_MAX:
        raise Invalid(f"limit must be 1 to {_PAGE_MAX}")
    found = await sql.shown(database, request.tenant_id, before=request.before, limit=request.limit + 1)
    page = found[: request.limit]
    return ClosedMonths(periods=page, next_before=page[-1].month if len(found) > request.limit else "")


async def verify(database: Database, request: GetReconciliationSeals) -> SealCheck:
    """Check the seals of all closed months, and how they follow each other."""
    months: list[StoredMonth] = []
    before = ""
    async with database.transaction() as tx:
        # No month is closed meanwhile.
        await sql.lock(tx, request.tenant_id)
        while page := await sql.latest(tx, request.tenant_id, before=before, limit=_PAGE_MAX):
            months += page
            before = page[-1].month
        last = await sql.last_seal(tx, request.tenant_id)
    months.reverse()
    return SealCheck(periods=len(months), last_sha256=months[-1].sha256 if months else "", faults=faults(months, last))
