"""What the gateway has published, read back: decided attempts and disputes, page by page in the order of their ids."""

from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg

from libs.common.db import Database
from libs.common.messaging.resend import PAGE_ROWS, Window
from services.gateway.notices.domain import Dispute
from services.gateway.notices.sql.payments import dispute_of
from services.gateway.operations import COLUMNS, Attempt, attempt_of

_START = (UUID(int=0), "")

_ATTEMPTS = f"""
SELECT {COLUMNS} FROM attempts
WHERE (id, tenant_id) > ($1, $2) AND decided_at >= $3 AND decided_at < $4
  AND ($5::uuid IS NULL OR payment_intent_id = $5)
ORDER BY id, tenant_id LIMIT $6
"""  # noqa: S608 - no input in it
_DISPUTES = """
SELECT tenant_id, id, payment_intent_id, processor, gateway_ref, state, amount_minor, currency, reason, opened_at,
    evidence_due_at, decided_at FROM disputes
WHERE (id, tenant_id) > ($1, $2)
  AND (opened_at >= $3 AND opened_at < $4 OR decided_at >= $3 AND decided_at < $4)
  AND ($5::uuid IS NULL OR payment_intent_id = $5)
ORDER BY id, tenant_id LIMIT $6
"""


async def decided_attempts(database: Database, window: Window) -> AsyncIterator[list[Attempt]]:
    """Read the attempts that were decided in the window."""
    async for rows in _pages(database, _ATTEMPTS, window):
        yield [attempt_of(row) for row in rows]


async def disputes(database: Database, window: Window) -> AsyncIterator[list[Dispute]]:
    """Read the disputes that were opened or decided in the window."""
    async for rows in _pages(database, _DISPUTES, window):
        yield [dispute_of(row) for row in rows]


async def _pages(database: Database, sql: str, window: Window) -> AsyncIterator[list[asyncpg.Record]]:
    after, tenant_id = _START
    while True:
        rows = await database.fetch(
            sql, after, tenant_id, window.since, window.until, window.payment_intent_id, PAGE_ROWS
        )
        if not rows:
            return
        yield rows
        after, tenant_id = rows[-1]["id"], rows[-1]["tenant_id"]
