"""Entries of captures as they were published, page by page in the order of their ids."""

from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg

from libs.common.db import Database
from libs.common.messaging.resend import PAGE_ROWS, Window

_CAPTURES = """
WITH page AS (
    SELECT id, tenant_id, payment_intent_id, posted_at FROM journal_entries
    WHERE (id, tenant_id) > ($1, $2) AND kind = 'capture' AND posted_at >= $3 AND posted_at < $4
      AND ($5::uuid IS NULL OR payment_intent_id = $5)
    ORDER BY id, tenant_id LIMIT $6)
SELECT page.*, total.currency, total.amount_minor FROM page
CROSS JOIN LATERAL (
    SELECT min(currency) AS currency, sum(amount_minor)::bigint AS amount_minor FROM postings
    WHERE postings.tenant_id = page.tenant_id AND postings.entry_id = page.id AND side = 'DEBIT') AS total
ORDER BY id, tenant_id
"""


async def captures(database: Database, window: Window) -> AsyncIterator[list[asyncpg.Record]]:
    """Read the entries of captures that were posted in the window, with the sums of their debits."""
    after, tenant_id = UUID(int=0), ""
    while True:
        rows = await database.fetch(
            _CAPTURES, after, tenant_id, window.since, window.until, window.payment_intent_id, PAGE_ROWS
        )
        if not rows:
            return
        yield rows
        after, tenant_id = rows[-1]["id"], rows[-1]["tenant_id"]
