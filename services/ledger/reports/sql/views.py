"""Reading reports from `account_turnover`, and refreshing it: a view of the books that is a table, to which a refresh adds what is new.

The view holds whole quarters of an hour. Where a period begins or ends within one, the part that counts is read from the
postings themselves, but never one that is newer than the view: every figure is of the instant of the last refresh.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import asyncpg
import msgspec

from libs.common.contracts.ledger import AccountBalance, AccountType
from libs.common.contracts.ledger_errors import QueryInvalid
from libs.common.contracts.ledger_reports import Granularity, RevenueRow
from libs.common.db import Connection
from libs.common.db.statements import Statement
from services.ledger.core import BALANCE_MINOR_MAX

QUARTER = timedelta(minutes=15)
"""The piece of time that the view sums up."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_EARNING = """
    SELECT tenant_id, account_id, bool_or(role = 'REVENUE') AS is_revenue FROM role_accounts
     WHERE tenant_id = ANY(:tenant_ids::text[]) AND role IN ('REVENUE', 'REFUND_EXPENSE') GROUP BY tenant_id,
            account_id
"""
"""The accounts of revenue and of refund expense. One that plays both roles counts as revenue, and what refunds take from
it as a reversal, so that nothing is subtracted twice."""


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """A span of record; None is open."""

    begins_at: datetime | None = None
    """Itself included."""
    ends_at: datetime | None = None
    """Itself not included."""

    def cut(self) -> tuple["Period", list["Period"]]:
        """Cut it into the whole quarters of an hour inside it, and what is left over at its edges."""
        first = None if self.begins_at is None else _next_quarter(self.begins_at)
        last = None if self.ends_at is None else (self.ends_at - _EPOCH) // QUARTER * QUARTER + _EPOCH
        whole = Period(begins_at=first, ends_at=last)
        if first is not None and last is not None and first > last:
            return whole, [self]
        edges = [Period(begins_at=self.begins_at, ends_at=first), Period(begins_at=last, ends_at=self.ends_at)]
        return whole, [edge for edge in edges if edge.begins_at != edge.ends_at]


def _next_quarter(instant: datetime) -> datetime:
    try:
        return -(-(instant - _EPOCH) // QUARTER) * QUARTER + _EPOCH
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


# By `ix_report_refreshes_refreshed_at`; a report reads it in the snapshot of its figures, so that it is their age.
_REFRESHED_AT = Statement("SELECT max(refreshed_at) FROM report_refreshes")


async def refreshed_at(connection: Connection) -> datetime:
    """Return when the report views were last refreshed: everything committed before is in them."""
    found: datetime = await _REFRESHED_AT.fetchval(connection)
    return found


async def refresh(connection: Connection, *, age_max: timedelta, timeout_seconds: float) -> datetime | None:
    """Refresh the report views; None when they are younger than `age_max`, or somebody else is at it."""
    found: datetime | None = await connection.fetchval("SELECT refresh_reports($1)", age_max, timeout=timeout_seconds)
    return found


_LAST = (
    "SELECT l.version, l.debits_after_minor, l.credits_after_minor FROM postings AS l "
    "WHERE l.tenant_id = t.tenant_id AND l.account_id = t.account_id AND l.currency = t.currency "
    "AND l.posted_at <= t.posted_last_at AND l.posted_at < {instant} ORDER BY l.posted_at DESC, l.version DESC LIMIT 1"
)
"""The last posting on an account that a view row `t` knows of, before an instant."""

_TURNED = """
SELECT r.tenant_id, r.is_revenue, t.currency, t.quarter_at, t.debits_minor, t.credits_minor
  FROM ({earning}) AS r
  JOIN account_turnover AS t ON t.tenant_id = r.tenant_id AND t.account_id = r.account_id
 WHERE (:whole.begins_at::timestamptz IS NULL OR t.quarter_at >= :whole.begins_at)
   AND (:whole.ends_at::timestamptz IS NULL OR t.quarter_at < :whole.ends_at)
   AND (:currency::text IS NULL OR t.currency = :currency::bpchar)
UNION ALL
SELECT r.tenant_id, r.is_revenue, t.currency, t.quarter_at,
       closing.debits_after_minor - coalesce(opening.debits_after_minor, 0),
       closing.credits_after_minor - coalesce(opening.credits_after_minor, 0)
  FROM unnest(:edges[].begins_at::timestamptz[], :edges[].ends_at::timestamptz[]) AS edge(begins_at, ends_at)
 CROSS JOIN ({earning}) AS r
  JOIN account_turnover AS t ON t.tenant_id = r.tenant_id AND t.account_id = r.account_id
       AND t.quarter_at = date_bin('15 minutes', edge.begins_at, TIMESTAMPTZ '1970-01-01 00:00:00+00')
 CROSS JOIN LATERAL ({last_of_edge}) AS closing
  LEFT JOIN LATERAL ({first_of_edge}) AS opening ON true
 WHERE (:currency::text IS NULL OR t.currency = :currency::bpchar) AND closing.version > coalesce(opening.version, 0)
"""

_SUMS = (
    "coalesce(sum(credits_minor) FILTER (WHERE is_revenue), 0) AS gross_minor, "
    "coalesce(sum(debits_minor) FILTER (WHERE is_revenue), 0) AS reversals_minor, "
    "coalesce(sum(debits_minor - credits_minor) FILTER (WHERE NOT is_revenue), 0) AS refunds_minor"
)
"""Of several accounts, each of which holds 64 bits: the sum may be more."""


def _turned(select: str) -> Statement:
    """Return a statement that sums up what was turned over in a period."""
    text = select.replace("{turned}", _TURNED)
    return Statement(
        text,
        sums=_SUMS,
        earning=_EARNING,
        last_of_edge=_LAST.replace("{instant}", "edge.ends_at"),
        first_of_edge=_LAST.replace("{instant}", "edge.begins_at"),
    )


# By the local clock's reading, which is the same on both sides of a change of clocks within the period.
_REVENUE = _turned("""
SELECT date_trunc(:granularity, quarter_at AT TIME ZONE :zone) AS local_at, currency, {sums}
  FROM ({turned}) AS turned GROUP BY 1, 2 ORDER BY 1, 2
