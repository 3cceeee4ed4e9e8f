"""The SQL of lines: which are looked at, which name a payout, and which could be it."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec

from libs.common.db import Database
from libs.common.db.statements import Statement
from services.gateway.reconciliation.matching.domain import Line, Payout, plain
from services.gateway.reconciliation.matching.sql.shapes import FREE, LINE, Near, read_line

_NAMING_MAX = 10_000
"""Lines that name the payouts of one step: what is more is left to the next run."""
_TEXT = "regexp_replace(lower(l.bank_id || l.refs::text || l.counterparty || l.description), '[^a-z0-9]', '', 'g')"


# Lines of a source that were booked in a window and are in no match, by `ix_statement_lines_day`.
_BOOKED = Statement(
    """
SELECT {line} FROM statement_lines AS l
 WHERE l.tenant_id = :tenant_id AND l.source_id = :source_id AND l.booked_on BETWEEN :first_on AND :last_on
   AND (l.booked_on, l.id) > (:day::date, :after::uuid) AND {free}
 ORDER BY l.booked_on, l.id LIMIT :limit
""",
    line=LINE,
    free=FREE,
)


# Of other days: what was imported in the window, by `ix_statement_lines_tenant`; what is unsettled, by
# `ix_discrepancies_unsettled`; and what was taken apart in it, by `ix_line_matches_unmatched`.
_OTHERS = Statement(
    """
SELECT {line} FROM (
    (SELECT id FROM statement_lines
      WHERE tenant_id = :tenant_id AND id > :after AND id >= :first AND id < :until ORDER BY id LIMIT :limit)
    UNION
    (SELECT d.subject::uuid FROM discrepancies AS d
      WHERE d.tenant_id = :tenant_id AND d.state IN ('open', 'assigned', 'pending', 'reopened') AND d.subject_kind = 'line'
        AND d.subject::uuid > :after ORDER BY d.subject::uuid LIMIT :limit)
    UNION
    (SELECT f.part_id FROM line_matches AS m JOIN line_match_parts AS f ON f.match_id = m.id AND f.tenant_id = m.tenant_id
      WHERE m.tenant_id = :tenant_id AND m.unmatched_at >= :window_from AND f.side = 'line' AND f.part_id > :after
      ORDER BY f.part_id LIMIT :limit)
) AS i JOIN statement_lines AS l ON l.id = i.id AND l.tenant_id = :tenant_id
 ORDER BY l.id LIMIT :limit
""",
    line=LINE,
)


# Which of some lines are in no match, by `uq_line_match_parts_active`.
_FREE_OF = Statement(
    "SELECT l.id FROM statement_lines AS l WHERE l.id = ANY (:ids::uuid[]) AND l.tenant_id = :tenant_id AND {free}",
    free=FREE,
)


# The other way round: lines in no match that name payouts, by `ix_statement_lines_day`; their words are compared by the caller. The
# text of each line is made plain once, however many payouts are looked for.
_NAMING = Statement(
    """
WITH free AS MATERIALIZED (
    SELECT l.id, l.booked_on, {words} AS text FROM statement_lines AS l
     WHERE l.tenant_id = :tenant_id AND l.source_id = ANY (:sources::uuid[])
       AND l.booked_on BETWEEN :first_on::date - 60 AND :last_on::date + 60 AND {free}
)
SELECT n.payout_id, {line}
  FROM unnest(:rows[].payout_id::uuid[], :rows[].ref::text[], :rows[].trace::text[], :rows[].day::date[])
       AS n (payout_id, ref, trace, day)
  JOIN free AS f ON f.booked_on BETWEEN n.day - 60 AND n.day + 60
                AND (position(n.ref IN f.text) > 0 OR (n.trace <> '' AND position(n.trace IN f.text) > 0))
  JOIN statement_lines AS l ON l.id = f.id AND l.tenant_id = :tenant_id
 ORDER BY n.payout_id, l.booked_on, l.id LIMIT :limit
""",
    line=LINE,
    words=_TEXT,
    free=FREE,
)

# For each payout: lines in no match that could be it by amount and day, by `ix_statement_lines_day`.
_RIVALS = Statement(
    """
