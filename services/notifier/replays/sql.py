"""The SQL of replays. One that is interrupted goes on where its last transaction ended."""

from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from libs.common.db import Connection
from libs.common.db.statements import Statement
from services.notifier.deliveries import Selection
from services.notifier.replays.domain import ReplayState, ReplayStatus

_DUE_MAX = 1_000
"""Deliveries due at an endpoint from which on its replays wait; a step adds no more than there is room for."""

_COLUMNS = "tenant_id, id, endpoint_id, selection, status, total, scheduled, position, until, created_at, ended_at"
_KEY = "tenant_id = :tenant_id AND id = :replay_id"

# Two requests with one key at once: the second one finds the first.
_INSERT = Statement(
    """
INSERT INTO replays ({columns})
VALUES (:replay.tenant_id, :replay.id, :replay.endpoint_id, :selection, 'RUNNING', :replay.total, 0, :replay.position,
        :replay.until, :replay.created_at, NULL)
ON CONFLICT DO NOTHING RETURNING {columns}
""",
    columns=_COLUMNS,
)

# By tenant too: the id alone does not prove whose it is.
_FIND = Statement("SELECT {columns} FROM replays WHERE {key}", columns=_COLUMNS, key=_KEY)
# A replay yields to what is due: it goes on once its endpoint has worked off most of it, and meanwhile others go on.
_DUE = f"""
SELECT count(*) FROM (
    SELECT FROM deliveries AS d
     WHERE d.tenant_id = r.tenant_id AND d.endpoint_id = r.endpoint_id AND d.status = 'PENDING'
       AND d.next_attempt_at <= :now LIMIT {_DUE_MAX}) AS due
"""  # noqa: S608 - no input

# So that a replay never fills the queue of an endpoint beyond the bound, and new events need not wait long.
_ROOM = Statement(
    "SELECT {due_max} - ({due}) FROM replays AS r WHERE tenant_id = :replay.tenant_id AND id = :replay.id",
    due=_DUE,
    due_max=_DUE_MAX,
)

# The oldest that has room; one that another process steps through is skipped, not waited for.
_NEXT = Statement(
    """
SELECT {columns} FROM replays AS r
 WHERE status = 'RUNNING' AND tenant_id = :tenant_id AND ({due}) < {due_max}
 ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED
""",
    columns=_COLUMNS,
    due=_DUE,
    due_max=_DUE_MAX,
)

# Tenants take turns, whatever number of replays each has.
_TENANTS = Statement("SELECT DISTINCT tenant_id FROM replays WHERE status = 'RUNNING'")

# Progress and end in one write, in the transaction that schedules.
_MOVE = Statement("""
UPDATE replays SET scheduled = scheduled + :scheduled, position = coalesce(:position, position),
       status = CASE WHEN :ended_at::timestamptz IS NULL THEN 'RUNNING' ELSE 'DONE' END, ended_at = :ended_at
 WHERE tenant_id = :replay.tenant_id AND id = :replay.id
""")

# By place in the table: a DELETE has no LIMIT of its own.
_FORGET = Statement("""
DELETE FROM replays WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM replays WHERE status <> 'RUNNING' AND ended_at < :before ORDER BY ended_at LIMIT :limit))
""")
# Waits for the step in progress, so that the progress in the reply is the last one.
_CANCEL = Statement(
    """
UPDATE replays SET status = 'CANCELLED', ended_at = :now
 WHERE {key} AND status = 'RUNNING' RETURNING {columns}
""",
    columns=_COLUMNS,
    key=_KEY,
)


class _Content(msgspec.Struct, frozen=True, kw_only=True):
    """What the column `selection` holds, as JSON."""

    selection: Selection
    fingerprint: str


async def insert(tx: Connection, replay: ReplayState) -> ReplayState | None:
    """Add a replay; None when there is one with its id."""
    content = msgspec.json.encode(_Content(selection=replay.selection, fingerprint=replay.fingerprint)).decode()
    row = await _INSERT.fetchrow(tx, replay=replay, selection=content)
    return None if row is None else _state(row)


async def find(connection: Connection, *, tenant_id: str, replay_id: UUID) -> ReplayState | None:
    """Return a replay; None when the tenant has none such."""
    row = await _FIND.fetchrow(connection, tenant_id=tenant_id, replay_id=replay_id)
    return None if row is None else _state(row)


async def running_tenants(connection: Connection) -> list[str]:
    """List the tenants that have replays which are not done."""
    return [row["tenant_id"] for row in await _TENANTS.fetch(connection)]


async def next_running(tx: Connection, *, tenant_id: str, now: datetime) -> ReplayState | None:
    """Lock and return a tenant's oldest replay that nobody works on and that need not wait; None when there is none."""
    row = await _NEXT.fetchrow(tx, tenant_id=tenant_id, now=now)
    return None if row is None else _state(row)


async def room(tx: Connection, replay: ReplayState, *, now: datetime) -> int:
    """Return how many more deliveries may be due at a replay's endpoint before it waits; 0 or less: none."""
    return int(await _ROOM.fetchval(tx, replay=replay, now=now))


async def move(
    tx: Connection, replay: ReplayState, *, scheduled: int, position: UUID | None, ended_at: datetime | None
) -> None:
    """Remember how far a replay is: what a step scheduled, the last event looked at, and its end where it was the last."""
    await _MOVE.execute(tx, replay=replay, scheduled=scheduled, position=position, ended_at=ended_at)


async def cancel(tx: Connection, *, tenant_id: str, replay_id: UUID, now: datetime) -> ReplayState | None:
    """End a replay as it is; None when there is none such that runs."""
    row = await _CANCEL.fetchrow(tx, tenant_id=tenant_id, replay_id=replay_id, now=now)
    return None if row is None else _state(row)


async def forget(connection: Connection, *, before: datetime, limit: int) -> int:
    """Delete replays that ended before an instant; returns how many."""
    return await _FORGET.execute(connection, before=before, limit=limit)


def _state(row: asyncpg.Record) -> ReplayState:
    content = msgspec.json.decode(row["selection"], type=_Content)
    return ReplayState(
        tenant_id=row["tenant_id"],
        id=row["id"],
        endpoint_id=row["endpoint_id"],
        selection=content.selection,
        fingerprint=content.fingerprint,
        status=ReplayStatus(row["status"]),
        total=row["total"],
        scheduled=row["scheduled"],
        position=row["position"],
        until=row["until"],
        created_at=row["created_at"],
        ended_at=row["ended_at"],
    )
