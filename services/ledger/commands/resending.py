"""Publishing again that captures are booked, for an api that has lost it."""

from libs.common.db import Database
from libs.common.messaging.published import rebuilt, wait_for_room
from libs.common.messaging.resend import Window
from services.ledger import outbox
from services.ledger.store.resending import captures


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
