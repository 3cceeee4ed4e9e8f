"""Closing periods: later entries are kept out of earlier books."""

from contextlib import suppress
from datetime import UTC

from libs.common.clock import Clock, iso
from libs.common.contracts import ledger_books as contract
from libs.common.contracts.ledger_calendar import Calendar, SetCalendar
from libs.common.contracts.ledger_errors import PeriodInvalid
from libs.common.db import Database
from libs.common.errors import Unavailable
from services.ledger.balances import checksum, effective_balances
from services.ledger.periods import sql
from services.ledger.periods.domain import begins_a_day, zone_named
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
            PeriodInvalid: when the instant is no midnight of the tenant's calendar, has not passed, or lies before what is closed already.
            Unavailable: when an entry that is being posted takes too long. The period keeps later entries out already;
                again finishes it.
        """
        try:
            ends_before = request.ends_before.astimezone(UTC)
        except OverflowError as fault:
            raise _invalid("ends_before must lie in the years 1 to 9999") from fault
        now = self._clock.now()
        if ends_before > now:
            raise _invalid("a period can be closed once it is over")
        async with self._database.transaction() as tx:
            await sql.begin_closing(tx, request.tenant_id)
            calendar = await sql.calendar_of(tx, request.tenant_id)
            if not begins_a_day(ends_before, zone_named(calendar.zone)):
                raise _invalid(f"ends_before must be a midnight in {calendar.zone}, by which the books are kept")
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

    async def keep_by(self, request: SetCalendar) -> Calendar:
        """Keep a tenant's books by another calendar from now on; again changes nothing. What is closed stays closed.

        Raises:
            CalendarInvalid: when there is no such time zone.
            Unavailable: when a period of the tenant is being closed, and takes too long.
        """
        zone = zone_named(request.zone).key
        async with self._database.transaction() as tx:
            await sql.begin_closing(tx, request.tenant_id)
            calendar = await sql.calendar_of(tx, request.tenant_id)
            if calendar.zone != zone:
                calendar = Calendar(zone=zone, changed_at=self._clock.now(), changed_by=request.changed_by)
                await sql.add_calendar(tx, request.tenant_id, calendar)
        return calendar

    async def calendar(self, tenant_id: str) -> Calendar:
        """Return by which calendar a tenant's books are kept."""
        async with self._database.connection() as connection:
            return await sql.calendar_of(connection, tenant_id)

    async def closed(self, tenant_id: str) -> contract.PeriodList:
        """List what a tenant has closed, the latest first: periods into which nothing is posted any more."""
        # What is still in progress after that is left out.
        with suppress(Unavailable):
            await self._finish(tenant_id)
        async with self._database.connection() as connection:
            return contract.PeriodList(periods=await sql.closed_periods(connection, tenant_id, unfinished=False))

    async def _finish(self, tenant_id: str) -> None:
        """Wait until all groups have ended that began before a period of a tenant was closed, and write down what it has.

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
            async with connection.transaction():
                # Nothing is posted into them any more: what the books show now is what was closed.
                for ends_before in closings:
                    balances = await effective_balances(connection, tenant_id, before=ends_before, currency=None)
                    await sql.write_seal(
                        connection, tenant_id, ends_before, sha256=checksum(balances), sealed_at=self._clock.now()
                    )
                await sql.end_closings(connection, tenant_id, closings)


def _invalid(sentence: str) -> PeriodInvalid:
    return PeriodInvalid(sentence, errors=(("/ends_before", sentence),))
