"""Remembering who entered what by hand, under which key it was asked, and what a tenant demands."""

from collections.abc import Sequence
from datetime import datetime
from itertools import batched
from uuid import UUID

import msgspec

from libs.common.db import Connection

_NOTES_MAX = 500
"""Notes that one statement writes: arguments are encoded without a pause."""


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """Who made an entry, and why."""

    entry_id: UUID
    description: str
    made_by: str
    approved_by: str | None = None
    proposal_id: UUID | None = None


async def write_notes(tx: Connection, tenant_id: str, notes: Sequence[Note]) -> None:
    """Write who made entries, in the transaction that posts them."""
    for some in batched(notes, _NOTES_MAX):
        await tx.execute(
            "INSERT INTO manual_entries (tenant_id, entry_id, description, made_by, approved_by, proposal_id) "
            "SELECT $1, * FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::uuid[])",
            tenant_id,
            [note.entry_id for note in some],
            [note.description for note in some],
            [note.made_by for note in some],
            [note.approved_by for note in some],
            [note.proposal_id for note in some],
        )


async def answered(connection: Connection, tenant_id: str, key: str) -> tuple[bytes, str] | None:
    """Find what was answered under a key: the fingerprint of what was asked, and the answer."""
    row = await connection.fetchrow(
        "SELECT fingerprint, answer FROM journal_requests WHERE tenant_id = $1 AND key = $2", tenant_id, key
    )
    return None if row is None else (row["fingerprint"], row["answer"])


async def write_answer(
    tx: Connection, tenant_id: str, *, key: str, fingerprint: bytes, answer: str, answered_at: datetime
) -> bool:
    """Keep an answer under its key; False when the key has one, for which a concurrent call is waited for."""
    row = await tx.fetchrow(
        "INSERT INTO journal_requests (tenant_id, key, fingerprint, answer, answered_at) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT DO NOTHING RETURNING true",
        tenant_id,
        key,
        fingerprint,
        answer,
        answered_at,
    )
    return row is not None


async def needs_approval(connection: Connection, tenant_id: str) -> bool:
    """Tell whether a tenant demands that somebody else approves what people enter."""
    found: bool | None = await connection.fetchval(
        "SELECT manual_entries_need_approval FROM journal_policies WHERE tenant_id = $1", tenant_id
    )
    return bool(found)


async def set_policy(
    tx: Connection, tenant_id: str, *, needs_approval: bool, changed_by: str, changed_at: datetime
) -> None:
    """Change what a tenant demands."""
    await tx.execute(
        "INSERT INTO journal_policies (tenant_id, manual_entries_need_approval, changed_by, changed_at) "
        "VALUES ($1, $2, $3, $4) ON CONFLICT (tenant_id) DO UPDATE SET manual_entries_need_approval = $2, "
        "changed_by = $3, changed_at = $4",
        tenant_id,
        needs_approval,
        changed_by,
        changed_at,
    )


async def forget_requests(connection: Connection, before: datetime, limit: int) -> int:
    """Delete the oldest replies from before an instant, none younger than 90 days; returns how many."""
    return int(await connection.fetchval("SELECT forget_journal_requests($1, $2)", before, limit))
