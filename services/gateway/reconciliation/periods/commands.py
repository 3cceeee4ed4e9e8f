"""Closing months: the books are read first, then one transaction decides, and seals what it has read."""

from datetime import datetime, timedelta
from uuid import UUID

from libs.common.clock import Clock, iso
from libs.common.contracts.gateway_errors import ReconciliationPeriodOpen
from libs.common.contracts.gateway_periods import ClosedMonth, CloseReconciliationPeriod
from libs.common.db import Connection, Database
from libs.common.db.tenancy import lifted
from libs.common.ids import first_id
from libs.common.observability.logging import get_logger
from services.gateway.reconciliation.periods import sql
from services.gateway.reconciliation.periods.domain import (
    OVERRIDDEN_MAX,
    Seal,
    require_next,
    sealed_after,
    stored,
)
from services.gateway.reconciliation.reports import BookSources, make_report

log = get_logger("gateway.reconciliation")

_SETTLES = timedelta(minutes=5)
"""What became known so shortly before is left to the next month: it may still be being committed, unseen by whoever closes; and a run that
begins so shortly after something became known may not have seen it."""
_NAMED_MAX = 5
"""Discrepancies, or accounts, that a refusal names."""


class PeriodClosing:
    """Closes months."""

    def __init__(self, database: Database, books: BookSources, *, overdue: timedelta, clock: Clock) -> None:
        self._database = database
        self._books = books
        self._overdue = overdue
        self._clock = clock

    async def close(self, request: CloseReconciliationPeriod) -> ClosedMonth:
        """Close a month and seal its report; one that is closed already stays as it is.

        Raises:
            ReconciliationPeriodInvalid: when it is no month that can be closed.
            ReconciliationPeriodOpen: when no run has compared it as it is known by now; or its statements are not known to its end, or discrepancies have been open for
                too long, and nobody overrides that.
            Unavailable: when the ledger does not answer.
        """
        tenant_id = request.tenant_id
        # What has no letter and no digit gives no reason, as characters that nobody sees.
        override = request.override_reason if any(map(str.isalnum, request.override_reason)) else ""
        # In this order: whoever closes the month in between is found by the second.
        last = await sql.last(self._database, tenant_id)
        if (closed := await sql.get(self._database, tenant_id, request.month)) is not None:
            return closed.shown()
        begins, ends_before = require_next(request.month, last, now=self._clock.now())
        books = await self._books.read(tenant_id, until=ends_before)
        async with self._database.transaction() as tx:
            await sql.lock(tx, tenant_id)
            now = self._clock.now()
            if (closed := await sql.get(tx, tenant_id, request.month)) is not None:
                return closed.shown()
            before = await sql.last(tx, tenant_id)
            require_next(request.month, before, now=now)
            known_until = now - _SETTLES
            run_id = await _covering(tx, tenant_id, (begins, ends_before), known_until=known_until)
            overdue = await sql.overdue(
                tx,
                tenant_id,
                end_id=first_id(ends_before),
                end_on=ends_before.date(),
                found_until=now - self._overdue,
                limit=OVERRIDDEN_MAX,
            )
            if overdue.number and not override:
                named = ", ".join(str(each) for each in overdue.ids[:_NAMED_MAX])
                raise ReconciliationPeriodOpen(f"{overdue.number} discrepancies have been open for too long: {named}")
            report = await make_report(
                tx,
                tenant_id,
                window=(begins, ends_before),
                books=books,
                matched=await sql.matched(
                    tx, tenant_id, begins_at=begins, ends_before=ends_before, known_until=known_until
                ),
                at=now,
                known_until=known_until,
            )
            async with lifted(tx):
                # An account on which something of the tenant moved may be another's, as the platform's own is.
                unread = await sql.unread(
                    tx, tenant_id, ends_before=ends_before, accounts=[each.account_id for each in report.statements]
                )
            if unread and not override:
                raise ReconciliationPeriodOpen(
                    f"the statement is not known until {iso(ends_before)} of {', '.join(unread[:_NAMED_MAX])}"
                )
            late = (
                {}
                if before is None
                else await sql.late(
                    tx, tenant_id, begins_at=begins, known_from=before.known_until, known_until=known_until
                )
            )
            month = stored(
                Seal(
                    version=1,
                    tenant_id=tenant_id,
                    month=request.month,
                    ends_before=ends_before,
                    known_until=known_until,
                    closed_at=now,
                    closed_by=request.closed_by,
                    run_id=run_id,
                    override_reason=override if overdue.number or unread else "",
                    overridden=overdue.number,
                    overridden_ids=overdue.ids,
                    unread=unread,
                    previous_sha256="" if before is None else before.sha256,
                    report=sealed_after(report, before, late),
                )
            )
            await sql.add(tx, month)
        log.info("reconciliation.closed", tenant_id=tenant_id, month=request.month, sha256=month.sha256)
        return month.shown()


async def _covering(
    tx: Connection, tenant_id: str, window: tuple[datetime, datetime], *, known_until: datetime
) -> UUID:
    """Return the run that has compared a month with all that is in its report.

    Raises:
        ReconciliationPeriodOpen: when there is none.
    """
    begins, ends_before = window
    covering = await sql.run_of(
        tx, tenant_id, begins_at=begins, ends_before=ends_before, first_id=first_id(ends_before)
    )
    if covering is None:
        raise ReconciliationPeriodOpen(
            f"no complete run has compared everything from {iso(begins)} until {iso(ends_before)}"
        )
    known_at = await sql.known_at(tx, tenant_id, begins_at=begins, ends_before=ends_before, known_until=known_until)
    if known_at is not None and covering.started_at < known_at + _SETTLES:
        raise ReconciliationPeriodOpen(
            f"something of it became known at {iso(known_at)}, and the last run of all of it began before "
            f"{iso(known_at + _SETTLES)}: compare it again"
        )
    if not covering.is_certain:
        raise ReconciliationPeriodOpen(
            f"of something from before {iso(ends_before)} it was too early to say whether it agrees when it was compared: "
            "compare it again"
        )
    return covering.id
