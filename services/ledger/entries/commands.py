"""Reversing an entry, and publishing captures again."""

from uuid import UUID

from libs.common.clock import Clock
from libs.common.contracts.ledger import EntryKind, JournalEntry, Side
from libs.common.contracts.ledger_errors import EntryNotFound, EntryNotReversible
from libs.common.db import Database
from libs.common.ids import derived_id
from libs.common.messaging.published import rebuilt, wait_for_room
from libs.common.messaging.resend import Window
from libs.common.observability.correlation import current
from services.ledger import outbox
from services.ledger.core import Entry, Line
from services.ledger.entries.sql import journal, reversals
from services.ledger.entries.sql.resending import captures
from services.ledger.posting import Booking, PostingService

_LINKED = (EntryKind.CONVERSION_SOLD, EntryKind.CONVERSION_BOUGHT)
"""Entries that mean nothing without another one: taken back alone, a currency position would be left with no counterpart."""

_OF_PERIODS = (EntryKind.YEAR_END, EntryKind.REVALUATION)
"""Entries that end a period: taken back later, they would count in another one."""

_OTHER_SIDE = {Side.DEBIT: Side.CREDIT, Side.CREDIT: Side.DEBIT}


class EntryCommands:
    """What one ledger process decides about what has been posted."""

    def __init__(self, database: Database, service: PostingService, *, clock: Clock) -> None:
        self._database = database
        self._posting = service
        self._clock = clock

    async def reverse(self, tenant_id: str, entry_id: UUID) -> JournalEntry:
        """Take an entry back by a further one that is linked to it; it happens once, and again is success.

        The reversal counts from now, in the open period, whenever the entry was posted.

        Raises:
            EntryNotFound: when the tenant's books have no such entry.
            EntryNotReversible: when it is a reversal itself, or one half of a conversion.
            FloorCrossed: when an account would be taken below its floor.
            CeilingCrossed: when an account would exceed its ceiling.
            ApprovalRequired: when the tenant lets nobody change its books alone.
        """
        async with self._database.connection() as connection:
            found = await reversals.lines_of(connection, tenant_id, entry_id)
        if found is None:
            raise EntryNotFound(f"there is no entry {entry_id}")
        kind, payment_intent_id, reverses, lines = found
        if kind in _LINKED:
            raise EntryNotReversible("a conversion is two linked entries: exchange it back by another conversion")
        if kind in _OF_PERIODS:
            raise EntryNotReversible("what ends a period is corrected in the period, and the period ended again")
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
        await self._posting.post(Booking(entry=entry, correlation=current()))
        async with self._database.connection() as connection:
            return await journal.entry_by_id(connection, tenant_id, entry.id)


async def resend(database: Database, window: Window) -> int:
    """Put `journal_entry.posted` of the captures of a window into the outbox again; returns how many messages that were."""
    count = 0
    async for rows in captures(database, window):
        publications = window.of(
            [
                outbox.capture_posted(
                    row["id"],
                    tenant_id=row["tenant_id"],
                    payment_intent_id=row["payment_intent_id"],
                    amount_minor=row["amount_minor"],
                    currency=row["currency"],
                    posted_at=row["posted_at"],
                )
                for row in rows
            ]
        )
        await wait_for_room(database)
        async with database.transaction() as tx:
            await rebuilt(tx, publications)
        count += len(publications)
    return count
