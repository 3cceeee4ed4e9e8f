"""Publishing what moved again, for subscribers that have lost it: each event with the id that it had."""

from libs.common.db import Database
from libs.common.messaging.published import rebuilt, wait_for_room
from libs.common.messaging.resend import Window
from services.gateway.movements import schemas
from services.gateway.movements.sql.resending import movements


async def resend(database: Database, window: Window) -> int:
    """Put what a statement showed in a window into the outbox again; returns how many messages that were.

    What happened at the bank is rebuilt from no table: it is published again while it is kept.
    """
    count = 0
    async for page in movements(database, window):
        found = [
            publication
            for each in page
            for publication in (schemas.recorded(each), schemas.available_of(each), schemas.adopted(each))
            if publication is not None and window.since <= publication.occurred_at < window.until
        ]
        publications = window.of(found)
        await wait_for_room(database)
        async with database.transaction() as tx:
            await rebuilt(tx, publications)
        count += len(publications)
    return count
