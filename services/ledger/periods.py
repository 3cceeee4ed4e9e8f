"""What changes earlier books without touching them: reversals, and closed periods that keep later changes out."""

import asyncio
from contextlib import suppress
from datetime import UTC, time
from time import monotonic
from uuid import UUID

from libs.common.clock import Clock, iso
from libs.common.contracts import ledger_books as contract
from libs.common.contracts.ledger import EntryKind, JournalEntry, Side
from libs.common.db import Database
from libs.common.errors import Unavailable
from libs.common.ids import derived_id
from libs.common.observability.correlation import current
from services.ledger import store
from services.ledger.domain import Entry, Line
from services.ledger.errors import EntryNotFound, EntryNotReversible, PeriodInvalid
from services.ledger.posting import Booking, PostingDesk

_LINKED = (EntryKind.CONVERSION_SOLD, EntryKind.CONVERSION_BOUGHT)
"""Entries that mean nothing without another one: taken back alone, a currency position would be left with no counterpart."""

_GROUPS_WAIT_SECONDS = 1.0
"""How long whoever closes waits for the groups that began before; one that hangs does not hold them up for longer."""
_GROUPS_LOOK_SECONDS = 0.01
"""How often it looks whether they have ended."""

_OTHER_SIDE = {Side.DEBIT: Side.CREDIT, Side.CREDIT: Side.DEBIT}


class Periods:
    """What one ledger process decides about what has been posted."""

    def __init__(self, database: Database, desk: PostingDesk, *, clock: Clock) -> None:
        self._database = database
        self._desk = desk
        self._clock = clock

    async def reverse(self, tenant_id: str, entry_id: UUID) -> JournalEntry:
        """Take an entry back by a further one that is linked to it; it happens once, and again is success.

        The reversal counts from now, in the open period, whenever the entry was posted.

        Raises:
            EntryNotFound: when the tenant's books have no such entry.
            EntryNotReversible: when it is a reversal itself, or one half of a conversion.
            FloorCrossed: when an account would be taken below its floor.
            CeilingCrossed: when an account would exceed its ceiling.
        """
        async with self._database.connection() as connection:
            found = await store.lines_of(connection, tenant_id, entry_id)
        if found is None:
            raise EntryNotFound(f"there is no entry {entry_id}")
        kind, payment_intent_id, reverses, lines = found
        if kind in _LINKED:
            raise EntryNotReversible("a conversion is two linked entries: exchange it back by another conversion")
        if reverses is not None:
            raise EntryNotReversible("a reversal is not taken back: post what is right as a new entry")
        turned = [
            Line(
                account_id=line.account_id,
                side=_OTHER_SIDE[line.side],
                amount_minor=line.amount_minor,
                currency=line.currency,
            )
            for line in lines
        ]
        entry = Entry(
            tenant_id=tenant_id,
            id=derived_id(entry_id, "reversal"),
            kind=EntryKind.REVERSAL,
            content=f"reversal of entry {entry_id}",
            payment_intent_id=payment_intent_id,
            occurred_at=self._clock.now(),
            source_event_id=None,
            # Debits first, each side in the order of the entry.
            lines=tuple(sorted(turned, key=lambda line: line.side is Side.CREDIT)),
            reverses=entry_id,
        )
        await self._desk.post(Booking(entry=entry, correlation=current()))
        async with self._database.connection() as connection:
            return await store.entry_by_id(connection, tenant_id, entry.id)

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
            await store.begin_closing(tx, request.tenant_id)
            closed = await store.closed_periods(tx, request.tenant_id, under_way=True)
            if closed and ends_before < closed[0].ends_before:
                raise _invalid(f"the books are closed up to {iso(closed[0].ends_before)} already")
            if closed and ends_before == closed[0].ends_before:
                period = closed[0]
            else:
                period = contract.Period(ends_before=ends_before, closed_at=now, closed_by=request.closed_by)
                await store.write_period(tx, request.tenant_id, period)
        await self._finish(request.tenant_id)
        return period

    async def closed(self, tenant_id: str) -> contract.PeriodList:
        """List what a tenant has closed, the latest first: periods into which nothing is posted any more."""
        # What is still under way after that is left out.
        with suppress(Unavailable):
            await self._finish(tenant_id)
        async with self._database.connection() as connection:
            return contract.PeriodList(periods=await store.closed_periods(connection, tenant_id, under_way=False))

    async def _finish(self, tenant_id: str) -> None:
        """Wait until all groups have ended that began before a period of a tenant was closed.

        Raises:
            Unavailable: when one of them takes too long.
        """
        async with self._database.connection() as connection:
            closings = await store.closings_under_way(connection, tenant_id)
            if not closings:
                return
            # A period that is read here is committed, so a group that begins after this look sees it.
            groups = await store.groups_on_their_way(connection)
            deadline = monotonic() + _GROUPS_WAIT_SECONDS
            while groups:
                if monotonic() >= deadline:
                    raise Unavailable(
                        "entries are being posted that began before the period was closed; again finishes it"
                    )
                await asyncio.sleep(_GROUPS_LOOK_SECONDS)
                groups &= await store.groups_on_their_way(connection)
            await store.end_closings(connection, tenant_id, closings)


def _invalid(sentence: str) -> PeriodInvalid:
    return PeriodInvalid(sentence, errors=(("/ends_before", sentence),))
