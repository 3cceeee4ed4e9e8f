# ruff: noqa: S608 - statements are put together from our own words; every value is a parameter
"""Balances now and in a period of record."""

from datetime import datetime

import asyncpg
import msgspec

from libs.common.contracts.ledger import AccountBalance, AccountType
from libs.common.db import Connection


async def standing_balances(connection: Connection, tenant_id: str, *, currency: str | None) -> list[AccountBalance]:
    """Read what a tenant's accounts hold now, by account code and currency."""
    rows = await connection.fetch(
        "SELECT a.code, a.account_type, b.currency, b.debits_minor, b.credits_minor, b.pending_debits_minor, "
        "b.pending_credits_minor "
        "FROM balances AS b JOIN accounts AS a ON a.tenant_id = b.tenant_id AND a.id = b.account_id "
        "WHERE b.tenant_id = $1 AND (b.version > 0 OR b.pending_debits_minor > 0 OR b.pending_credits_minor > 0) AND ($2::text IS NULL OR b.currency = $2::bpchar) "
        "ORDER BY a.code, b.currency",
        tenant_id,
        currency,
    )
    return [
        msgspec.structs.replace(
            _account_balance(row),
            pending_debits_minor=row["pending_debits_minor"],
            pending_credits_minor=row["pending_credits_minor"],
        )
        for row in rows
    ]


_LAST_BEFORE = (
    "SELECT l.version, l.debits_after_minor, l.credits_after_minor FROM postings AS l "
    "WHERE l.tenant_id = b.tenant_id AND l.account_id = b.account_id AND l.currency = b.currency "
    "AND l.posted_at < {instant} ORDER BY l.posted_at DESC, l.version DESC LIMIT 1"
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
    rows = await connection.fetch(
        "SELECT a.code, a.account_type, b.currency, "
        "closing.debits_after_minor - coalesce(opening.debits_after_minor, 0) AS debits_minor, "
        "closing.credits_after_minor - coalesce(opening.credits_after_minor, 0) AS credits_minor "
        "FROM balances AS b JOIN accounts AS a ON a.tenant_id = b.tenant_id AND a.id = b.account_id "
        f"CROSS JOIN LATERAL ({_LAST_BEFORE.format(instant="coalesce($3::timestamptz, 'infinity')")}) AS closing "
        f"LEFT JOIN LATERAL ({_LAST_BEFORE.format(instant="coalesce($2::timestamptz, '-infinity')")}) AS opening ON true "
        "WHERE b.tenant_id = $1 AND ($4::text IS NULL OR b.currency = $4::bpchar) AND ($5::text IS NULL OR a.code = $5) "
        "AND closing.version > coalesce(opening.version, 0) "
        "ORDER BY a.code, b.currency",
        tenant_id,
        posted_from,
        posted_until,
        currency,
        account,
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
