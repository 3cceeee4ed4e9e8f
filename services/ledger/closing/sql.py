"""What the end of a period is computed from: what counted on each day, and the entries that stand for it already."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from libs.common.db import Connection
from libs.common.db.statements import Statement
from services.ledger.closing.domain import Day

# Days as `effective_totals` has them up to the fold, and single postings after it. The end is a midnight in UTC, so whole
# days are before it.
_DAYS = Statement("""
SELECT day.starts_at, b.currency, sum(day.debits_minor - day.credits_minor)::int8 AS net_minor
  FROM balances AS b JOIN accounts AS a ON a.tenant_id = b.tenant_id AND a.id = b.account_id
  LEFT JOIN effective_folds AS f
         ON f.tenant_id = b.tenant_id AND f.account_id = b.account_id AND f.currency = b.currency
 CROSS JOIN LATERAL (
       SELECT t.starts_at, t.debits_minor, t.credits_minor FROM effective_totals AS t
        WHERE t.tenant_id = b.tenant_id AND t.account_id = b.account_id AND t.currency = b.currency
          AND t.grain = 'DAY' AND t.starts_at < :ends_before
       UNION ALL
       SELECT date_trunc('day', p.effective_at, 'UTC'),
              CASE p.side WHEN 'DEBIT' THEN p.amount_minor ELSE 0 END,
              CASE p.side WHEN 'CREDIT' THEN p.amount_minor ELSE 0 END
         FROM postings AS p
        WHERE p.tenant_id = b.tenant_id AND p.account_id = b.account_id AND p.currency = b.currency
          AND p.version > coalesce(f.version, 0) AND p.posted_at >= coalesce(f.posted_at, '-infinity')
          AND p.effective_at < :ends_before) AS day
 WHERE b.tenant_id = :tenant_id AND b.currency <> :currency::bpchar AND a.account_type IN ('ASSET', 'LIABILITY')
   AND a.id <> ALL(:but::uuid[])
 GROUP BY 1, 2 HAVING sum(day.debits_minor - day.credits_minor) <> 0 ORDER BY 1, 2
""")


async def days(
    connection: Connection, tenant_id: str, *, currency: str, but: Collection[UUID], ends_before: datetime
) -> list[Day]:
    """Read what counted on each day on assets and liabilities in other currencies, some accounts left out; oldest first."""
    rows = await _DAYS.fetch(connection, tenant_id=tenant_id, currency=currency, but=list(but), ends_before=ends_before)
    return [Day(starts_at=row["starts_at"], currency=row["currency"], net_minor=row["net_minor"]) for row in rows]


# By `ix_journal_entries_year_ends`. Whatever the calendar, a year begins within these hours of any other zone's.
_YEAR_ENDED = Statement("""
SELECT max(effective_at) FROM journal_entries WHERE tenant_id = :tenant_id AND kind = 'year_end'
   AND effective_at BETWEEN :about::timestamptz - interval '27 hours' AND :about::timestamptz + interval '27 hours'
""")


async def year_ended_at(connection: Connection, tenant_id: str, about: datetime) -> datetime | None:
    """Find when the entries count that ended the year whose end is about an instant; None where none did."""
    row = await _YEAR_ENDED.fetchrow(connection, tenant_id=tenant_id, about=about)
    return None if row is None else row[0]


# By the primary key. What an entry of two accounts gave to the one that is an asset or a liability; zero of others.
_STANDING = Statement("""
SELECT e.id, coalesce(sum(CASE l.side WHEN 'DEBIT' THEN l.amount_minor ELSE -l.amount_minor END)
       FILTER (WHERE a.account_type IN ('ASSET', 'LIABILITY')), 0)::int8 AS net_minor
  FROM journal_entries AS e
  JOIN postings AS l ON l.tenant_id = e.tenant_id AND l.entry_id = e.id
  JOIN accounts AS a ON a.tenant_id = l.tenant_id AND a.id = l.account_id
 WHERE e.tenant_id = :tenant_id AND e.id = ANY(:ids::uuid[]) GROUP BY e.id
""")


async def standing(connection: Connection, tenant_id: str, ids: Sequence[UUID]) -> dict[UUID, int]:
    """Find which entries stand in the books, with debits less credits of their assets and liabilities."""
    rows = await _STANDING.fetch(connection, tenant_id=tenant_id, ids=list(ids))
    return {row["id"]: row["net_minor"] for row in rows}
