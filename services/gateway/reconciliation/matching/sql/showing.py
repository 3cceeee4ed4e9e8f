"""The SQL of what is shown, and of what a person names: lines, payouts, movements and matches."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from libs.common.contracts.gateway_matching import (
    LineMatch,
    ListLineMatches,
    ListStatementLines,
    MatchPart,
    StatementLine,
)
from libs.common.db import Connection, Database
from libs.common.db.statements import Statement, columns_of
from services.gateway.reconciliation.matching.domain import Line, Payout
from services.gateway.reconciliation.matching.sql.shapes import LINE, PAYOUT, read_line, read_payout

_MATCH = columns_of(LineMatch, without=("parts",))

# Newest first, by `ix_statement_lines_tenant`; the match of each by `uq_line_match_parts_active`.
_LINES = Statement("""
SELECT l.id, l.source_id, l.import_id, l.account, l.booked_on, l.value_on, l.currency, l.amount_minor, l.fee_minor, l.bank_id,
       l.refs, l.counterparty, l.description, f.match_id
  FROM statement_lines AS l
  LEFT JOIN line_match_parts AS f ON f.part_id = l.id AND f.side = 'line' AND f.tenant_id = l.tenant_id AND f.is_active
 WHERE l.tenant_id = :wish.tenant_id
   AND (:wish.before::uuid IS NULL OR l.id < :wish.before)
   AND (:wish.source_id::uuid IS NULL OR l.source_id = :wish.source_id)
   AND (:wish.matched::bool IS NULL OR (f.match_id IS NOT NULL) = :wish.matched)
   AND (:wish.booked_from::date IS NULL OR l.booked_on >= :wish.booked_from)
   AND (:wish.booked_until::date IS NULL OR l.booked_on < :wish.booked_until)
 ORDER BY l.id DESC LIMIT :wish.limit::int + 1
""")

# Newest first, by `ix_line_matches_tenant`; those of a part by the two indexes of parts in force and not.
_MATCHES = Statement(
    """
SELECT {columns} FROM line_matches AS m
 WHERE m.tenant_id = :wish.tenant_id
   AND (:wish.before::uuid IS NULL OR m.id < :wish.before)
   AND (:wish.rule::text = '' OR m.rule = :wish.rule)
   AND (:wish.in_force::bool IS NULL OR (m.unmatched_at IS NULL) = :wish.in_force)
   AND (:wish.part_id::uuid IS NULL OR m.id IN (
        SELECT match_id FROM line_match_parts WHERE part_id = :wish.part_id AND tenant_id = :wish.tenant_id AND is_active
        UNION ALL
        SELECT match_id FROM line_match_parts WHERE part_id = :wish.part_id AND tenant_id = :wish.tenant_id AND NOT is_active))
 ORDER BY m.id DESC LIMIT :wish.limit::int + 1
""",
    columns=_MATCH,
)

# By its primary key.
_GET_MATCH = Statement(
    "SELECT {columns} FROM line_matches WHERE id = :match_id AND tenant_id = :tenant_id", columns=_MATCH
)

# By the primary key; lines before the others.
_PARTS = Statement("""
SELECT match_id, side, part_id AS id, ref AS reference, amount_minor FROM line_match_parts
 WHERE match_id = ANY (:ids::uuid[]) AND tenant_id = :tenant_id ORDER BY match_id, side <> 'line', ref, part_id
""")

# What a person names, by the primary key.
_LINES_OF = Statement(
    "SELECT {line} FROM statement_lines AS l WHERE l.id = ANY (:ids::uuid[]) AND l.tenant_id = :tenant_id ORDER BY l.id",
    line=LINE,
)

# The tenant's payouts alone, by `ix_processor_payouts_arrival`: a person waits, and there are some hundred in a year.
_PAYOUTS_OF = Statement(
    "SELECT {payout} FROM processor_payouts AS p WHERE p.tenant_id = :tenant_id AND p.id = ANY (:refs::text[]) ORDER BY p.id",
    payout=PAYOUT,
)

# Until the end of the transaction: no step of a run, and no other person, puts anything of the tenant together meanwhile. The same
# lock as that of the steps of runs.
_LOCK = Statement("SELECT pg_advisory_xact_lock(hashtextextended('reconciliation:' || :tenant_id, 0))")


async def lock(tx: Connection, tenant_id: str) -> None:
    """Wait for others who match, until the end of the transaction."""
    await _LOCK.fetchval(tx, tenant_id=tenant_id)


async def list_lines(database: Database, wish: ListStatementLines) -> list[StatementLine]:
    """List lines, the last imported first: one more than is requested, where there are more."""
    found = []
    for row in await _LINES.fetch(database, wish=wish):
        facts = dict(row)
        found.append(msgspec.convert(facts | {"references": json.loads(facts.pop("refs"))}, StatementLine))
    return found


async def list_matches(database: Database, wish: ListLineMatches) -> list[LineMatch]:
    """List matches, newest first: one more than is requested, where there are more."""
    return await _with_parts(database, wish.tenant_id, await _MATCHES.fetch(database, wish=wish))


async def get_match(connection: Connection | Database, tenant_id: str, match_id: UUID) -> LineMatch | None:
    """Read a match; None where the tenant has no such."""
    rows = await _GET_MATCH.fetch(connection, tenant_id=tenant_id, match_id=match_id)
    return next(iter(await _with_parts(connection, tenant_id, rows)), None)


async def lines_of(tx: Connection, tenant_id: str, ids: Sequence[UUID]) -> list[Line]:
    """Read lines by their ids."""
    return [read_line(row) for row in await _LINES_OF.fetch(tx, tenant_id=tenant_id, ids=[*ids])]


async def payouts_of(tx: Connection, tenant_id: str, refs: Sequence[str]) -> list[Payout]:
    """Read payouts by the processor's references."""
    return [read_payout(row) for row in await _PAYOUTS_OF.fetch(tx, tenant_id=tenant_id, refs=[*refs])]


async def _with_parts(connection: Connection | Database, tenant_id: str, rows: Sequence[Any]) -> list[LineMatch]:
    parts: dict[UUID, list[MatchPart]] = {row["id"]: [] for row in rows}
    for row in await _PARTS.fetch(connection, tenant_id=tenant_id, ids=[*parts]) if parts else ():
        facts = dict(row)
        parts[facts.pop("match_id")].append(MatchPart(**facts))
    return [LineMatch(**dict(row), parts=parts[row["id"]]) for row in rows]
