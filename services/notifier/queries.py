"""What can we be told? Reads only."""

import base64
import binascii
from datetime import datetime
from uuid import UUID

import asyncpg

from libs.common.clock import Clock
from libs.common.contracts.notifier import (
    Delivery,
    DeliveryAttempt,
    DeliveryPage,
    EndpointHealth,
    EndpointList,
    GetEndpoint,
    GetReplay,
    ListDeliveries,
    ListEndpoints,
    Replay,
    WebhookEndpoint,
)
from libs.common.db import Connection, Database
from services.notifier.domain import DeliveryStatus, Endpoint
from services.notifier.errors import EndpointNotFound, InvalidCursor, ReplayNotFound
from services.notifier.outbox import endpoint_shown, replay_shown
from services.notifier.schedule import Gate, HealthPolicy, disables_at
from services.notifier.store import endpoints, gates, history, replays
from services.notifier.store.history import Window

_LIMIT_MAX = 200
"""Deliveries on one page at most."""
_CURSOR_BYTES = 32


async def list_endpoints(database: Database, request: ListEndpoints) -> EndpointList:
    """A tenant's endpoints, newest first, without their secrets."""
    async with database.connection() as connection:
        found = await endpoints.list_of(connection, tenant_id=request.tenant_id)
    return EndpointList(endpoints=[endpoint_shown(endpoint) for endpoint in found])


async def get_endpoint(
    database: Database, request: GetEndpoint, *, policy: HealthPolicy, clock: Clock
) -> WebhookEndpoint:
    """One endpoint with its health.

    Raises:
        EndpointNotFound: when the tenant has no such endpoint, or no longer.
    """
    tenant_id, endpoint_id = request.tenant_id, request.endpoint_id
    async with database.connection() as connection:
        found = await endpoints.find(connection, tenant_id=tenant_id, endpoint_id=endpoint_id)
        if found is None or found[1]:
            raise EndpointNotFound("webhook endpoint not found")
        gate = await gates.find(connection, tenant_id=tenant_id, endpoint_id=endpoint_id)
        tally = await history.tally(connection, tenant_id=tenant_id, endpoint_id=endpoint_id)
    return endpoint_shown(found[0], health=_health(found[0], gate, tally, policy=policy, now=clock.now()))


async def list_deliveries(database: Database, request: ListDeliveries) -> DeliveryPage:
    """What was sent to an endpoint, or to all, newest event first, with every attempt; deleted ones keep their history.

    Raises:
        EndpointNotFound: when the tenant never had it.
        InvalidCursor: when the cursor is not one of ours.
    """
    limit = max(1, min(request.limit, _LIMIT_MAX))
    window = _window(request)
    async with database.connection() as connection:
        of = await _endpoints(connection, request)
        rows = await history.page(
            connection, tenant_id=request.tenant_id, endpoint_ids=of, window=window, limit=limit + 1
        )
        shown = rows[:limit]
        made = await history.attempts_of(
            connection,
            tenant_id=request.tenant_id,
            deliveries=[(row["endpoint_id"], row["event_id"]) for row in shown],
        )
    attempts: dict[tuple[UUID, UUID], list[DeliveryAttempt]] = {}
    for row in made:
        attempts.setdefault((row["endpoint_id"], row["event_id"]), []).append(_attempt(row))
    return DeliveryPage(
        deliveries=[_delivery(row, attempts.get((row["endpoint_id"], row["event_id"]), [])) for row in shown],
        next_cursor=_write_cursor(shown[-1]) if len(rows) > limit else None,
    )


async def get_replay(database: Database, request: GetReplay) -> Replay:
    """How far a replay is.

    Raises:
        ReplayNotFound: when the tenant has no such replay.
    """
    async with database.connection() as connection:
        found = await replays.find(connection, tenant_id=request.tenant_id, replay_id=request.replay_id)
    if found is None:
        raise ReplayNotFound("webhook replay not found")
    return replay_shown(found)


async def _endpoints(connection: Connection, request: ListDeliveries) -> list[UUID]:
    if request.endpoint_id is None:
        return await endpoints.ids_of(connection, tenant_id=request.tenant_id)
    if await endpoints.find(connection, tenant_id=request.tenant_id, endpoint_id=request.endpoint_id) is None:
        raise EndpointNotFound("webhook endpoint not found")
    return [request.endpoint_id]


def _window(request: ListDeliveries) -> Window:
    before = (history.LAST, history.LAST)
    if request.until is not None:
        before = (replays.first_id(request.until), history.FIRST)
    if request.event_id is not None:
        before = min(before, (request.event_id, history.LAST))
    if request.cursor is not None:
        before = min(before, _read_cursor(request.cursor))
    since = history.FIRST if request.since is None else replays.first_id(request.since)
    return Window(
        before=before,
        since=since if request.event_id is None else max(since, request.event_id),
        status=None if request.status is None else DeliveryStatus(request.status),
        event_type=request.event_type,
    )


def _health(
    endpoint: Endpoint, gate: Gate, tally: tuple[int, int, int], *, policy: HealthPolicy, now: datetime
) -> EndpointHealth:
    waiting, delivered, failed = tally
    if not endpoint.is_active:
        status = "disabled"
    elif gate.paused_until is not None:
        status = "paused"
    else:
        status = "failing" if gate.failures else "healthy"
    since = gate.failing_since
    return EndpointHealth(
        status=status,
        consecutive_failures=gate.failures,
        failing_since=since,
        last_error=gate.last_error,
        paused_until=gate.paused_until if endpoint.is_active else None,
        disables_at=max(now, disables_at(policy, gate, now=now)) if since is not None and endpoint.is_active else None,
        waiting=waiting,
        delivered_recently=delivered,
        failed_recently=failed,
    )


def _delivery(row: asyncpg.Record, attempts: list[DeliveryAttempt]) -> Delivery:
    return Delivery(
        id=row["id"],
        endpoint_id=row["endpoint_id"],
        event_id=row["event_id"],
        event_type=row["event_type"],
        status=row["status"],
        created_at=row["created_at"],
        next_attempt_at=row["next_attempt_at"],
        ended_at=row["ended_at"],
        end_reason=row["end_reason"],
        replays=row["replays"],
        attempts=attempts,
    )


def _attempt(row: asyncpg.Record) -> DeliveryAttempt:
    return DeliveryAttempt(
        number=row["number"],
        attempted_at=row["attempted_at"],
        duration_ms=row["duration_ms"],
        status_code=row["status_code"],
        error=row["error"],
        response_excerpt=row["response_excerpt"],
    )


def _write_cursor(row: asyncpg.Record) -> str:
    raw = UUID(str(row["event_id"])).bytes + UUID(str(row["endpoint_id"])).bytes
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[UUID, UUID]:
    try:
        raw = base64.b64decode(cursor + "=", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as fault:
        raise InvalidCursor("the cursor does not come from an earlier page") from fault
    if len(raw) != _CURSOR_BYTES:
        raise InvalidCursor("the cursor does not come from an earlier page")
    return UUID(bytes=raw[:16]), UUID(bytes=raw[16:])
