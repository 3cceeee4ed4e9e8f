"""What a financial statement shows of accounts beside their amounts, and how far the books are closed."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from libs.common.contracts.ledger_statements import Span
from libs.common.db import Connection
from libs.common.db.statements import Statement


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """An account as people read it."""

    label: str
    roles: list[str]
    """The roles that it plays or has played, by name."""


# All of a tenant's chart: an account never changes once opened, and roles are few.
_NAMED = Statement("""
SELECT a.code, a.label, coalesce(array_agg(r.role ORDER BY r.role) FILTER (WHERE r.role IS NOT NULL), '{}') AS roles
  FROM accounts AS a
  LEFT JOIN role_accounts AS r ON r.tenant_id = a.tenant_id AND r.account_id = a.id
 WHERE a.tenant_id = :tenant_id GROUP BY a.code, a.label
""")


async def named(connection: Connection, tenant_id: str) -> Mapping[str, Named]:
    """Read the labels and roles of a tenant's accounts, by code."""
    rows = await _NAMED.fetch(connection, tenant_id=tenant_id)
    return {row["code"]: Named(label=row["label"], roles=row["roles"]) for row in rows}


# By `ix_journal_entries_year_ends`, which has a few entries a year, and by `pk_postings` their lines on income and expenses. A
# year in which as much was spent as earned has no line on retained earnings.
_YEAR_ENDS = Statement("""
SELECT a.code, l.currency,
       coalesce(sum(l.amount_minor) FILTER (WHERE l.side = 'DEBIT'), 0)::int8 AS debits_minor,
       coalesce(sum(l.amount_minor) FILTER (WHERE l.side = 'CREDIT'), 0)::int8 AS credits_minor
  FROM journal_entries AS e
  JOIN postings AS l ON l.tenant_id = e.tenant_id AND l.entry_id = e.id
  JOIN accounts AS a ON a.tenant_id = l.tenant_id AND a.id = l.account_id AND a.account_type IN ('REVENUE', 'EXPENSE')
 WHERE e.tenant_id = :tenant_id AND e.kind = 'year_end'
   AND CASE WHEN :is_effective THEN e.effective_at ELSE e.posted_at END
       BETWEEN coalesce(:span.begins_at::timestamptz, '-infinity')
           AND :span.ends_before::timestamptz - interval '1 microsecond'
 GROUP BY a.code, l.currency
""")


async def year_ends(
    connection: Connection, tenant_id: str, span: Span, *, is_effective: bool
) -> Mapping[tuple[str, str], tuple[int, int]]:
    """Read what moved income and expenses to retained earnings in a span: debits and credits by account code and currency."""
    rows = await _YEAR_ENDS.fetch(connection, tenant_id=tenant_id, span=span, is_effective=is_effective)
    return {(row["code"], row["currency"]): (row["debits_minor"], row["credits_minor"]) for row in rows}


class ClosedPeriod(msgspec.Struct, frozen=True, kw_only=True):
    """A closed period into which no group may post any more."""

    ends_before: datetime
    closed_at: datetime
    closed_by: str
    sha256: bytes | None
    """Of its balances when it was closed; None for one that was closed before that was written down."""


# By the primary key of periods; one into which a group may still post is left out.
_CLOSED = Statement("""
SELECT p.ends_before, p.closed_at, p.closed_by, s.sha256
  FROM periods AS p LEFT JOIN period_seals AS s ON s.tenant_id = p.tenant_id AND s.ends_before = p.ends_before
 WHERE p.tenant_id = :tenant_id AND NOT EXISTS (
       SELECT FROM closings_under_way AS c WHERE c.tenant_id = p.tenant_id AND c.ends_before = p.ends_before)
 ORDER BY p.ends_before
""")


async def closed_periods(connection: Connection, tenant_id: str) -> list[ClosedPeriod]:
    """Read a tenant's closed periods, the earliest first."""
    return [ClosedPeriod(**dict(row)) for row in await _CLOSED.fetch(connection, tenant_id=tenant_id)]
