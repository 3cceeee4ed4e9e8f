"""Reads of deliveries."""

from uuid import UUID

import asyncpg

from libs.common.contracts.notifier import DeliveryAttempt, DeliveryPage, ListDeliveries
from libs.common.contracts.notifier.errors import EndpointNotFound
from libs.common.cursors import cursor_bytes, cursor_text
from libs.common.db import Database
from libs.common.errors import InvalidCursor
from libs.common.ids import first_id
from services.notifier.deliveries.domain import DeliveryStatus
from services.notifier.deliveries.schemas import attempt_view, delivery_view
from services.notifier.deliveries.sql import endpoints, history
from services.notifier.deliveries.sql.history import Window

_LIMIT_MAX = 200
"""Deliveries on one page at most."""
_CURSOR_BYTES = 32


async def list_deliveries(database: Database, request: ListDeliveries) -> DeliveryPage:
    """List what was sent to an endpoint, or to all, newest event first, with every attempt; deleted ones keep theirs.

    Raises:
        EndpointNotFound: when the tenant never had it.
        InvalidCursor: when the cursor is not one of ours.
    """
    limit = max(1, min(request.limit, _LIMIT_MAX))
    window = _window(request)
    async with database.connection() as connection:
        endpoint_ids = await endpoints.ids(connection, tenant_id=request.tenant_id, endpoint_id=request.endpoint_id)
        if request.endpoint_id is not None and not endpoint_ids:
            raise EndpointNotFound("webhook endpoint not found")
        rows = await history.page(
            connection, tenant_id=request.tenant_id, endpoint_ids=endpoint_ids, window=window, limit=limit + 1
        )
        shown = rows[:limit]
        made = await history.attempts_of(
            connection,
            [(request.tenant_id, row["endpoint_id"], row["event_id"]) for row in shown],
            tenant_id=request.tenant_id,
        )
        body = None
        if request.event_id is not None and shown:
            body = await history.body(connection, tenant_id=request.tenant_id, event_id=request.event_id)
    attempts: dict[tuple[UUID, UUID], list[DeliveryAttempt]] = {}
    for row in made:
        attempts.setdefault((row["endpoint_id"], row["event_id"]), []).append(attempt_view(row))
    return DeliveryPage(
        deliveries=[
            delivery_view(row, attempts.get((row["endpoint_id"], row["event_id"]), []), body=body) for row in shown
        ],
        next_cursor=_write_cursor(shown[-1]) if len(rows) > limit else None,
    )


def _window(request: ListDeliveries) -> Window:
    before = (history.LAST, history.LAST)
    if request.until is not None:
        before = (first_id(request.until), history.FIRST)
    if request.event_id is not None:
        before = min(before, (request.event_id, history.LAST))
    if request.cursor is not None:
        before = min(before, _read_cursor(request.cursor))
    since = history.FIRST if request.since is None else first_id(request.since)
    return Window(
        before=before,
        since=since if request.event_id is None else max(since, request.event_id),
        status=None if request.status is None else DeliveryStatus(request.status),
        event_type=request.event_type,
    )


def _write_cursor(row: asyncpg.Record) -> str:
    return cursor_text(UUID(str(row["event_id"])).bytes + UUID(str(row["endpoint_id"])).bytes)


def _read_cursor(cursor: str) -> tuple[UUID, UUID]:
    try:
        place = cursor_bytes(cursor, length=_CURSOR_BYTES)
    except ValueError as fault:
        raise InvalidCursor("the cursor does not come from an earlier page") from fault
    return UUID(bytes=place[:16]), UUID(bytes=place[16:])
