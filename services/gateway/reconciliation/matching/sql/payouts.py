"""The SQL of payouts and movements: which a line names, which it could be, and which should have arrived."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from uuid import UUID

from libs.common.db import Connection, Database
from libs.common.db.statements import Statement, reader_of
from services.gateway.reconciliation.matching.domain import (
    Moved,
    Payout,
)
from services.gateway.reconciliation.matching.sql.shapes import PAYOUT, Days, Near, read_payout

_moved = reader_of(Moved)


# Payouts that lines name, among those that arrive within two months of the lines: by `ix_processor_payouts_plain` and
# `ix_processor_payouts_plain_trace`. Of words there are thousands, so each is looked up.
_NAMED = Statement(
    """
SELECT {payout} FROM (
    SELECT i.* FROM unnest(:words::text[]) AS w (word) JOIN processor_payouts AS i
        ON i.tenant_id = :tenant_id AND plain_reference(i.id) = w.word
    UNION ALL
    SELECT t.* FROM unnest(:words) AS w (word) JOIN processor_payouts AS t
        ON t.tenant_id = :tenant_id AND t.trace_id <> '' AND plain_reference(t.trace_id) = w.word
) AS p
 WHERE p.arrives_at >= :first_on::date - interval '60 days' AND p.arrives_at < :last_on::date + interval '60 days'
 ORDER BY p.payout_id LIMIT :limit
""",
    payout=PAYOUT,
)


# For some days: the smallest or the largest payouts in no match, by `ix_processor_payouts_arrival`.
_EXTREMES = Statement(
    """
SELECT n.key, p.*
  FROM unnest(:rows[].key::int[], :rows[].currency::text[], :rows[].is_debit::bool[], :rows[].first_on::date[], :rows[].last_on::date[])
       AS n (key, currency, is_debit, first_on, last_on)
 CROSS JOIN LATERAL (
    SELECT {payout} FROM processor_payouts AS p
     WHERE p.tenant_id = :tenant_id AND p.currency = n.currency AND p.amount_minor <> 0 AND (p.amount_minor < 0) = n.is_debit
       AND p.arrives_at >= n.first_on::timestamp AT TIME ZONE 'UTC'
       AND p.arrives_at < (n.last_on + 1)::timestamp AT TIME ZONE 'UTC'
       AND p.status NOT IN ('failed', 'canceled')
       AND NOT EXISTS (SELECT FROM line_match_parts AS f WHERE f.part_id = p.payout_id AND f.side = 'payout'
                          AND f.tenant_id = p.tenant_id AND f.is_active)
     ORDER BY abs(p.amount_minor) * CASE WHEN :largest THEN -1 ELSE 1 END LIMIT :limit
 ) AS p
""",
    payout=PAYOUT,
)


# For each line: payouts in no match that it could be by amount and day, by `ix_processor_payouts_amount`.
_NEAR = Statement(
    """
SELECT n.key, p.*
  FROM unnest(:rows[].key::uuid[], :rows[].currency::text[], :rows[].least::int8[], :rows[].most::int8[], :rows[].first_on::date[],
       :rows[].last_on::date[]) AS n (key, currency, least, most, first_on, last_on)
 CROSS JOIN LATERAL (
    SELECT {payout} FROM processor_payouts AS p
     WHERE p.tenant_id = :tenant_id AND p.currency = n.currency AND p.amount_minor BETWEEN n.least AND n.most
       AND p.arrives_at >= n.first_on::timestamp AT TIME ZONE 'UTC'
       AND p.arrives_at < (n.last_on + 1)::timestamp AT TIME ZONE 'UTC'
       AND p.status NOT IN ('failed', 'canceled')
       AND NOT EXISTS (SELECT FROM line_match_parts AS f WHERE f.part_id = p.payout_id AND f.side = 'payout'
                          AND f.tenant_id = p.tenant_id AND f.is_active)
     ORDER BY p.payout_id LIMIT :limit
 ) AS p
""",
    payout=PAYOUT,
)


# Movements of the tenant by the processor's reference, by `ix_processor_movements_own`.
_MOVED = Statement("""
SELECT m.id, m.movement_id, m.amount_minor, m.net_minor, m.currency,
       EXISTS (SELECT FROM line_match_parts AS f WHERE f.part_id = m.movement_id AND f.side = 'movement' AND f.scope = :source_id
                  AND f.tenant_id = m.tenant_id AND f.is_active) AS is_matched
  FROM processor_movements AS m WHERE m.tenant_id = :tenant_id AND m.id = ANY (:ids::text[]) ORDER BY m.id
""")


# Which days were imported in a window, so that payouts of other times are looked at that these can have, by `ix_file_imports_tenant`.
_IMPORTED_DAYS = Statement("""
SELECT min(first_on) AS first_on, max(last_on) AS last_on FROM file_imports
 WHERE tenant_id = :tenant_id AND status = 'IMPORTED' AND source_id = ANY (:sources::uuid[])
   AND ended_at >= :window_from AND created_at < :window_until
""")


# Payouts that arrive in a range of time, by `ix_processor_payouts_arrival`, and what is unsettled about others.
_ARRIVALS = Statement(
    """
