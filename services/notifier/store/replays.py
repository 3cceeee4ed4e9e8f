"""How we remember replays, and how their deliveries are chosen.

A range of time is a range of event ids (UUIDv7), so choosing walks the messages of a tenant along their primary key, a
bounded number at a time, and a replay that is interrupted goes on where its last transaction ended.
"""

from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from libs.common.db import Connection
from libs.common.ids import derived_id
from services.notifier.domain import Asked, ReplayStatus, Selection

_STEP = 500
"""Messages looked at in one transaction, at most."""
_DUE_MAX = 1_000
"""Deliveries due at an endpoint from which on its replays wait; a step adds no more than there is room for."""

# What is delivered again keeps its id and its body; its attempts go on being counted, and the retry schedule begins anew.
#
# Attempts and replays are counted in two bytes. What was tried ten thousand times is not replayed any more.
#
# The delivery of each message is looked up by its whole key. OFFSET keeps the planner from joining in another way, which
# it would choose badly for tables of which it has no statistics yet.
_JOINED = """
    walked AS m
      LEFT JOIN LATERAL (
        SELECT status, attempts, replays FROM deliveries
         WHERE tenant_id = $1 AND endpoint_id = $2 AND event_id = m.event_id OFFSET 0) AS d ON true
"""
_IS_CHOSEN = """
    coalesce(((d.status = 'FAILED' AND 'failed' = ANY($5::text[]) AND greatest(d.attempts, d.replays) < 10000)
              OR (d.status = 'DELIVERED' AND 'delivered' = ANY($5::text[]) AND greatest(d.attempts, d.replays) < 10000)
              OR (d.status IS NULL AND 'missing' = ANY($5::text[]) AND m.type = ANY($6::text[])))
             AND (cardinality($7::text[]) = 0 OR m.type = ANY($7::text[])), false)
"""
_RANGE = """
    SELECT * FROM messages
     WHERE tenant_id = $1 AND event_id > $3 AND event_id <= $4
       AND (cardinality($8::uuid[]) = 0 OR event_id = ANY($8::uuid[]))
"""
_COUNTED_MAX = 100_000
"""Messages among which a selection is counted at most: a tenant may have millions, and the caller waits."""
_COUNT = f"""
WITH walked AS ({_RANGE} ORDER BY event_id LIMIT {_COUNTED_MAX}) SELECT count(*) FROM {_JOINED} WHERE {_IS_CHOSEN}
"""  # noqa: S608 - no input
CHOOSE = f"""
WITH walked AS MATERIALIZED ({_RANGE} ORDER BY event_id LIMIT $9)
SELECT event_id, type, is_chosen, status, payment_intent_id,
       CASE WHEN is_chosen THEN coalesce((body::json #>> '{{data,sequence}}')::int, 0) END AS sequence
  FROM (SELECT m.*, d.status, {_IS_CHOSEN} AS is_chosen FROM {_JOINED}) AS c
 ORDER BY event_id
"""  # noqa: S608 - no input
"""The messages of a step beside what is delivered of them; read by its plan in tests."""
# Only what is over; a delivery that somebody took up again meanwhile is left alone.
_AGAIN = """
UPDATE deliveries AS d
   SET status = 'PENDING', next_attempt_at = $4, ended_at = NULL, end_reason = NULL, fence = d.fence + 1,
       attempts_before = d.attempts, replays = d.replays + 1
 WHERE d.tenant_id = $1 AND d.endpoint_id = $2 AND d.event_id = ANY($3::uuid[]) AND d.status <> 'PENDING'
   AND greatest(d.attempts, d.replays) < 10000
RETURNING event_id
"""
_ADD = """
INSERT INTO deliveries (tenant_id, endpoint_id, event_id, id, event_type, status, attempts, next_attempt_at, fence,
                        created_at, ordering_key, sequence, replays)
SELECT $1, $2, event_id, id, type, 'PENDING', 0, $3, 0, $3, ordering_key, sequence, 1
  FROM unnest($4::uuid[], $5::uuid[], $6::text[], $7::uuid[], $8::int[])
       AS n(event_id, id, type, ordering_key, sequence)
ON CONFLICT DO NOTHING
RETURNING event_id
"""

_COLUMNS = "tenant_id, id, endpoint_id, selection, status, total, scheduled, position, until, created_at, ended_at"
_INSERT = f"""
INSERT INTO replays ({_COLUMNS}) VALUES ($1, $2, $3, $4, 'RUNNING', $5, 0, $6, $7, $8, NULL)
ON CONFLICT DO NOTHING RETURNING {_COLUMNS}
"""  # noqa: S608 - no input
_FIND = f"SELECT {_COLUMNS} FROM replays WHERE tenant_id = $1 AND id = $2"  # noqa: S608 - no input
# A replay yields to what is due: it goes on once its endpoint has worked off most of it, and meanwhile others go on.
_DUE = f"""
SELECT count(*) FROM (
    SELECT FROM deliveries AS d
     WHERE d.tenant_id = r.tenant_id AND d.endpoint_id = r.endpoint_id AND d.status = 'PENDING'
       AND d.next_attempt_at <= $1 LIMIT {_DUE_MAX}) AS due
"""  # noqa: S608 - no input
_ROOM = f"SELECT {_DUE_MAX} - ({_DUE}) FROM replays AS r WHERE tenant_id = $2 AND id = $3"  # noqa: S608 - no input
_NEXT = f"""
SELECT {_COLUMNS} FROM replays AS r
 WHERE status = 'RUNNING' AND tenant_id = $2 AND ({_DUE}) < {_DUE_MAX}
 ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""  # noqa: S608 - no input
_TENANTS = "SELECT DISTINCT tenant_id FROM replays WHERE status = 'RUNNING'"
_MOVE = """
UPDATE replays SET scheduled = scheduled + $3, position = coalesce($4, position),
       status = CASE WHEN $5::timestamptz IS NULL THEN 'RUNNING' ELSE 'DONE' END, ended_at = $5
 WHERE tenant_id = $1 AND id = $2
