"""The SQL of lines: which are looked at, which name a payout, and which could be it."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from libs.common.db import Connection, Database
from libs.common.db.statements import Statement
from services.gateway.reconciliation.matching.domain import Line, Names, Payout
from services.gateway.reconciliation.matching.sql.shapes import FREE, LINE, Near, read_line

_NAMING_MAX = 10_000
"""Lines that name the payouts of one step: what is more is left to the next run."""
_NAMED_WITHIN = timedelta(days=60)
"""So long before or after its arrival lines may name a payout."""


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
# `ix_discrepancies_unsettled`; and what was taken apart in it, by `ix_line_matches_unmatched`. Which of them are in no match is by
# `uq_line_match_parts_active`.
_OTHERS = Statement(
    """
SELECT {line}, {free} AS is_free FROM (
    (SELECT id FROM statement_lines
      WHERE tenant_id = :tenant_id AND id > :after AND id >= :first AND id < :until
        AND (:of_all_days OR booked_on NOT BETWEEN :first_on AND :last_on) ORDER BY id LIMIT :limit)
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
    free=FREE,
)


# The other way round: lines in no match that have one of some words, by `ix_statement_lines_words`; whom they name is decided by the
# caller. By themselves first, so that no other index is taken, and the words of all lines are never made.
_NAMING = Statement(
    """
WITH worded AS MATERIALIZED (
    SELECT l.id FROM statement_lines AS l
     WHERE words_of_line(l.bank_id, l.refs, l.counterparty, l.description) && :words::text[]
)
SELECT {line} FROM worded AS h JOIN statement_lines AS l ON l.id = h.id AND l.tenant_id = :tenant_id
 WHERE l.source_id = ANY (:sources::uuid[]) AND l.booked_on BETWEEN :first_on::date - 60 AND :last_on::date + 60 AND {free}
 ORDER BY l.booked_on, l.id LIMIT :limit
""",
    line=LINE,
    free=FREE,
)

_RIVALS_TEXT = """
SELECT n.key, {line}
  FROM unnest(:rows[].key::uuid[], :rows[].currency::text[], :rows[].least::int8[], :rows[].most::int8[], :rows[].first_on::date[],
       :rows[].last_on::date[]) AS n (key, currency, least, most, first_on, last_on)
 CROSS JOIN LATERAL (
    SELECT * FROM statement_lines AS l
     WHERE l.tenant_id = :tenant_id AND l.source_id = ANY (:sources::uuid[]) AND l.booked_on BETWEEN n.first_on AND n.last_on
       AND l.currency = n.currency AND {amount} BETWEEN n.least AND n.most AND {free}
     LIMIT :limit
 ) AS l
"""
# For each payout: lines in no match that could be it by amount and day, by `ix_statement_lines_amount`.
_RIVALS = Statement(_RIVALS_TEXT, line=LINE, free=FREE, amount="l.amount_minor")
# The same after the fee that they have, by `ix_statement_lines_net`.
_RIVALS_AFTER_FEE = Statement(
    _RIVALS_TEXT, line=LINE, free=FREE, amount="l.fee_minor <> 0 AND (l.amount_minor - l.fee_minor)"
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
    days: tuple[date, date],
    of_all_days: bool,
    after: UUID,
    limit: int,
) -> tuple[list[Line], set[UUID]]:
    """Read lines that are looked at for another reason than their day, and which of them are in no match.

    What was imported and booked in `days` is among them only with `of_all_days`.
    """
    rows = await _OTHERS.fetch(
        database,
        tenant_id=tenant_id,
        first=first,
        until=until,
        window_from=window_from,
        first_on=days[0],
        last_on=days[1],
        of_all_days=of_all_days,
        after=after,
        limit=limit,
    )
    return [read_line(row) for row in rows], {row["id"] for row in rows if row["is_free"]}


async def naming(
    database: Database, tenant_id: str, payouts: Sequence[Payout], sources: Sequence[UUID]
) -> dict[UUID, list[Line]]:
    """Read lines in no match that name payouts, by payout; at most 10,000."""
    if not payouts:
        return {}
    days = [payout.arrives_at.date() for payout in payouts]
    rows = await _NAMING.fetch(
        database,
        tenant_id=tenant_id,
        words=sorted({word for payout in payouts for word in payout.references}),
        sources=[*sources],
        first_on=min(days),
        last_on=max(days),
        limit=_NAMING_MAX,
    )
    names = Names([read_line(row) for row in rows], payouts)
    found = {
        payout.payout_id: [line for line in names.of_payout(payout) if abs(line.booked_on - day) <= _NAMED_WITHIN]
        for payout, day in zip(payouts, days, strict=True)
    }
    return {key: lines for key, lines in found.items() if lines}


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
        statement = _RIVALS_AFTER_FEE if after_fee else _RIVALS
        for row in await statement.fetch(database, tenant_id=tenant_id, rows=rows, sources=[*sources], limit=limit):
            found.setdefault(row["key"], []).append(read_line(row))
    return found


async def parted(connection: Connection | Database, tenant_id: str, ids: Sequence[UUID]) -> set[tuple[UUID, UUID]]:
    """Read what people have taken apart about lines, as (line, payout or movement)."""
    if not ids:
        return set()
    rows = await _PARTED.fetch(connection, tenant_id=tenant_id, ids=[*ids])
    return {(row["line_id"], row["other_id"]) for row in rows}
