"""Publishing what moved again, for subscribers that have lost it: each event with the id that it had."""

from datetime import datetime
from uuid import UUID

from libs.common.db import Database
from libs.common.messaging import Publication
from libs.common.messaging.published import rebuilt, wait_for_room
from libs.common.messaging.resend import Window
from services.gateway.movements import schemas
from services.gateway.movements.domain import RecordedMovement
from services.gateway.movements.sql.resending import (
    movement_of,
    movements,
    movements_of_payment,
    opened_balances,
)


async def resend(database: Database, window: Window) -> int:
    """Put what a statement showed in a window into the outbox again; returns how many messages that were.

    What happened at the bank is rebuilt from no table: it is published again while it is kept.
    """
    opened = window.of(
        [
            publication
            for each in await opened_balances(database, window)
            for publication in schemas.opened(
                each.opening, tenant_id=each.tenant_id, account_id=each.account_id, at=each.opened_at
            )
        ]
    )
    async with database.transaction() as tx:
        await rebuilt(tx, opened)
    count = len(opened)
    async for page in movements(database, window):
        found = [
            publication
            for each in page
            for publication in _publications(each)
            if publication is not None and window.since <= publication.occurred_at < window.until
        ]
        publications = window.of(found)
        await wait_for_room(database)
        async with database.transaction() as tx:
            await rebuilt(tx, publications)
        count += len(publications)
    return count


async def publications_of_payment(database: Database, *, tenant_id: str, payment_intent_id: UUID) -> list[Publication]:
    """Make the messages again of what moved for a payment, each with the id that it had."""
    found = await movements_of_payment(database, tenant_id=tenant_id, payment_intent_id=payment_intent_id)
    return [each for movement in found for each in _publications(movement) if each is not None]


async def publications_of_movement(database: Database, *, tenant_id: str, ref: str, at: datetime) -> list[Publication]:
    """Make the messages again of a movement of no payment, by the processor's reference and when it was."""
    found = await movement_of(database, tenant_id=tenant_id, ref=ref, at=at)
    return [each for movement in found for each in _publications(movement) if each is not None]


def _publications(movement: RecordedMovement) -> tuple[Publication | None, ...]:
    available = schemas.available_of(movement)
    if not movement.is_booked:
        return (available,)
    return schemas.recorded(movement), available, schemas.adopted(movement)