SELECT {payout} FROM (
    (SELECT * FROM processor_payouts
      WHERE tenant_id = :tenant_id AND arrives_at >= :since AND arrives_at < :until
        AND (arrives_at, payout_id) > (:after_at::timestamptz, :after::uuid)
      ORDER BY arrives_at, payout_id LIMIT :limit)
    UNION ALL
    (SELECT q.* FROM processor_payouts AS q
      WHERE q.tenant_id = :tenant_id AND (q.arrives_at < :since OR q.arrives_at >= :until)
        AND (q.arrives_at, q.payout_id) > (:after_at, :after)
        AND q.payout_id IN (SELECT d.subject::uuid FROM discrepancies AS d
                             WHERE d.tenant_id = :tenant_id AND d.subject_kind = 'arrival'
                               AND d.state IN ('open', 'assigned', 'pending', 'reopened'))
      ORDER BY q.arrives_at, q.payout_id LIMIT :limit)
) AS p ORDER BY p.arrives_at, p.payout_id LIMIT :limit
""",
    payout=PAYOUT,
)


# What statements of banks have of the days of a payout: whether files touch them and go on behind them, by
# `ix_file_imports_tenant`; and whether they have lines in its currency, by `ix_statement_lines_day`.
_COVERAGE = Statement("""
SELECT n.key,
       EXISTS (SELECT FROM file_imports AS i
                WHERE i.tenant_id = :tenant_id AND i.source_id = s.id AND i.status = 'IMPORTED'
                  AND i.first_on <= n.last_on AND i.last_on >= n.first_on)
         AND EXISTS (SELECT FROM statement_lines AS l
                      WHERE l.tenant_id = :tenant_id AND l.source_id = s.id AND l.currency = n.currency
                        AND l.booked_on BETWEEN n.day - 60 AND n.day + 60) AS touches,
       EXISTS (SELECT FROM file_imports AS i
                WHERE i.tenant_id = :tenant_id AND i.source_id = s.id AND i.status = 'IMPORTED' AND i.last_on >= n.last_on) AS reaches
  FROM unnest(:rows[].key::uuid[], :rows[].currency::text[], :rows[].day::date[], :rows[].first_on::date[], :rows[].last_on::date[])
       AS n (key, currency, day, first_on, last_on)
 CROSS JOIN unnest(:sources::uuid[]) AS s (id)
""")


async def named(
    database: Database, tenant_id: str, words: Iterable[str], days: tuple[date, date], *, limit: int
) -> list[Payout]:
    """Read payouts that have one of the words as reference, matched ones too."""
    rows = await _NAMED.fetch(
        database, tenant_id=tenant_id, words=sorted(words), first_on=days[0], last_on=days[1], limit=limit
    )
    return [*{row["payout_id"]: read_payout(row) for row in rows}.values()]


async def extremes(
    database: Database, tenant_id: str, rows: Sequence[Days], *, largest: bool, limit: int
) -> dict[int, list[Payout]]:
    """Read the smallest payouts in no match that arrive in some days, or the largest ones, by the key of the days."""
    found: dict[int, list[Payout]] = {}
    for row in await _EXTREMES.fetch(database, tenant_id=tenant_id, rows=rows, largest=largest, limit=limit):
        found.setdefault(row["key"], []).append(read_payout(row))
    return found


async def near(database: Database, tenant_id: str, rows: Sequence[Near], *, limit: int) -> dict[UUID, list[Payout]]:
    """Read payouts in no match by amount and day, by the key of what they are near to."""
    found: dict[UUID, list[Payout]] = {}
    for row in await _NEAR.fetch(database, tenant_id=tenant_id, rows=rows, limit=limit) if rows else ():
        found.setdefault(row["key"], []).append(read_payout(row))
    return found


async def movements(
    database: Connection | Database, tenant_id: str, source_id: UUID, ids: Iterable[str]
) -> list[Moved]:
    """Read movements by the processor's references."""
    return [
        _moved(row) for row in await _MOVED.fetch(database, tenant_id=tenant_id, source_id=source_id, ids=sorted(ids))
    ]


async def imported_days(
    database: Database, tenant_id: str, sources: Sequence[UUID], *, window_from: datetime, window_until: datetime
) -> tuple[date, date] | None:
    """Return between which days lines were imported in a window; None: none were."""
    row = await _IMPORTED_DAYS.fetchrow(
        database, tenant_id=tenant_id, sources=[*sources], window_from=window_from, window_until=window_until
    )
    return None if row is None or row["first_on"] is None else (row["first_on"], row["last_on"])


async def arrivals(
    database: Database,
    tenant_id: str,
    *,
    since: datetime,
    until: datetime,
    after: tuple[datetime, UUID],
    limit: int,
) -> list[Payout]:
    """Read payouts that arrive in a range of time, and those about whose arrival something is unsettled."""
    rows = await _ARRIVALS.fetch(
        database, tenant_id=tenant_id, since=since, until=until, after_at=after[0], after=after[1], limit=limit
    )
    return [read_payout(row) for row in rows]


async def coverage(
    database: Database, tenant_id: str, rows: Sequence[Near], sources: Sequence[UUID]
) -> dict[UUID, tuple[bool, bool]]:
    """Return for each payout whether one statement touches its days, and whether that one reaches the end of them."""
    found: dict[UUID, tuple[bool, bool]] = {}
    for row in await _COVERAGE.fetch(database, tenant_id=tenant_id, rows=rows, sources=[*sources]) if rows else ():
        touches, reaches = found.get(row["key"], (False, False))
        found[row["key"]] = (touches or row["touches"], reaches or (row["touches"] and row["reaches"]))
    return found
