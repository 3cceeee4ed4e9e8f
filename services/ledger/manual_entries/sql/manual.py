"""Remembering who entered what by hand, and under which key it was requested."""

from collections.abc import Sequence
from datetime import datetime
from itertools import batched
from uuid import UUID

import msgspec

from libs.common.db import Connection
from libs.common.db.statements import Statement

_NOTES_MAX = 500
"""Notes that one statement writes: arguments are encoded without a pause."""


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """Who made an entry, and why."""

    entry_id: UUID
    description: str
    made_by: str
    approved_by: str | None = None
    proposal_id: UUID | None = None


# Without ON CONFLICT: only entries that this transaction posts get a note, so one that has a note already must fail.
_WRITE_NOTES = Statement("""
INSERT INTO manual_entries (tenant_id, entry_id, description, made_by, approved_by, proposal_id)
SELECT :tenant_id, * FROM unnest(:notes[].entry_id::uuid[], :notes[].description::text[], :notes[].made_by::text[],
       :notes[].approved_by::text[], :notes[].proposal_id::uuid[])
""")


async def write_notes(tx: Connection, tenant_id: str, notes: Sequence[Note]) -> None:
    """Write who made entries, in the transaction that posts them."""
    for some in batched(notes, _NOTES_MAX):
        await _WRITE_NOTES.execute(tx, tenant_id=tenant_id, notes=some)


# Without a lock, before anything is posted: a repetition costs one read, and `_WRITE_ANSWER` finds what came in
# between.
_ANSWERED = Statement("SELECT fingerprint, answer FROM journal_requests WHERE tenant_id = :tenant_id AND key = :key")


async def answered(connection: Connection, tenant_id: str, key: str) -> tuple[bytes, str] | None:
    """Find what was answered under a key: the fingerprint of what was requested, and the answer."""
    row = await _ANSWERED.fetchrow(connection, tenant_id=tenant_id, key=key)
    return None if row is None else (row["fingerprint"], row["answer"])


# In the commit of the last entries. Waits for a concurrent call under the key, and gets no row where that one has
# committed: then the caller undoes its own.
_WRITE_ANSWER = Statement("""
INSERT INTO journal_requests (tenant_id, key, fingerprint, answer, answered_at) VALUES (:tenant_id, :key,
       :fingerprint, :answer, :answered_at)
ON CONFLICT DO NOTHING RETURNING true
""")


async def write_answer(
    tx: Connection, tenant_id: str, *, key: str, fingerprint: bytes, answer: str, answered_at: datetime
) -> bool:
    """Keep an answer under its key; False when the key has one, for which a concurrent call is waited for."""
    row = await _WRITE_ANSWER.fetchrow(
        tx, tenant_id=tenant_id, key=key, fingerprint=fingerprint, answer=answer, answered_at=answered_at
    )
    return row is not None


# Through a function: our role may not delete replies, and it keeps 90 days, whatever it is given.
_FORGET_REQUESTS = Statement("SELECT forget_journal_requests(:before, :limit)")


async def forget_requests(connection: Connection, before: datetime, limit: int) -> int:
    """Delete the oldest replies from before an instant, none younger than 90 days; returns how many."""
    return int(await _FORGET_REQUESTS.fetchval(connection, before=before, limit=limit))
