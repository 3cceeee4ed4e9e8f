"""Listing a tenant's entries."""

from datetime import UTC, datetime
from uuid import UUID

from libs.common.contracts import ledger as contract
from libs.common.contracts.ledger_errors import QueryInvalid
from libs.common.contracts.ledger_facts import EntryFactPage, ListEntryFacts
from libs.common.db import Database
from services.ledger.core import checked_limit, read_cursor, write_cursor
from services.ledger.entries.queries.facts import entry_facts
from services.ledger.entries.sql import journal
from services.ledger.watermark import Watermark

ENTRIES_MAX = 500
"""Entries on one page at most."""

OFFSET_MAX = 10_000
"""Entries that may be skipped; deeper pages are reached by the cursor, which costs the same at any depth."""

_BEGIN = (datetime(1970, 1, 1, tzinfo=UTC), UUID(int=0))


class EntryQueries:
    """Reads of the journal."""

    def __init__(self, database: Database, *, watermark: Watermark) -> None:
        self._database = database
        self._watermark = watermark

    async def entries(self, request: contract.ListEntries) -> contract.EntryPage:
        """List a tenant's entries, newest first; a limit above 500 counts as 500.

        Raises:
            QueryInvalid: for a limit below 1, an offset out of range, or a cursor that is not ours.
        """
        if request.limit < 1:
            raise QueryInvalid("limit must be at least 1", errors=(("/limit", "limit must be at least 1"),))
        if not 0 <= request.offset <= OFFSET_MAX:
            sentence = f"offset must be 0 to {OFFSET_MAX}; use the cursor to go further"
            raise QueryInvalid(sentence, errors=(("/offset", sentence),))
        limit = min(request.limit, ENTRIES_MAX)
        filtered = journal.EntryFilter(
            tenant_id=request.tenant_id,
            posted_from=request.posted_from,
            posted_until=request.posted_until,
            currency=request.currency,
            account=request.account,
            payment_intent_id=request.payment_intent_id,
            before=None if request.cursor is None else read_cursor(request.cursor),
        )
        async with self._database.connection() as connection:
            # One more than requested shows whether there is a next page.
            found = await journal.entries(connection, filtered, limit=limit + 1, offset=request.offset)
        page = found[:limit]
        return contract.EntryPage(
            entries=page,
            next_cursor=write_cursor(page[-1].posted_at, page[-1].id) if len(found) > limit else None,
        )

    async def follow(self, request: contract.FollowEntries) -> contract.EntryFeed:
        """List what was recorded after an entry, oldest first, and never beyond the watermark: nothing comes in before it.

        Raises:
            QueryInvalid: for a limit out of range, or an entry that there is not.
        """
        limit = checked_limit(request.limit, ENTRIES_MAX)
        # Before the entries are read: one that is recorded meanwhile is later than it.
        final_before = await self._watermark.advance()
        async with self._database.connection() as connection:
            after = _BEGIN
            if request.after is not None:
                posted_at = await journal.posted_at(connection, request.tenant_id, request.after)
                if posted_at is None:
                    sentence = "after must be the id of an entry"
                    raise QueryInvalid(sentence, errors=(("/after", sentence),))
                after = posted_at, request.after
            found = await journal.entries_after(
                connection, request.tenant_id, after=after, before=final_before, limit=limit
            )
        return contract.EntryFeed(entries=found, final_before=final_before)

    async def facts(self, request: ListEntryFacts) -> EntryFactPage:
        """List a tenant's entries by their payments.

        Raises:
            QueryInvalid: for a limit out of range, or too many ids.
        """
        return await entry_facts(self._database, request)
