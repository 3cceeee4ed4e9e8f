"""What the books have posted in the window of a run, by which it finds entries that nothing on any other side has led to.

Of a payment all entries are read with it, so that here only payments are found that were made before the window; what belongs to
no payment is looked for by its own id.
"""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.clock import iso
from libs.common.contracts.ledger_facts import ENTRIES_MAX, EntriesPosted, EntryFact
from libs.common.db import Database
from services.gateway.reconciliation.runs import sql
from services.gateway.reconciliation.runs.domain import OF_PAYOUTS
from services.gateway.reconciliation.runs.domain.run import Run
from services.gateway.reconciliation.runs.sources import Sources

LISTED_MAX = 50_000
"""Payments of other times that are listed at once, for a hundred steps: each list takes a look at all that moved or was posted in the window."""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """Payments of other times than its window that a run compares as well."""

    run_id: UUID
    after: UUID
    """They have greater ids."""
    payments: Sequence[UUID]
    """In their order."""
    is_last: bool
    """Whether there are no more."""

    def page(self, run: Run, after: UUID, limit: int) -> Sequence[UUID] | None:
        """Return the first ones behind a payment; None: it takes another list to know them."""
        if self.run_id != run.id or after < self.after:
            return None
        place = bisect_right(self.payments, after)
        page = self.payments[place : place + limit]
        return page if self.is_last or len(page) == limit else None


class Alone(msgspec.Struct, frozen=True, kw_only=True):
    """Entries of no payment that nothing known has led to."""

    cursor: str | None
    """From where the next ones are read; None: there are no more."""
    looked_at: Sequence[UUID]
    """Those that are a discrepancy, or were one."""
    entries: Sequence[EntryFact]
    """Those that are, as far as the books have them."""


class PostedReading:
    """Reads what was posted in the window of a run."""

    def __init__(self, database: Database, sources: Sources) -> None:
        self._database = database
        self._sources = sources
        self._listed: Listed | None = None

    async def older_payments(self, run: Run, after: UUID, limit: int) -> Sequence[UUID]:
        """List payments with an id above `after` that were made before the window and of which something was posted in it, in their order."""
        page = None if self._listed is None else self._listed.page(run, after, limit)
        if page is None:
            self._listed = await self._list(run, after)
            page = self._listed.payments[:limit]
        return page

    async def alone(self, run: Run) -> Alone:
        """Read the next entries of no payment that were posted in the window, as far as nothing known has led to them."""
        since, _, after = run.cursor.partition(" ")
        page = await self._page(
            run, since=datetime.fromisoformat(since) if since else run.window_from, after=UUID(after) if after else None
        )
        if page is None:
            return Alone(cursor=None, looked_at=(), entries=())
        # Those of other windows with the first ones.
        before = [] if run.cursor else await sql.unsettled_entries(self._database, run.tenant_id)
        named = ",".join([*map(str, before), *filter(None, [page.alone])])
        found = await sql.unexplained(self._database, run.tenant_id, named) if named else []
        kept = await self._sources.entries_by_id(run.tenant_id, found) if found else []
        began = await sql.books_began(self._database, run.tenant_id)
        return Alone(
            cursor=None if page.next_from is None else f"{iso(page.next_from)} {page.next_after}",
            looked_at=sorted({*before, *found}),
            # Of accounts that had no statement yet, payouts were booked by what their events showed, and are known by nothing else.
            entries=[
                each for each in kept if began is None or each.occurred_at >= began or each.kind not in OF_PAYOUTS
            ],
        )

    async def _list(self, run: Run, after: UUID) -> Listed:
        payments: list[UUID] = []
        is_last, since, behind = True, run.window_from, None
        while (page := await self._page(run, since=since, after=behind)) is not None:
            found = {UUID(each) for each in page.payment_intent_ids.split(",") if each}
            payments = sorted({*payments, *(each for each in found if each > after)})
            if len(payments) > LISTED_MAX:
                payments, is_last = payments[:LISTED_MAX], False
            if page.next_from is None:
                break
            since, behind = page.next_from, page.next_after
        return Listed(run_id=run.id, after=after, payments=payments, is_last=is_last)

    async def _page(self, run: Run, *, since: datetime, after: UUID | None) -> EntriesPosted | None:
        return await self._sources.posted(
            run.tenant_id,
            since=since,
            after=after,
            before=run.window_until,
            until=UUID(int=run.first_payment.int - 1),
            limit=ENTRIES_MAX,
        )
