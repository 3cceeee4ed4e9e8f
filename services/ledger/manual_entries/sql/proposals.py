# ruff: noqa: S608 - statements are put together from our own words; every value is a parameter
"""Remembering proposals: what one person wants posted, and what another one decided."""

from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from libs.common.contracts.ledger_journal import ManualEntry, Proposal, ProposalStatus
from libs.common.db import Connection

_COLUMNS = "id, status, reason, entries, made_by, made_at, expires_at, decided_by, decided_at, decision_reason"

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
        made_at=row["made_at"],
        expires_at=row["expires_at"],
        decided_by=row["decided_by"],
        decided_at=row["decided_at"],
        decision_reason=row["decision_reason"],
        entries=_entries.decode(row["entries"]),
    )


async def write_proposal(tx: Connection, tenant_id: str, proposal: Proposal, *, fingerprint: bytes) -> bool:
    """Keep an open proposal; False when there is one of this id."""
    row = await tx.fetchrow(
        "INSERT INTO proposals (tenant_id, id, status, reason, entries, fingerprint, made_by, made_at, expires_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING RETURNING true",
        tenant_id,
        proposal.id,
        proposal.status.value,
        proposal.reason,
        msgspec.json.encode(proposal.entries).decode(),
        fingerprint,
        proposal.made_by,
        proposal.made_at,
        proposal.expires_at,
    )
    return row is not None


async def proposal(connection: Connection, tenant_id: str, proposal_id: UUID, *, now: datetime) -> Proposal | None:
    """Read a proposal as it stands at `now`."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM proposals WHERE tenant_id = $1 AND id = $2", tenant_id, proposal_id
    )
    return None if row is None else _proposal(row, now)


async def fingerprint_of(connection: Connection, tenant_id: str, proposal_id: UUID) -> bytes | None:
    """Read what was asked when a proposal was made, as its fingerprint."""
    found: bytes | None = await connection.fetchval(
        "SELECT fingerprint FROM proposals WHERE tenant_id = $1 AND id = $2", tenant_id, proposal_id
    )
    return found


async def lock_proposal(tx: Connection, tenant_id: str, proposal_id: UUID, *, now: datetime) -> Proposal | None:
    """Read a proposal as it stands at `now`, and let nobody else decide until the transaction ends."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM proposals WHERE tenant_id = $1 AND id = $2 FOR UPDATE", tenant_id, proposal_id
    )
    return None if row is None else _proposal(row, now)


async def decide_proposal(tx: Connection, tenant_id: str, proposal: Proposal) -> None:
    """Write down a decision about a proposal that is locked."""
    await tx.execute(
        "UPDATE proposals SET status = $3, decided_by = $4, decided_at = $5, decision_reason = $6 "
        "WHERE tenant_id = $1 AND id = $2",
        tenant_id,
        proposal.id,
        proposal.status.value,
        proposal.decided_by,
        proposal.decided_at,
        proposal.decision_reason,
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
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM proposals WHERE tenant_id = $1 "
        "AND ($2::text IS NULL OR $2 = CASE WHEN status = 'open' AND expires_at <= $3 THEN 'expired' ELSE status END) "
        "AND ($4::timestamptz IS NULL OR (made_at, id) < ($4, $5::uuid)) ORDER BY made_at DESC, id DESC LIMIT $6",
        tenant_id,
        None if status is None else status.value,
        now,
        None if before is None else before[0],
        None if before is None else before[1],
        limit,
    )
    return [_proposal(row, now) for row in rows]
