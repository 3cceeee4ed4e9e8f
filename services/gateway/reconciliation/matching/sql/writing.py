"""The SQL of matches: what belongs together is added, and taken apart; nothing is removed."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.db import Connection
from libs.common.db.statements import Statement, arrays_of
from services.gateway.reconciliation.matching.domain import (
    Match,
)

# What is in a match already, under the lock of the tenant: nothing else puts anything together meanwhile.
_TAKEN = Statement("""
SELECT part_id, scope FROM line_match_parts WHERE part_id = ANY (:ids::uuid[]) AND tenant_id = :tenant_id AND is_active
""")


_TYPES = {
    "id": "uuid",
    "rule": "text",
    "rule_version": "int",
    "confidence": "int",
    "currency": "text",
    "amount_minor": "int8",
    "difference_minor": "int8",
    "other_currency": "text",
    "other_minor": "int8",
}
"""What a match is written with, and the type of each."""

# The parts follow in the same transaction.
_ADD = Statement(
    """
INSERT INTO line_matches (tenant_id, {columns}, matched_by, reason, run_id, matched_at)
SELECT :tenant_id, m.*, :matched_by, :reason, :run_id, :at FROM unnest({arrays}) AS m
""",
    columns=", ".join(_TYPES),
    arrays=arrays_of("rows", _TYPES),
)


# `uq_line_match_parts_active` refuses what is in another match.
_ADD_PARTS = Statement("""
INSERT INTO line_match_parts (tenant_id, match_id, side, part_id, ref, scope, amount_minor)
SELECT :tenant_id, p.*
  FROM unnest(:rows[].match_id::uuid[], :rows[].side::text[], :rows[].id::uuid[], :rows[].ref::text[], :rows[].scope::uuid[],
              :rows[].amount_minor::int8[]) AS p
""")


# What a run has put together and whose payout has come back since: lines that name it are looked at again.
_OF_PAYOUTS = Statement("""
SELECT DISTINCT m.id FROM line_match_parts AS f JOIN line_matches AS m ON m.id = f.match_id AND m.tenant_id = f.tenant_id
 WHERE f.part_id = ANY (:ids::uuid[]) AND f.side = 'payout' AND f.tenant_id = :tenant_id AND f.is_active
   AND m.matched_by = 'reconciliation'
""")


# It stays, with who has taken it apart and why.
_UNDO = Statement("""
UPDATE line_matches SET unmatched_at = :at, unmatched_by = :by, unmatch_reason = :reason
 WHERE id = ANY (:ids::uuid[]) AND tenant_id = :tenant_id AND unmatched_at IS NULL
""")


# Its parts are free for another match.
_FREE_PARTS = Statement("""
UPDATE line_match_parts SET is_active = false WHERE match_id = ANY (:ids::uuid[]) AND tenant_id = :tenant_id AND is_active
""")


class _PartRow(msgspec.Struct, frozen=True, kw_only=True):
    match_id: UUID
    side: str
    id: UUID
    ref: str
    scope: UUID
    amount_minor: int


async def taken(tx: Connection, tenant_id: str, ids: Iterable[UUID]) -> set[tuple[UUID, UUID]]:
    """Return what is in a match already, as (part, scope)."""
    rows = await _TAKEN.fetch(tx, tenant_id=tenant_id, ids=sorted(set(ids)))
    return {(row["part_id"], row["scope"]) for row in rows}


async def add(
    tx: Connection,
    tenant_id: str,
    matches: Sequence[Match],
    *,
    matched_by: str,
    reason: str = "",
    run_id: UUID | None = None,
    at: datetime,
) -> None:
    """Write matches with their parts.

    Raises:
        asyncpg.UniqueViolationError: when something is in another match; nothing may follow in the transaction.
    """
    if not matches:
        return
    await _ADD.execute(
        tx, tenant_id=tenant_id, rows=matches, matched_by=matched_by, reason=reason, run_id=run_id, at=at
    )
    parts = [
        _PartRow(
            match_id=match.id,
            side=part.side,
            id=part.id,
            ref=part.ref,
            scope=part.scope,
            amount_minor=part.amount_minor,
        )
        for match in matches
        for part in match.parts
    ]
    await _ADD_PARTS.execute(tx, tenant_id=tenant_id, rows=parts)


async def matches_of_payouts(tx: Connection, tenant_id: str, payouts: Sequence[UUID]) -> list[UUID]:
    """Return the matches in force that runs have made with payouts."""
    return [row["id"] for row in await _OF_PAYOUTS.fetch(tx, tenant_id=tenant_id, ids=[*payouts])]


async def undo(tx: Connection, tenant_id: str, ids: Sequence[UUID], *, by: str, reason: str, at: datetime) -> int:
    """Take matches apart; returns how many were in force."""
    number = await _UNDO.execute(tx, tenant_id=tenant_id, ids=[*ids], by=by, reason=reason, at=at)
    await _FREE_PARTS.execute(tx, tenant_id=tenant_id, ids=[*ids])
    return number
