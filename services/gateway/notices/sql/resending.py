"""What the gateway has published, read back: decided attempts and disputes, page by page in the order of their ids."""

from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg

from libs.common.db import Database
from libs.common.db.statements import Statement, columns_of
from libs.common.messaging.resend import PAGE_ROWS, Window
from services.gateway.notices.domain import Dispute
from services.gateway.notices.sql.payments import read_dispute
from services.gateway.operations import COLUMNS, Attempt, attempt_of

_START = (UUID(int=0), "")

# Page by page in the order of the primary key.
_ATTEMPTS = Statement(
    """
SELECT {columns} FROM attempts
WHERE (id, tenant_id) > (:after, :tenant_id) AND decided_at >= :since AND decided_at < :until
  AND (:payment_intent_id::uuid IS NULL OR payment_intent_id = :payment_intent_id)
ORDER BY id, tenant_id LIMIT :limit
""",
    columns=COLUMNS,
)

# Page by page in the order of the primary key. Opened or decided: either is an event, and they may be months apart.
_DISPUTES = Statement(
    """
SELECT {columns} FROM disputes
WHERE (id, tenant_id) > (:after, :tenant_id)
  AND (opened_at >= :since AND opened_at < :until OR decided_at >= :since AND decided_at < :until)
  AND (:payment_intent_id::uuid IS NULL OR payment_intent_id = :payment_intent_id)
ORDER BY id, tenant_id LIMIT :limit
""",
    columns=columns_of(Dispute),
)

# By `ix_disputes_payment_intent`.
_DISPUTES_OF = Statement(
    "SELECT {columns} FROM disputes WHERE payment_intent_id = :payment_intent_id AND tenant_id = :tenant_id ORDER BY id",
    columns=columns_of(Dispute),
)


async def disputes_of(database: Database, *, tenant_id: str, payment_intent_id: UUID) -> list[Dispute]:
    """Read the disputes about a payment."""
    rows = await _DISPUTES_OF.fetch(database, tenant_id=tenant_id, payment_intent_id=payment_intent_id)
    return [read_dispute(row) for row in rows]


async def decided_attempts(database: Database, window: Window) -> AsyncIterator[list[Attempt]]:
    """Read the attempts that were decided in the window."""
    async for rows in _pages(database, _ATTEMPTS, window):
        yield [attempt_of(row) for row in rows]


async def disputes(database: Database, window: Window) -> AsyncIterator[list[Dispute]]:
    """Read the disputes that were opened or decided in the window."""
    async for rows in _pages(database, _DISPUTES, window):
        yield [read_dispute(row) for row in rows]


async def _pages(database: Database, statement: Statement, window: Window) -> AsyncIterator[list[asyncpg.Record]]:
    after, tenant_id = _START
    while True:
        rows = await statement.fetch(
            database,
            after=after,
            tenant_id=tenant_id,
            since=window.since,
            until=window.until,
            payment_intent_id=window.payment_intent_id,
            limit=PAGE_ROWS,
        )
        if not rows:
            return
        yield rows
        after, tenant_id = rows[-1]["id"], rows[-1]["tenant_id"]
