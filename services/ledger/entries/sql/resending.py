"""Entries of captures as they were published, page by page in the order of their ids."""

from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg

from libs.common.db import Database
from libs.common.db.statements import Statement
from libs.common.messaging.resend import PAGE_ROWS, Window

# Page by page in the order of the primary key. The page is found first, so that postings are summed for its entries
# alone.
_CAPTURES = Statement("""
WITH page AS (
    SELECT id, tenant_id, payment_intent_id, posted_at FROM journal_entries
    WHERE (id, tenant_id) > (:after, :tenant_id) AND kind = 'capture' AND posted_at >= :window.since
      AND posted_at < :window.until
      AND (:window.payment_intent_id::uuid IS NULL OR payment_intent_id = :window.payment_intent_id)
    ORDER BY id, tenant_id LIMIT :limit)
SELECT page.*, total.currency, total.amount_minor FROM page
CROSS JOIN LATERAL (
    SELECT min(currency) AS currency, sum(amount_minor)::bigint AS amount_minor FROM postings
    WHERE postings.tenant_id = page.tenant_id AND postings.entry_id = page.id AND side = 'DEBIT') AS total
ORDER BY id, tenant_id
""")


async def captures(database: Database, window: Window) -> AsyncIterator[list[asyncpg.Record]]:
    """Read the entries of captures that were posted in the window, with the sums of their debits."""
    after, tenant_id = UUID(int=0), ""
    while True:
        async with database.connection() as connection:
            rows = await _CAPTURES.fetch(connection, after=after, tenant_id=tenant_id, window=window, limit=PAGE_ROWS)
        if not rows:
            return
        yield rows
        after, tenant_id = rows[-1]["id"], rows[-1]["tenant_id"]
