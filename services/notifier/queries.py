"""What can we be told? Reads only."""

import base64
import binascii
from uuid import UUID

import asyncpg

from libs.common.contracts.notifier import (
    Delivery,
    DeliveryAttempt,
    DeliveryPage,
    EndpointList,
    ListDeliveries,
    ListEndpoints,
)
from libs.common.db import Database
from services.notifier.errors import EndpointNotFound, InvalidCursor
from services.notifier.outbox import endpoint_shown
from services.notifier.store import deliveries, endpoints

_LIMIT_MAX = 200
"""Deliveries on one page at most."""


async def list_endpoints(database: Database, request: ListEndpoints) -> EndpointList:
    """A tenant's endpoints, newest first, without their secrets."""
    async with database.connection() as connection:
        found = await endpoints.list_of(connection, tenant_id=request.tenant_id)
    return EndpointList(endpoints=[endpoint_shown(endpoint) for endpoint in found])


async def list_deliveries(database: Database, request: ListDeliveries) -> DeliveryPage:
    """What was sent to an endpoint, newest event first, with every attempt; a deleted endpoint keeps its history.

    Raises:
        EndpointNotFound: when the tenant never had it.
        InvalidCursor: when the cursor is not one of ours.
    """
    before = _read_cursor(request.cursor)
    limit = max(1, min(request.limit, _LIMIT_MAX))
    async with database.connection() as connection:
        if await endpoints.find(connection, tenant_id=request.tenant_id, endpoint_id=request.endpoint_id) is None:
            raise EndpointNotFound("webhook endpoint not found")
        rows = await deliveries.page(
            connection, tenant_id=request.tenant_id, endpoint_id=request.endpoint_id, before=before, limit=limit + 1
        )
        shown_rows = rows[:limit]
        made = await deliveries.attempts_of(
            connection,
            tenant_id=request.tenant_id,
            endpoint_id=request.endpoint_id,
            event_ids=[row["event_id"] for row in shown_rows],
        )
    attempts: dict[UUID, list[DeliveryAttempt]] = {}
    for row in made:
        attempts.setdefault(row["event_id"], []).append(_attempt(row))
    return DeliveryPage(
        deliveries=[_delivery(row, attempts.get(row["event_id"], [])) for row in shown_rows],
        next_cursor=_write_cursor(shown_rows[-1]["event_id"]) if len(rows) > limit else None,
    )


def _delivery(row: asyncpg.Record, attempts: list[DeliveryAttempt]) -> Delivery:
    return Delivery(
        id=row["id"],
        event_id=row["event_id"],
        event_type=row["event_type"],
        status=row["status"],
        created_at=row["created_at"],
        next_attempt_at=row["next_attempt_at"],
        attempts=attempts,
    )


def _attempt(row: asyncpg.Record) -> DeliveryAttempt:
    return DeliveryAttempt(
        number=row["number"],
        attempted_at=row["attempted_at"],
        duration_ms=row["duration_ms"],
        status_code=row["status_code"],
        error=row["error"],
    )


def _write_cursor(event_id: UUID) -> str:
    return base64.urlsafe_b64encode(event_id.bytes).decode().rstrip("=")


def _read_cursor(cursor: str | None) -> UUID | None:
    if cursor is None:
        return None
    try:
        return UUID(bytes=base64.b64decode(cursor + "==", altchars=b"-_", validate=True))
    except (binascii.Error, ValueError) as fault:
        raise InvalidCursor("the cursor does not come from an earlier page") from fault
