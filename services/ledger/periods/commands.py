"""Closing periods: later entries are kept out of earlier books."""

from contextlib import suppress
from datetime import UTC, time

from libs.common.clock import Clock, iso
from libs.common.contracts import ledger_books as contract
from libs.common.contracts.ledger_errors import PeriodInvalid
from libs.common.db import Database
from libs.common.errors import Unavailable
from services.ledger.periods import sql
from services.ledger.posting import earlier_groups_ended


class Periods:
    """What one ledger process decides about periods."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def close(self, request: contract.ClosePeriod) -> contract.Period:
        """Close a tenant's books up to an instant; again is success. Closed books are never opened again.

        Entries that are posted from now on count from the first open instant; the answer comes when none of those before
        is left that may still be posted into the period. Nobody else waits meanwhile.

        Raises:
            PeriodInvalid: when the instant is no midnight in UTC, has not passed, or lies before what is closed already.
            Unavailable: when an entry that is being posted takes too long. The period keeps later entries out already;
                again finishes it.
        """
        ends_before = request.ends_before.astimezone(UTC)
        if ends_before.time() != time():
            raise _invalid("ends_before must be a midnight in UTC")
        now = self._clock.now()
        if ends_before > now:
            raise _invalid("a period can be closed once it is over")
        async with self._database.transaction() as tx:
            await sql.begin_closing(tx, request.tenant_id)
            closed = await sql.closed_periods(tx, request.tenant_id, unfinished=True)
            if closed and ends_before < closed[0].ends_before:
                raise _invalid(f"the books are closed up to {iso(closed[0].ends_before)} already")
            if closed and ends_before == closed[0].ends_before:
                period = closed[0]
            else:
                period = contract.Period(ends_before=ends_before, closed_at=now, closed_by=request.closed_by)
                await sql.write_period(tx, request.tenant_id, period)
        await self._finish(request.tenant_id)
        return period

    async def closed(self, tenant_id: str) -> contract.PeriodList:
        """List what a tenant has closed, the latest first: periods into which nothing is posted any more."""
        # What is still in progress after that is left out.
        with suppress(Unavailable):
            await self._finish(tenant_id)
        async with self._database.connection() as connection:
            return contract.PeriodList(periods=await sql.closed_periods(connection, tenant_id, unfinished=False))

    async def _finish(self, tenant_id: str) -> None:
        """Wait until all groups have ended that began before a period of a tenant was closed.

        Raises:
            Unavailable: when one of them takes too long.
        """
        async with self._database.connection() as connection:
            closings = await sql.closings_in_progress(connection, tenant_id)
            if not closings:
                return
            # A period that is read here is committed, so a group that begins after this look sees it.
            if not await earlier_groups_ended(connection):
                raise Unavailable("entries are being posted that began before the period was closed; again finishes it")
            await sql.end_closings(connection, tenant_id, closings)


def _invalid(sentence: str) -> PeriodInvalid:
    return PeriodInvalid(sentence, errors=(("/ends_before", sentence),))