""")
# An own unit of one tenant, whose code has a digit, is nothing beside that of another.
_REVENUE_BY_TENANT = _turned("""
SELECT tenant_id, currency, {sums} FROM ({turned}) AS turned WHERE currency !~ '[0-9]' GROUP BY 1, 2 ORDER BY 1, 2
""")


def _revenue_row(row: asyncpg.Record, *, tenant_id: str, period_at: datetime | None = None) -> RevenueRow:
    gross, reversals, refunds = (int(row[name]) for name in ("gross_minor", "reversals_minor", "refunds_minor"))
    if max(abs(gross), abs(reversals), abs(refunds)) > BALANCE_MINOR_MAX:
        raise QueryInvalid(
            f"the revenue in {row['currency']} exceeds {BALANCE_MINOR_MAX} minor units: ask for a shorter time"
        )
    return RevenueRow(
        period_at=period_at,
        tenant_id=tenant_id,
        currency=row["currency"],
        gross_minor=gross,
        reversals_minor=reversals,
        refunds_minor=refunds,
    )


async def revenue(
    connection: Connection,
    tenant_id: str,
    *,
    period: Period,
    granularity: Granularity,
    zone: ZoneInfo,
    currency: str | None,
) -> list[RevenueRow]:
    """Sum up a tenant's revenue by period on the calendar of a time zone, and by currency.

    Raises:
        QueryInvalid: when a sum is more than a message can hold.
    """
    whole, edges = period.cut()
    rows = await _REVENUE.fetch(
        connection,
        tenant_ids=[tenant_id],
        whole=whole,
        edges=edges,
        currency=currency,
        granularity=granularity,
        zone=zone.key,
    )
    return [
        # A midnight that the clocks skip is the instant of the change, one that they repeat is the first of the two.
        _revenue_row(row, tenant_id=tenant_id, period_at=row["local_at"].replace(tzinfo=zone).astimezone(UTC))
        for row in rows
    ]


# The page is cut by tenants before anything is summed, so that its cost is bounded; one without revenue takes a place
# too.
_TENANTS_WITH_BOOKS = Statement("""
SELECT DISTINCT tenant_id FROM role_accounts WHERE tenant_id > :after ORDER BY tenant_id LIMIT :limit
""")


async def tenants_with_books(connection: Connection, *, after: str, limit: int) -> list[str]:
    """List tenants that have accounts, by id."""
    rows = await _TENANTS_WITH_BOOKS.fetch(connection, after=after, limit=limit)
    return [row["tenant_id"] for row in rows]


async def revenue_by_tenant(
    connection: Connection, tenant_ids: Sequence[str], *, period: Period, currency: str | None
) -> list[RevenueRow]:
    """Sum up the revenue of some tenants, by tenant and currency."""
    whole, edges = period.cut()
    rows = await _REVENUE_BY_TENANT.fetch(
        connection, tenant_ids=list(tenant_ids), whole=whole, edges=edges, currency=currency
    )
    return [_revenue_row(row, tenant_id=row["tenant_id"]) for row in rows]


# Never a posting that is newer than the view: all figures are of its last refresh. Two probes of postings for each
# balance.
_ACCOUNT_BALANCES = Statement(
    """
SELECT a.code, a.account_type, b.currency,
       closing.debits_after_minor - coalesce(opening.debits_after_minor, 0) AS debits_minor,
       closing.credits_after_minor - coalesce(opening.credits_after_minor, 0) AS credits_minor
  FROM balances AS b JOIN accounts AS a ON a.tenant_id = b.tenant_id AND a.id = b.account_id
 CROSS JOIN LATERAL (
       SELECT v.tenant_id, v.account_id, v.currency, v.posted_last_at FROM account_turnover AS v
        WHERE v.tenant_id = b.tenant_id AND v.account_id = b.account_id AND v.currency = b.currency
        ORDER BY v.quarter_at DESC LIMIT 1) AS t
 CROSS JOIN LATERAL ({closing}) AS closing
  LEFT JOIN LATERAL ({opening}) AS opening ON true
 WHERE b.tenant_id = :tenant_id AND (:currency::text IS NULL OR b.currency = :currency::bpchar)
   AND closing.version > coalesce(opening.version, 0)
 ORDER BY a.code, b.currency
""",
    closing=_LAST.replace(
        "{instant}",
        "CASE WHEN :period.ends_at::timestamptz IS NULL THEN 'infinity' ELSE :period.ends_at::timestamptz END",
    ),
    opening=_LAST.replace(
        "{instant}",
        "CASE WHEN :period.begins_at::timestamptz IS NULL THEN '-infinity' ELSE :period.begins_at::timestamptz END",
    ),
)


async def account_balances(
    connection: Connection, tenant_id: str, *, period: Period, currency: str | None
) -> list[AccountBalance]:
    """Read what a tenant's accounts held when the view was refreshed, or turned over in a period before that."""
    rows = await _ACCOUNT_BALANCES.fetch(connection, tenant_id=tenant_id, period=period, currency=currency)
    return [
        AccountBalance(
            account=row["code"],
            account_type=AccountType(row["account_type"]),
            currency=row["currency"],
            debits_minor=row["debits_minor"],
            credits_minor=row["credits_minor"],
        )
        for row in rows
    ]
