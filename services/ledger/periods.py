"""What changes earlier books without touching them: reversals, and closed periods that keep later changes out."""

from datetime import UTC, time
from uuid import UUID

from libs.common.clock import Clock, iso
from libs.common.contracts import ledger_books as contract
from libs.common.contracts.ledger import EntryKind, JournalEntry, Side
from libs.common.db import Database
from libs.common.ids import derived_id
from libs.common.observability.correlation import current
from services.ledger import store
from services.ledger.domain import Entry, Line
from services.ledger.errors import EntryNotFound, EntryNotReversible, PeriodInvalid
from services.ledger.posting import Booking, PostingDesk

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
            EntryNotReversible: when it is a reversal itself.
            FloorCrossed: when an account would be taken below its floor.
            CeilingCrossed: when an account would exceed its ceiling.
        """
        async with self._database.connection() as connection:
            found = await store.lines_of(connection, tenant_id, entry_id)
        if found is None:
            raise EntryNotFound(f"there is no entry {entry_id}")
        payment_intent_id, reverses, lines = found
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

        Raises:
            PeriodInvalid: when the instant is no midnight in UTC, has not passed, or lies before what is closed already.
        """
        ends_before = request.ends_before.astimezone(UTC)
        if ends_before.time() != time():
            raise _invalid("ends_before must be a midnight in UTC")
        now = self._clock.now()
        if ends_before > now:
            raise _invalid("a period can be closed once it is over")
        async with self._database.transaction() as tx:
            await store.keep_groups_out(tx)
            closed = await store.closed_periods(tx, request.tenant_id)
            if closed and ends_before == closed[0].ends_before:
                return closed[0]
            if closed and ends_before < closed[0].ends_before:
                raise _invalid(f"the books are closed up to {iso(closed[0].ends_before)} already")
            period = contract.Period(ends_before=ends_before, closed_at=now, closed_by=request.closed_by)
            await store.write_period(tx, request.tenant_id, period)
        return period

    async def closed(self, tenant_id: str) -> contract.PeriodList:
        """List what a tenant has closed, the latest first."""
        async with self._database.connection() as connection:
            return contract.PeriodList(periods=await store.closed_periods(connection, tenant_id))


def _invalid(sentence: str) -> PeriodInvalid:
    return PeriodInvalid(sentence, errors=(("/ends_before", sentence),))
