"""Remembering proposals: what one person proposes, and what another one decided."""

from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from libs.common.contracts.ledger_journal import ManualEntry, Proposal, ProposalStatus
from libs.common.db import Connection
from libs.common.db.statements import Statement

_COLUMNS = (
    "id, status, reason, entries, made_by, responsible, made_at, expires_at, decided_by, decided_at, decision_reason"
)

_entries = msgspec.json.Decoder(list[ManualEntry])


def _proposal(row: asyncpg.Record, now: datetime) -> Proposal:
    status = ProposalStatus(row["status"])
    if status is ProposalStatus.OPEN and row["expires_at"] <= now:
        status = ProposalStatus.EXPIRED
    return Proposal(
        id=row["id"],
        status=status,
        reason=row["reason"],
        made_by=row["made_by"],
        responsible=row["responsible"],
        made_at=row["made_at"],
        expires_at=row["expires_at"],
        decided_by=row["decided_by"],
        decided_at=row["decided_at"],
        decision_reason=row["decision_reason"],
        entries=_entries.decode(row["entries"]),
    )


# The id is derived from the tenant and the key, so a repetition gets no row, and the caller compares the fingerprint.
_WRITE_PROPOSAL = Statement("""
INSERT INTO proposals (tenant_id, id, status, reason, entries, fingerprint, made_by, responsible, made_at, expires_at)
VALUES (:tenant_id, :proposal.id, :proposal.status, :proposal.reason, :entries, :fingerprint, :proposal.made_by,
       :proposal.responsible, :proposal.made_at, :proposal.expires_at) ON CONFLICT DO NOTHING RETURNING true
""")


async def write_proposal(tx: Connection, tenant_id: str, proposal: Proposal, *, fingerprint: bytes) -> bool:
    """Keep an open proposal; False when there is one of this id."""
    row = await _WRITE_PROPOSAL.fetchrow(
        tx,
        tenant_id=tenant_id,
        proposal=proposal,
        entries=msgspec.json.encode(proposal.entries).decode(),
        fingerprint=fingerprint,
    )
    return row is not None


# Without a lock: that its time is over is found by whoever reads it, and is never written.
_PROPOSAL = Statement(
    "SELECT {columns} FROM proposals WHERE tenant_id = :tenant_id AND id = :proposal_id", columns=_COLUMNS
)


async def proposal(connection: Connection, tenant_id: str, proposal_id: UUID, *, now: datetime) -> Proposal | None:
    """Read a proposal as it stands at `now`."""
    row = await _PROPOSAL.fetchrow(connection, tenant_id=tenant_id, proposal_id=proposal_id)
    return None if row is None else _proposal(row, now)


# Before the entries are tried out, which a repetition saves, and again after a conflict, whose row is in the later
# snapshot.
_FINGERPRINT_OF = Statement("SELECT fingerprint FROM proposals WHERE tenant_id = :tenant_id AND id = :proposal_id")


async def fingerprint_of(connection: Connection, tenant_id: str, proposal_id: UUID) -> bytes | None:
    """Read what was requested when a proposal was made, as its fingerprint."""
    found: bytes | None = await _FINGERPRINT_OF.fetchval(connection, tenant_id=tenant_id, proposal_id=proposal_id)
    return found


# Before anything is posted for it: of two who decide, the second one waits and finds the decision, so it is posted
# once.
_LOCK_PROPOSAL = Statement(
    "SELECT {columns} FROM proposals WHERE tenant_id = :tenant_id AND id = :proposal_id FOR UPDATE", columns=_COLUMNS
)


async def lock_proposal(tx: Connection, tenant_id: str, proposal_id: UUID, *, now: datetime) -> Proposal | None:
    """Read a proposal as it stands at `now`, and let nobody else decide until the transaction ends."""
    row = await _LOCK_PROPOSAL.fetchrow(tx, tenant_id=tenant_id, proposal_id=proposal_id)
    return None if row is None else _proposal(row, now)


# Without a comparison: `_LOCK_PROPOSAL` holds the row. Our role may update these columns of it alone.
_DECIDE_PROPOSAL = Statement("""
UPDATE proposals SET status = :proposal.status, decided_by = :proposal.decided_by, decided_at = :proposal.decided_at,
       decision_reason = :proposal.decision_reason
WHERE tenant_id = :tenant_id AND id = :proposal.id
""")


async def decide_proposal(tx: Connection, tenant_id: str, proposal: Proposal) -> None:
    """Write down a decision about a proposal that is locked."""
    await _DECIDE_PROPOSAL.execute(tx, tenant_id=tenant_id, proposal=proposal)


# In the order of `ix_proposals_made_at`. No row is stored as expired, so the filter has to find it by `now`, as the
# reader does.
_PROPOSALS = Statement(
    """
SELECT {columns} FROM proposals WHERE tenant_id = :tenant_id
AND (:status::text IS NULL OR :status = CASE WHEN status = 'open'
  AND expires_at <= :now THEN 'expired' ELSE status END)
AND (:before_at::timestamptz IS NULL OR (made_at, id) < (:before_at, :before_id::uuid)) ORDER BY made_at DESC,
       id DESC LIMIT :limit
""",
    columns=_COLUMNS,
)


async def proposals(
    connection: Connection,
    tenant_id: str,
    *,
    status: ProposalStatus | None,
    before: tuple[datetime, UUID] | None,
    now: datetime,
    limit: int,
) -> list[Proposal]:
    """Read proposals, newest first; an open one whose time is over counts as expired."""
    rows = await _PROPOSALS.fetch(
        connection,
        tenant_id=tenant_id,
        status=status,
        now=now,
        before_at=None if before is None else before[0],
        before_id=None if before is None else before[1],
        limit=limit,
    )
    return [_proposal(row, now) for row in rows]
