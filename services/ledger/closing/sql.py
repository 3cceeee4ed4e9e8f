"""What the end of a period is computed from: what counted on each day, and the entries that stand for it already."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from libs.common.db import Connection
from libs.common.db.statements import Statement
from services.ledger.closing.domain import Day

# By hours of `effective_totals` up to the fold, by minutes where a day ends within the hour (zones have whole minutes), and by
# single postings after the fold. An own unit, whose code has a digit, is worth nothing in any currency.
_DAYS = Statement(
    """
SELECT (part.starts_at AT TIME ZONE :zone::text)::date AS day, b.currency,
       sum(part.debits_minor - part.credits_minor)::int8 AS net_minor
  FROM balances AS b JOIN accounts AS a ON a.tenant_id = b.tenant_id AND a.id = b.account_id
  LEFT JOIN effective_folds AS f
         ON f.tenant_id = b.tenant_id AND f.account_id = b.account_id AND f.currency = b.currency
 CROSS JOIN LATERAL (
       SELECT total.* FROM effective_totals AS h
        CROSS JOIN LATERAL (
              SELECT h.starts_at, h.debits_minor, h.credits_minor WHERE {is_of_one_day}
              UNION ALL
              SELECT m.starts_at, m.debits_minor, m.credits_minor FROM effective_totals AS m
               WHERE NOT ({is_of_one_day}) AND m.tenant_id = h.tenant_id AND m.account_id = h.account_id
                 AND m.currency = h.currency AND m.grain = 'MINUTE' AND m.starts_at >= h.starts_at
                 AND m.starts_at < least(h.starts_at + interval '1 hour', :ends_before)) AS total
        WHERE h.tenant_id = b.tenant_id AND h.account_id = b.account_id AND h.currency = b.currency
          AND h.grain = 'HOUR' AND h.starts_at < :ends_before
       UNION ALL
       SELECT p.effective_at,
              CASE p.side WHEN 'DEBIT' THEN p.amount_minor ELSE 0 END,
              CASE p.side WHEN 'CREDIT' THEN p.amount_minor ELSE 0 END
         FROM postings AS p
        WHERE p.tenant_id = b.tenant_id AND p.account_id = b.account_id AND p.currency = b.currency
          AND p.version > CASE WHEN f.version IS NULL THEN 0 ELSE f.version END
          AND p.posted_at >= CASE WHEN f.posted_at IS NULL THEN '-infinity' ELSE f.posted_at END
          AND p.effective_at < :ends_before) AS part
 WHERE b.tenant_id = :tenant_id AND b.currency <> :currency::bpchar AND a.account_type IN ('ASSET', 'LIABILITY')
   AND b.currency !~ '[0-9]' AND a.id <> ALL(:but::uuid[])
 GROUP BY 1, 2 HAVING sum(part.debits_minor - part.credits_minor) <> 0 ORDER BY 1, 2
""",
    is_of_one_day="h.starts_at + interval '1 hour' <= :ends_before::timestamptz AND (h.starts_at AT TIME ZONE :zone::text)::date "
    "= ((h.starts_at + interval '59 minutes') AT TIME ZONE :zone::text)::date",
)


async def days(
    connection: Connection, tenant_id: str, *, currency: str, but: Collection[UUID], zone: str, ends_before: datetime
) -> list[Day]:
    """Read what counted on each day of a zone on assets and liabilities in other currencies; oldest first.

    Args:
        connection: reads.
        tenant_id: whose books.
        currency: the one that is left out.
        but: accounts that are left out.
        zone: whose days.
        ends_before: the end of the last day.
    """
    rows = await _DAYS.fetch(
        connection, tenant_id=tenant_id, currency=currency, but=list(but), zone=zone, ends_before=ends_before
    )
    return [Day(day=row["day"], currency=row["currency"], net_minor=row["net_minor"]) for row in rows]


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
