"""How the history of deliveries is read: newest event first, page by page along the primary key.

A tenant's whole history is read endpoint by endpoint, a page of each, and merged: no index is written for it.
"""

from collections.abc import Sequence
from uuid import UUID

import asyncpg
import msgspec

from libs.common.db import Connection
from services.notifier.domain import DeliveryStatus

_COLUMNS = "endpoint_id, id, event_id, event_type, status, created_at, next_attempt_at, ended_at, end_reason, replays"

# The status is written into the statement so that the planner may use the index of the failed ones.
_PAGE = """
SELECT page.* FROM unnest($2::uuid[]) AS e(id) CROSS JOIN LATERAL (
       SELECT {columns} FROM deliveries AS d
        WHERE d.tenant_id = $1 AND d.endpoint_id = e.id {status}
          AND (d.event_id, d.endpoint_id) < ($3, $4) AND d.event_id <= $3 AND d.event_id >= $5
          AND ($6::text IS NULL OR d.event_type = $6)
        ORDER BY d.event_id DESC LIMIT {limit}) AS page
 ORDER BY page.event_id DESC, page.endpoint_id DESC LIMIT {limit}
"""
_ATTEMPTS = """
SELECT a.endpoint_id, a.event_id, a.number, a.attempted_at, a.duration_ms, a.status_code, a.error, a.response_excerpt
  FROM unnest($2::uuid[], $3::uuid[]) AS w(endpoint_id, event_id)
  JOIN attempts AS a ON a.tenant_id = $1 AND a.endpoint_id = w.endpoint_id AND a.event_id = w.event_id
   AND a.event_id = ANY($3::uuid[])
 ORDER BY a.event_id, a.number
"""
_WAITING_MAX = 10_000
_RECENT = 100
_TALLY = f"""
SELECT (SELECT count(*) FROM (SELECT FROM deliveries WHERE tenant_id = $1 AND endpoint_id = $2 AND status = 'PENDING'
                               LIMIT {_WAITING_MAX}) AS waiting) AS waiting,
       count(*) FILTER (WHERE status = 'DELIVERED') AS delivered, count(*) FILTER (WHERE status = 'FAILED') AS failed
  FROM (SELECT status FROM deliveries WHERE tenant_id = $1 AND endpoint_id = $2
         ORDER BY event_id DESC LIMIT {_RECENT}) AS recent
"""  # noqa: S608 - no input

LAST = UUID(int=(1 << 128) - 1)
"""No event has an id after this one."""
FIRST = UUID(int=0)
"""No event has an id before this one."""


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


async def page(
    connection: Connection, *, tenant_id: str, endpoint_ids: Sequence[UUID], window: Window, limit: int
) -> list[asyncpg.Record]:
    """Read deliveries of some endpoints, newest event first."""
    status = "" if window.status is None else f"AND d.status = '{window.status.value}'"
    return await connection.fetch(
        _PAGE.format(columns=_COLUMNS, status=status, limit=int(limit)),
        tenant_id,
        list(endpoint_ids),
        *window.before,
        window.since,
        window.event_type,
    )


async def attempts_of(
    connection: Connection, *, tenant_id: str, deliveries: Sequence[tuple[UUID, UUID]]
) -> list[asyncpg.Record]:
    """Read the attempts at some deliveries, by endpoint and event, oldest first within each."""
    return await connection.fetch(
        _ATTEMPTS, tenant_id, [endpoint_id for endpoint_id, _ in deliveries], [event_id for _, event_id in deliveries]
    )


async def tally(connection: Connection, *, tenant_id: str, endpoint_id: UUID) -> tuple[int, int, int]:
    """Count what waits for an endpoint, up to 10,000, and how many of its newest hundred arrived and failed."""
    row = await connection.fetchrow(_TALLY, tenant_id, endpoint_id)
    assert row is not None
    return row["waiting"], row["delivered"], row["failed"]
