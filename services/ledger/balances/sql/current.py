"""Balances now and in a period of record."""

from datetime import datetime

import asyncpg
import msgspec

from libs.common.contracts.ledger import AccountBalance, AccountType
from libs.common.db import Connection
from libs.common.db.statements import Statement

# From the totals that each balance keeps, not from postings. One that was begun and has neither a posting nor a hold is
# left out.
_STANDING_BALANCES = Statement("""
SELECT a.code, a.account_type, b.currency, b.debits_minor, b.credits_minor, b.pending_debits_minor,
b.pending_credits_minor
FROM balances AS b JOIN accounts AS a ON a.tenant_id = b.tenant_id AND a.id = b.account_id
WHERE b.tenant_id = :tenant_id AND (b.version > 0 OR b.pending_debits_minor > 0 OR b.pending_credits_minor > 0)
  AND (:currency::text IS NULL OR b.currency = :currency::bpchar)
ORDER BY a.code, b.currency
""")


async def standing_balances(connection: Connection, tenant_id: str, *, currency: str | None) -> list[AccountBalance]:
    """Read what a tenant's accounts hold now, by account code and currency."""
    rows = await _STANDING_BALANCES.fetch(connection, tenant_id=tenant_id, currency=currency)
    return [
        msgspec.structs.replace(
            _account_balance(row),
            pending_debits_minor=row["pending_debits_minor"],
            pending_credits_minor=row["pending_credits_minor"],
        )
        for row in rows
    ]


_LAST_BEFORE = """
SELECT l.version, l.debits_after_minor, l.credits_after_minor FROM postings AS l
 WHERE l.tenant_id = b.tenant_id AND l.account_id = b.account_id AND l.currency = b.currency
   AND l.posted_at < {instant} ORDER BY l.posted_at DESC, l.version DESC LIMIT 1
"""


# Each posting knows its account's totals, so a period is the last posting in it less the last one before it.
_BALANCES_IN_PERIOD = Statement(
    """
SELECT a.code, a.account_type, b.currency,
       closing.debits_after_minor - coalesce(opening.debits_after_minor, 0) AS debits_minor,
       closing.credits_after_minor - coalesce(opening.credits_after_minor, 0) AS credits_minor
  FROM balances AS b JOIN accounts AS a ON a.tenant_id = b.tenant_id AND a.id = b.account_id
 CROSS JOIN LATERAL ({closing}) AS closing
  LEFT JOIN LATERAL ({opening}) AS opening ON true
 WHERE b.tenant_id = :tenant_id AND (:currency::text IS NULL OR b.currency = :currency::bpchar)
   AND (:account::text IS NULL OR a.code = :account) AND closing.version > coalesce(opening.version, 0)
 ORDER BY a.code, b.currency
""",
    closing=_LAST_BEFORE.replace(
        "{instant}", "CASE WHEN :posted_until::timestamptz IS NULL THEN 'infinity' ELSE :posted_until::timestamptz END"
    ),
    opening=_LAST_BEFORE.replace(
        "{instant}", "CASE WHEN :posted_from::timestamptz IS NULL THEN '-infinity' ELSE :posted_from::timestamptz END"
    ),
)


async def balances_in_period(
    connection: Connection,
    tenant_id: str,
    *,
    posted_from: datetime | None,
    posted_until: datetime | None,
    currency: str | None,
    account: str | None = None,
) -> list[AccountBalance]:
    """Read what was posted to a tenant's accounts in a period, by account code and currency.

    Each posting knows its account's totals, so a period is the last posting in it less the last one before it: two
    index probes per account, however many postings lie between.
    """
    rows = await _BALANCES_IN_PERIOD.fetch(
        connection,
        tenant_id=tenant_id,
        posted_from=posted_from,
        posted_until=posted_until,
        currency=currency,
        account=account,
    )
    return [_account_balance(row) for row in rows]


def _account_balance(row: asyncpg.Record) -> AccountBalance:
    return AccountBalance(
        account=row["code"],
        account_type=AccountType(row["account_type"]),
        currency=row["currency"],
        debits_minor=row["debits_minor"],
        credits_minor=row["credits_minor"],
    )