SELECT n.key, {line}
  FROM unnest(:rows[].key::uuid[], :rows[].currency::text[], :rows[].least::int8[], :rows[].most::int8[], :rows[].first_on::date[],
       :rows[].last_on::date[]) AS n (key, currency, least, most, first_on, last_on)
 CROSS JOIN LATERAL (
    SELECT * FROM statement_lines AS l
     WHERE l.tenant_id = :tenant_id AND l.source_id = ANY (:sources::uuid[]) AND l.booked_on BETWEEN n.first_on AND n.last_on
       AND l.currency = n.currency AND (NOT :after_fee OR l.fee_minor <> 0)
       AND l.amount_minor - CASE WHEN :after_fee THEN l.fee_minor ELSE 0 END BETWEEN n.least AND n.most AND {free}
     ORDER BY l.booked_on, l.id LIMIT :limit
 ) AS l
""",
    line=LINE,
    free=FREE,
)


# What people have taken apart about some lines, by `ix_line_match_parts_undone`.
_PARTED = Statement("""
SELECT f.part_id AS line_id, o.part_id AS other_id
  FROM line_match_parts AS f
  JOIN line_matches AS m ON m.id = f.match_id AND m.tenant_id = f.tenant_id
  JOIN line_match_parts AS o ON o.match_id = f.match_id AND o.tenant_id = f.tenant_id AND o.side <> 'line'
 WHERE f.part_id = ANY (:ids::uuid[]) AND f.side = 'line' AND f.tenant_id = :tenant_id AND NOT f.is_active
   AND m.unmatched_by <> 'reconciliation'
""")


class _Name(msgspec.Struct, frozen=True, kw_only=True):
    payout_id: UUID
    ref: str
    trace: str
    day: date


async def booked(
    database: Database,
    tenant_id: str,
    source_id: UUID,
    days: tuple[date, date],
    *,
    after: tuple[date, UUID],
    limit: int,
) -> list[Line]:
    """Read lines in no match that were booked in some days, the first and the last included."""
    rows = await _BOOKED.fetch(
        database,
        tenant_id=tenant_id,
        source_id=source_id,
        first_on=days[0],
        last_on=days[1],
        day=after[0],
        after=after[1],
        limit=limit,
    )
    return [read_line(row) for row in rows]


async def others(
    database: Database,
    tenant_id: str,
    *,
    first: UUID,
    until: UUID,
    window_from: datetime,
    after: UUID,
    limit: int,
) -> list[Line]:
    """Read lines that are looked at for another reason than their day, matched ones too."""
    rows = await _OTHERS.fetch(
        database, tenant_id=tenant_id, first=first, until=until, window_from=window_from, after=after, limit=limit
    )
    return [read_line(row) for row in rows]


async def free_of(database: Database, tenant_id: str, ids: Sequence[UUID]) -> set[UUID]:
    """Return which lines are in no match."""
    return {row["id"] for row in await _FREE_OF.fetch(database, tenant_id=tenant_id, ids=[*ids])}


async def naming(
    database: Database, tenant_id: str, payouts: Sequence[Payout], sources: Sequence[UUID]
) -> dict[UUID, list[Line]]:
    """Read lines in no match that name payouts, by payout; at most 10,000."""
    found: dict[UUID, list[Line]] = {}
    names = [
        _Name(payout_id=p.payout_id, ref=plain(p.id), trace=plain(p.trace_id), day=p.arrives_at.date()) for p in payouts
    ]
    if not names:
        return {}
    for row in await _NAMING.fetch(
        database,
        tenant_id=tenant_id,
        rows=names,
        sources=[*sources],
        first_on=min(name.day for name in names),
        last_on=max(name.day for name in names),
        limit=_NAMING_MAX,
    ):
        found.setdefault(row["payout_id"], []).append(read_line(row))
    return {
        payout.payout_id: named_lines
        for payout in payouts
        if (named_lines := [line for line in found.get(payout.payout_id, ()) if payout.is_named_in(line.words)])
    }


async def rivals(
    database: Database,
    tenant_id: str,
    rows: Sequence[Near],
    sources: Sequence[UUID],
    *,
    after_fee: bool = False,
    limit: int,
) -> dict[UUID, list[Line]]:
    """Read lines in no match by amount and day, by the key of what they are near to."""
    found: dict[UUID, list[Line]] = {}
    if rows:
        for row in await _RIVALS.fetch(
            database, tenant_id=tenant_id, rows=rows, sources=[*sources], after_fee=after_fee, limit=limit
        ):
            found.setdefault(row["key"], []).append(read_line(row))
    return found


async def parted(database: Database, tenant_id: str, ids: Sequence[UUID]) -> set[tuple[UUID, UUID]]:
    """Read what people have taken apart about lines, as (line, payout or movement)."""
    rows = await _PARTED.fetch(database, tenant_id=tenant_id, ids=[*ids])
    return {(row["line_id"], row["other_id"]) for row in rows}
