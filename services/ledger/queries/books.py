"""Reading the books: the chart, entries page by page, balances."""

import base64
import binascii
from datetime import UTC, datetime, timedelta
from uuid import UUID

from libs.common.contracts import ledger as contract
from libs.common.db import Database
from services.ledger import store
from services.ledger.domain import Account
from services.ledger.errors import QueryInvalid

ENTRIES_MAX = 500
"""Entries on one page at most."""

OFFSET_MAX = 10_000
"""Entries that may be skipped; deeper pages are reached by the cursor, which costs the same at any depth."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Queries:
    """Reads of one ledger process."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def accounts(self, tenant_id: str) -> list[Account]:
        """List a tenant's chart, ordered by code."""
        async with self._database.connection() as connection:
            return await store.chart_of(connection, tenant_id)

    async def entries(self, wanted: contract.ListEntries) -> contract.EntryPage:
        """List a tenant's entries, newest first; a limit above 500 counts as 500.

        Raises:
            QueryInvalid: for a limit below 1, an offset out of range, or a cursor that is not ours.
        """
        if wanted.limit < 1:
            raise QueryInvalid("limit must be at least 1", errors=(("/limit", "limit must be at least 1"),))
        if not 0 <= wanted.offset <= OFFSET_MAX:
            sentence = f"offset must be 0 to {OFFSET_MAX}; use the cursor to go further"
            raise QueryInvalid(sentence, errors=(("/offset", sentence),))
        limit = min(wanted.limit, ENTRIES_MAX)
        filtered = store.EntryFilter(
            tenant_id=wanted.tenant_id,
            posted_from=wanted.posted_from,
            posted_until=wanted.posted_until,
            currency=wanted.currency,
            account=wanted.account,
            payment_intent_id=wanted.payment_intent_id,
            before=None if wanted.cursor is None else read_cursor(wanted.cursor),
        )
        async with self._database.connection() as connection:
            # One more than wanted tells whether there is a next page.
            found = await store.entries(connection, filtered, limit=limit + 1, offset=wanted.offset)
        page = found[:limit]
        return contract.EntryPage(
            entries=page,
            next_cursor=write_cursor(page[-1].posted_at, page[-1].id) if len(found) > limit else None,
        )

    async def balances(self, wanted: contract.ListBalances) -> contract.BalanceList:
        """List what a tenant's accounts hold, or what was posted to them in a period."""
        async with self._database.connection() as connection:
            if wanted.posted_from is None and wanted.posted_until is None:
                found = await store.standing_balances(connection, wanted.tenant_id, currency=wanted.currency)
            else:
                found = await store.balances_in_period(
                    connection,
                    wanted.tenant_id,
                    posted_from=wanted.posted_from,
                    posted_until=wanted.posted_until,
                    currency=wanted.currency,
                )
        return contract.BalanceList(balances=found)


def write_cursor(posted_at: datetime, entry_id: UUID) -> str:
    """Write where a page ended: microseconds since 1970 and the entry's id, 24 bytes in URL-safe base64."""
    microseconds = (posted_at - _EPOCH) // _MICROSECOND
    return base64.urlsafe_b64encode(microseconds.to_bytes(8, signed=True) + entry_id.bytes).decode()


def read_cursor(cursor: str) -> tuple[datetime, UUID]:
    """Read where the page before ended.

    Raises:
        QueryInvalid: when the cursor is not one of ours.
    """
    try:
        raw = base64.b64decode(cursor, altchars=b"-_", validate=True)
        if len(raw) != 24:
            raise ValueError("a cursor has 24 bytes")
        return _EPOCH + int.from_bytes(raw[:8], signed=True) * _MICROSECOND, UUID(bytes=raw[8:])
    except (ValueError, OverflowError, binascii.Error) as fault:
        sentence = "cursor must be the next_cursor of an earlier page"
        raise QueryInvalid(sentence, errors=(("/cursor", sentence),)) from fault