"""
_FORGET = """
DELETE FROM replays WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM replays WHERE status <> 'RUNNING' AND ended_at < $1 ORDER BY ended_at LIMIT $2))
"""
# Waits for the step that is under way, so that the progress in the answer is the last one.
_CANCEL = f"""
UPDATE replays SET status = 'CANCELLED', ended_at = $3
 WHERE tenant_id = $1 AND id = $2 AND status = 'RUNNING' RETURNING {_COLUMNS}
"""  # noqa: S608 - no input


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    selection: Selection
    fingerprint: str


def first_id(instant: datetime) -> UUID:
    """The least UUIDv7 that can be minted at an instant: where a range of event ids begins or ends."""
    return UUID(int=max(0, int(instant.timestamp() * 1000)) << 80)


async def count(
    connection: Connection, *, tenant_id: str, endpoint_id: UUID, selection: Selection, after: UUID, until: UUID
) -> int:
    """Count what a selection has now, between two events, among the first 100,000 messages of that time."""
    return int(await connection.fetchval(_COUNT, tenant_id, endpoint_id, after, until, *_arguments(selection)) or 0)


async def advance(connection: Connection, replay: Asked, *, is_ordered: bool, now: datetime) -> int:
    """Schedule the next step of a replay and remember how far it is; returns how many deliveries it scheduled."""
    room = await connection.fetchval(_ROOM, now, replay.tenant_id, replay.id)
    # One at least, so that it goes on where the room was taken since it was looked for.
    limit = min(_STEP, max(1, room))
    walked = await connection.fetch(
        CHOOSE,
        replay.tenant_id,
        replay.endpoint_id,
        replay.position,
        replay.until,
        *_arguments(replay.selection),
        limit,
    )
    chosen = [row for row in walked if row["is_chosen"]]
    over = [row["event_id"] for row in chosen if row["status"] is not None]
    missing = [row for row in chosen if row["status"] is None]
    again = await connection.fetch(_AGAIN, replay.tenant_id, replay.endpoint_id, over, now)
    added = await connection.fetch(
        _ADD,
        replay.tenant_id,
        replay.endpoint_id,
        now,
        [row["event_id"] for row in missing],
        [derived_id(row["event_id"], f"delivery to {replay.endpoint_id}") for row in missing],
        [row["type"] for row in missing],
        [row["payment_intent_id"] if is_ordered else None for row in missing],
        [row["sequence"] for row in missing],
    )
    await connection.execute(
        _MOVE,
        replay.tenant_id,
        replay.id,
        len(again) + len(added),
        walked[-1]["event_id"] if walked else None,
        now if len(walked) < limit else None,
    )
    return len(again) + len(added)


async def cancel(connection: Connection, *, tenant_id: str, replay_id: UUID, now: datetime) -> Asked | None:
    """End a replay as it is; None when there is none such that runs."""
    row = await connection.fetchrow(_CANCEL, tenant_id, replay_id, now)
    return None if row is None else _asked(row)


async def forget(connection: Connection, *, before: datetime, limit: int) -> int:
    """Delete replays that ended before an instant; returns how many."""
    return int((await connection.execute(_FORGET, before, limit)).rpartition(" ")[2])


async def insert(connection: Connection, replay: Asked) -> Asked | None:
    """Add a replay; None when there is one with its id."""
    kept = msgspec.json.encode(_Kept(selection=replay.selection, fingerprint=replay.fingerprint)).decode()
    row = await connection.fetchrow(
        _INSERT,
        replay.tenant_id,
        replay.id,
        replay.endpoint_id,
        kept,
        replay.total,
        replay.position,
        replay.until,
        replay.created_at,
    )
    return None if row is None else _asked(row)


async def find(connection: Connection, *, tenant_id: str, replay_id: UUID) -> Asked | None:
    """Return a replay; None when the tenant has none such."""
    row = await connection.fetchrow(_FIND, tenant_id, replay_id)
    return None if row is None else _asked(row)


async def running_tenants(connection: Connection) -> list[str]:
    """List the tenants that have replays which are not done."""
    return [row["tenant_id"] for row in await connection.fetch(_TENANTS)]


async def next_running(tx: Connection, *, tenant_id: str, now: datetime) -> Asked | None:
    """Lock and return a tenant's oldest replay that nobody works on and that need not wait; None when there is none."""
    row = await tx.fetchrow(_NEXT, now, tenant_id)
    return None if row is None else _asked(row)


def _arguments(selection: Selection) -> tuple[list[str], list[str], list[str], list[UUID]]:
    return (
        list(selection.outcomes),
        list(selection.wanted_types),
        list(selection.event_types),
        list(selection.event_ids),
    )


def _asked(row: asyncpg.Record) -> Asked:
    kept = msgspec.json.decode(row["selection"], type=_Kept)
    return Asked(
        tenant_id=row["tenant_id"],
        id=row["id"],
        endpoint_id=row["endpoint_id"],
        selection=kept.selection,
        fingerprint=kept.fingerprint,
        status=ReplayStatus(row["status"]),
        total=row["total"],
        scheduled=row["scheduled"],
        position=row["position"],
        until=row["until"],
        created_at=row["created_at"],
        ended_at=row["ended_at"],
    )
