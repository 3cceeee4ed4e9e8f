"""What the books have posted in the window of a run, by which it finds entries that nothing on any other side has led to.

Of a payment all entries are read with it, so that here only payments are found that were made before the window; what belongs to
no payment is looked for by its own id. Everything is read in pages, each a step of the run, so that none takes longer than its lease.
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
"""Payments of other times that are listed at once, for a hundred steps: each list takes a look at all that moved in the window."""
_KNOWN_MAX = ENTRIES_MAX
"""Entries that runs before have found, of one step."""
_KNOWN = "known"
"""Begins the cursor where these are looked at, with the last of them behind it."""
_FIRST = UUID(int=0)


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


class Posted(msgspec.Struct, frozen=True, kw_only=True):
    """A page of what was posted, as far as it belongs to payments that were made before the window."""

    cursor: str | None
    """From where the next one is read; None: there are no more."""
    payments: str
    """These payments, each once: ids that are separated by commas."""


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

    async def payments(self, run: Run) -> Posted:
        """Read the next page of what was posted in the window, for its payments."""
        page = await self._page(run)
        if page is None:
            return Posted(cursor=None, payments="")
        return Posted(cursor=_behind(page), payments=page.payment_intent_ids)

    async def alone(self, run: Run) -> Alone:
        """Read the next entries of no payment, as far as nothing known has led to them: what runs have found, then what was posted in the window."""
        if not run.cursor or run.cursor.startswith(_KNOWN):
            return await self._known(run)
        page = await self._page(run)
        if page is None:
            return Alone(cursor=None, looked_at=(), entries=())
        found = await self._unexplained(run, page.alone)
        if found:
            before = await sql.known_of(self._database, run.tenant_id, found)
            found = [each for each in found if each not in before]
        kept = await self._sources.entries_by_id(run.tenant_id, found) if found else []
        if any(each.kind in OF_PAYOUTS for each in kept):
            began = await sql.books_began(self._database, run.tenant_id)
            # Of accounts that had no statement yet, payouts were booked by what their events showed, and are known by nothing else.
            kept = [each for each in kept if began is None or each.occurred_at >= began or each.kind not in OF_PAYOUTS]
        return Alone(cursor=_behind(page), looked_at=[each.entry_id for each in kept], entries=kept)

    async def _known(self, run: Run) -> Alone:
        """Read entries that runs before have found, whenever they were posted: what nobody has settled, or somebody by an entry by hand."""
        after = run.cursor.removeprefix(_KNOWN).strip()
        known = await sql.known_entries(
            self._database, run.tenant_id, after=UUID(after) if after else _FIRST, limit=_KNOWN_MAX
        )
        entries = sorted(each.entry_id for each in known)
        found = await self._unexplained(run, ",".join(map(str, entries)))
        return Alone(
            cursor=f"{_KNOWN} {known[-1].id}" if len(known) == _KNOWN_MAX else f"{iso(run.window_from)} ",
            looked_at=entries,
            entries=await self._sources.entries_by_id(run.tenant_id, found) if found else [],
        )

    async def _unexplained(self, run: Run, entries: str) -> list[UUID]:
        if not entries:
            return []
        return await sql.unexplained(self._database, run.tenant_id, entries, since=run.window_from)

    async def _page(self, run: Run) -> EntriesPosted | None:
        since, _, after = run.cursor.partition(" ")
        return await self._sources.posted(
            run.tenant_id,
            since=datetime.fromisoformat(since) if since else run.window_from,
            after=UUID(after) if after else None,
            before=run.window_until,
            until=UUID(int=run.first_payment.int - 1),
            limit=ENTRIES_MAX,
        )


def _behind(page: EntriesPosted) -> str | None:
    """Return the cursor of the next page; None: there are no more."""
    return None if page.next_from is None else f"{iso(page.next_from)} {page.next_after}"
