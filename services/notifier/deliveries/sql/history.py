"""The history of deliveries, newest event first, page by page along the primary key.

A tenant's whole history is read endpoint by endpoint, a page of each, and merged: no index is written for it.
"""

from collections.abc import Sequence
from functools import cache
from uuid import UUID

import asyncpg
import msgspec

from libs.common.db import Connection
from libs.common.db.statements import Statement
from services.notifier.deliveries.domain import DeliveryKey, DeliveryStatus

LAST = UUID(int=(1 << 128) - 1)
"""No event has an id after this one."""
FIRST = UUID(int=0)
"""No event has an id before this one."""
_WAITING_MAX = 10_000
_RECENT = 100

# The status is written into the statement so that the planner may use the index of the failed ones.
_PAGE = """
SELECT page.* FROM unnest(:endpoint_ids::uuid[]) AS e(id) CROSS JOIN LATERAL (
       SELECT endpoint_id, id, event_id, event_type, status, created_at, next_attempt_at, ended_at, end_reason, replays
         FROM deliveries AS d
        WHERE d.tenant_id = :tenant_id AND d.endpoint_id = e.id {status}
          AND (d.event_id, d.endpoint_id) < (:before_event, :before_endpoint)
          AND d.event_id <= :before_event AND d.event_id >= :since
          AND (:event_type::text IS NULL OR d.event_type = :event_type)
        ORDER BY d.event_id DESC LIMIT {limit}) AS page
 ORDER BY page.event_id DESC, page.endpoint_id DESC LIMIT {limit}
"""

# The plain list of events, beside the join, lets the planner leave out partitions.
_ATTEMPTS = Statement("""
SELECT a.endpoint_id, a.event_id, a.number, a.attempted_at, a.duration_ms, a.status_code, a.error, a.response_excerpt
  FROM unnest(:endpoint_ids::uuid[], :event_ids::uuid[]) AS w(endpoint_id, event_id)
  JOIN attempts AS a ON a.tenant_id = :tenant_id AND a.endpoint_id = w.endpoint_id AND a.event_id = w.event_id
   AND a.event_id = ANY(:event_ids::uuid[])
 ORDER BY a.event_id, a.number
""")

# By the whole primary key: one partition is read.
_BODY = Statement("SELECT body FROM messages WHERE tenant_id = :tenant_id AND event_id = :event_id")

# Both counts stop early: an endpoint with a million deliveries is shown as quickly as any.
_TALLY = Statement(
    """
SELECT (SELECT count(*) FROM (SELECT FROM deliveries
                               WHERE tenant_id = :tenant_id AND endpoint_id = :endpoint_id AND status = 'PENDING'
                               LIMIT {waiting_max}) AS waiting) AS waiting,
       count(*) FILTER (WHERE status = 'DELIVERED') AS delivered, count(*) FILTER (WHERE status = 'FAILED') AS failed
  FROM (SELECT status FROM deliveries WHERE tenant_id = :tenant_id AND endpoint_id = :endpoint_id
         ORDER BY event_id DESC LIMIT {recent}) AS recent
""",
    waiting_max=_WAITING_MAX,
    recent=_RECENT,
)


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Which deliveries, and where the page begins."""

    before: tuple[UUID, UUID] = (LAST, LAST)
    """Event and endpoint after which the page begins."""
    since: UUID = FIRST
    """The first event."""
    status: DeliveryStatus | None = None
    """This status alone."""
    event_type: str | None = None
    """Events of this name alone."""


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """How an endpoint does of late."""

    waiting: int
    """Deliveries that wait for it, counted up to 10,000."""
    delivered: int
    """How many of its newest hundred arrived."""
    failed: int
    """How many of them failed."""


async def page(
    connection: Connection, *, tenant_id: str, endpoint_ids: Sequence[UUID], window: Window, limit: int
) -> list[asyncpg.Record]:
    """Read deliveries of some endpoints, newest event first."""
    return await _page_of(window.status, limit).fetch(
        connection,
        tenant_id=tenant_id,
        endpoint_ids=list(endpoint_ids),
        before_event=window.before[0],
        before_endpoint=window.before[1],
        since=window.since,
        event_type=window.event_type,
    )


@cache
def _page_of(status: DeliveryStatus | None, limit: int) -> Statement:
    return Statement(_PAGE, limit=limit, status="" if status is None else f"AND d.status = '{status.value}'")


async def attempts_of(
    connection: Connection, deliveries: Sequence[DeliveryKey], *, tenant_id: str
) -> list[asyncpg.Record]:
    """Read the attempts at some deliveries of a tenant, by event, oldest first within each."""
    return await _ATTEMPTS.fetch(
        connection,
        tenant_id=tenant_id,
        endpoint_ids=[endpoint_id for _, endpoint_id, _ in deliveries],
        event_ids=[event_id for _, _, event_id in deliveries],
    )


async def body(connection: Connection, *, tenant_id: str, event_id: UUID) -> str | None:
    """Read what is sent about an event of a tenant; None where no endpoint was to receive it."""
    row = await _BODY.fetchrow(connection, tenant_id=tenant_id, event_id=event_id)
    return None if row is None else str(row["body"])


async def tally(connection: Connection, *, tenant_id: str, endpoint_id: UUID) -> Tally:
    """Count what waits for an endpoint, and how its newest deliveries ended."""
    row = await _TALLY.fetchrow(connection, tenant_id=tenant_id, endpoint_id=endpoint_id)
    assert row is not None
    return Tally(waiting=row["waiting"], delivered=row["delivered"], failed=row["failed"])
