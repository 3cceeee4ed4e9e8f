# ruff: noqa: S608 - put together from our own words
"""Balances by effective time. Postings are summed by the day, the hour and the minute at which they count, a little after
they are recorded; what is not summed yet is read one by one, so that an answer is exact at any moment.

Nothing of this is on the way of a posting. It is safe because an account's postings are recorded one after the other under
the lock of its balance: what has a version up to the fold's stands in the totals, and nothing else does.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.contracts.ledger import AccountBalance, AccountType
from libs.common.db import Connection
from libs.common.db.statements import Statement

# Tried, never waited for: whatever another process is summing need not be summed here. It ends with the transaction.
_LOCK = Statement("SELECT pg_try_advisory_xact_lock(x'666f6c64'::int8)")
"""One process folds at a time (0x666f6c64 is "fold")."""

_ORDINARY = "p.posted_at - p.effective_at BETWEEN interval '0 seconds' AND interval '60 seconds'"
"""A posting that counts from shortly before it was recorded; the others have an index of their own."""

_DUE = """
SELECT b.tenant_id, b.account_id, b.currency, coalesce(f.version, 0) AS version,
       coalesce(f.posted_at, '-infinity') AS posted_at
  FROM {accounts} AS b
  LEFT JOIN effective_folds AS f USING (tenant_id, account_id, currency)
 WHERE b.version - coalesce(f.version, 0) >= :postings_min LIMIT :accounts_max
"""
_NAMED = """(
    SELECT tenant_id, account_id, currency, version FROM balances
    JOIN unnest(:tenant_ids::text[], :account_ids::uuid[], :currencies::bpchar[]) AS named (tenant_id, account_id,
           currency)
   USING (tenant_id, account_id, currency))"""

_FOLD = """
WITH due AS ({due}), tail AS (
    SELECT due.tenant_id, due.account_id, due.currency, p.version, p.posted_at, p.effective_at, p.side, p.amount_minor
      FROM due CROSS JOIN LATERAL (
        SELECT * FROM postings AS p
         WHERE p.tenant_id = due.tenant_id AND p.account_id = due.account_id AND p.currency = due.currency
           AND p.posted_at >= due.posted_at AND p.version > due.version
         ORDER BY p.posted_at, p.version LIMIT :postings_max) AS p
), added AS (
    INSERT INTO effective_totals AS t (tenant_id, account_id, currency, grain, starts_at, debits_minor, credits_minor)
    SELECT tenant_id, account_id, currency, upper(grain), date_trunc(grain, effective_at, 'UTC'),
           coalesce(sum(amount_minor) FILTER (WHERE side = 'DEBIT'), 0),
           coalesce(sum(amount_minor) FILTER (WHERE side = 'CREDIT'), 0)
      FROM tail CROSS JOIN (VALUES ('day'), ('hour'), ('minute')) AS of(grain)
     GROUP BY 1, 2, 3, 4, 5
        ON CONFLICT (account_id, currency, grain, starts_at, tenant_id)
        DO UPDATE SET debits_minor = t.debits_minor + excluded.debits_minor,
                      credits_minor = t.credits_minor + excluded.credits_minor
), folded AS (
    INSERT INTO effective_folds AS f (tenant_id, account_id, currency, version, posted_at)
    SELECT tenant_id, account_id, currency, max(version), max(posted_at) FROM tail GROUP BY 1, 2, 3
        ON CONFLICT (tenant_id, account_id, currency)
        DO UPDATE SET version = excluded.version, posted_at = excluded.posted_at
)
SELECT count(*) FROM tail
"""

# Totals and how far they reach change in one statement, so that no reader counts a posting twice or not at all.
_FOLD_ALL = Statement(_FOLD, due=_DUE.replace("{accounts}", "balances"))
# The same for what `_LOOK` has found, so that not all balances are read; another process may have summed it since, so
# it must still be due.
_FOLD_NAMED = Statement(_FOLD, due=_DUE.replace("{accounts}", _NAMED))
_BEGIN = ("", UUID(int=0), "")
# The next balances in the order of their key, and the busy ones.
_LOOK = Statement(
    """
WITH looked AS (
    SELECT tenant_id, account_id, currency, version, true AS is_next FROM (
        SELECT tenant_id, account_id, currency, version FROM balances
         WHERE (tenant_id, account_id, currency) > (:after_tenant_id, :after_account_id, :after_currency)
         ORDER BY tenant_id, account_id, currency LIMIT :accounts_max) AS next
    UNION ALL
    SELECT tenant_id, account_id, currency, version, false FROM {named} AS named
)
SELECT b.tenant_id, b.account_id, b.currency, b.is_next, b.version - coalesce(f.version, 0) >= :postings_min AS is_due
  FROM looked AS b LEFT JOIN effective_folds AS f USING (tenant_id, account_id, currency)
 ORDER BY b.tenant_id, b.account_id, b.currency
""",
    named=_NAMED,
)

type AccountKey = tuple[str, UUID, str]
"""Tenant, account and currency."""


class FoldCursor:
    """Where one process goes on looking for postings to sum, and the accounts in which it found some last.

    Balances are looked through a part at a time, so that a round costs the same however many there are; busy accounts are
    looked at in every round.
    """

    def __init__(self) -> None:
        self.after: AccountKey = _BEGIN
        self.busy: dict[AccountKey, None] = {}


async def look(tx: Connection, cursor: FoldCursor, *, postings_min: int, accounts_max: int) -> list[AccountKey]:
    """Look at the busy accounts and at the next `accounts_max` balances; returns those with so many unsummed postings.

    Nothing while another process is at it.
    """
    if not await _LOCK.fetchval(tx):
        return []
    busy = list(cursor.busy)[:accounts_max]
    tenant_id, account_id, currency = cursor.after
    rows = await _LOOK.fetch(
        tx,
        postings_min=postings_min,
        after_tenant_id=tenant_id,
        after_account_id=account_id,
        after_currency=currency,
        accounts_max=accounts_max,
        **_columns(busy),
    )
    keys = [(row["tenant_id"], row["account_id"], row["currency"]) for row in rows]
    passed = [key for key, row in zip(keys, rows, strict=True) if row["is_next"]]
    cursor.after = passed[-1] if len(passed) == accounts_max else _BEGIN
    cursor.busy = {key: None for key, row in zip(keys, rows, strict=True) if row["is_due"]}
    return list(cursor.busy)


async def fold(
    tx: Connection,
    *,
    postings_min: int,
    accounts_max: int,
    postings_max: int,
    accounts: Sequence[AccountKey] | None = None,
) -> int:
    """Sum the postings of accounts that have at least `postings_min` unsummed ones; returns how many were summed.

    Of `accounts`, or of all. At most `accounts_max` accounts and `postings_max` postings of each at a time; 0 also while
    another process is at it.
    """
    if not await _LOCK.fetchval(tx):
        return 0
    limits = {"postings_min": postings_min, "accounts_max": accounts_max, "postings_max": postings_max}
    if accounts is None:
        return int(await _FOLD_ALL.fetchval(tx, **limits))
    return int(await _FOLD_NAMED.fetchval(tx, **limits, **_columns(accounts)))


def _columns(accounts: Sequence[AccountKey]) -> dict[str, list[Any]]:
    return {name: [key[i] for key in accounts] for i, name in enumerate(("tenant_ids", "account_ids", "currencies"))}


_OF_ACCOUNT = "{row}.tenant_id = b.tenant_id AND {row}.account_id = b.account_id AND {row}.currency = b.currency"

_SIDES = (
    "CASE side WHEN 'DEBIT' THEN amount_minor ELSE 0 END AS debits_minor, "
    "CASE side WHEN 'CREDIT' THEN amount_minor ELSE 0 END AS credits_minor"
)

_TOTALS = "SELECT debits_minor, credits_minor FROM effective_totals AS t WHERE " + _OF_ACCOUNT.replace("{row}", "t")

_POSTINGS = "SELECT " + _SIDES + " FROM postings AS p WHERE " + _OF_ACCOUNT.replace("{row}", "p")

# In one snapshot, so that each posting counts once: in a total up to the fold's version, by itself after it. Days, then
# hours, then minutes, so that few single postings are read.
_BALANCES = Statement(
    """
SELECT a.code, a.account_type, b.currency, total.debits_minor, total.credits_minor
  FROM balances AS b
  JOIN accounts AS a ON a.tenant_id = b.tenant_id AND a.id = b.account_id
  LEFT JOIN effective_folds AS f
         ON f.tenant_id = b.tenant_id AND f.account_id = b.account_id AND f.currency = b.currency
 CROSS JOIN LATERAL (
    SELECT coalesce(sum(debits_minor), 0)::int8 AS debits_minor, coalesce(sum(credits_minor),
           0)::int8 AS credits_minor,
           count(*) AS parts
      FROM (
        {totals} AND t.grain = 'DAY' AND t.starts_at < date_trunc('day', :before::timestamptz, 'UTC')
        UNION ALL
        {totals} AND t.grain = 'HOUR' AND t.starts_at >= date_trunc('day', :before::timestamptz, 'UTC')
           AND t.starts_at < date_trunc('hour', :before::timestamptz, 'UTC')
        UNION ALL
        {totals} AND t.grain = 'MINUTE' AND t.starts_at >= date_trunc('hour', :before::timestamptz, 'UTC')
           AND t.starts_at < date_trunc('minute', :before::timestamptz, 'UTC')
        UNION ALL
        {postings} AND p.version <= f.version AND {ordinary}
           AND p.effective_at >= date_trunc('minute', :before::timestamptz, 'UTC')
             AND p.effective_at < :before::timestamptz
           AND p.posted_at >= date_trunc('minute', :before::timestamptz, 'UTC')
           AND p.posted_at < :before::timestamptz + interval '61 seconds'
        UNION ALL
        {postings} AND p.version <= f.version AND {extraordinary}
           AND p.effective_at >= date_trunc('minute', :before::timestamptz, 'UTC')
             AND p.effective_at < :before::timestamptz
        UNION ALL
        {postings} AND p.version > CASE WHEN f.version IS NULL THEN 0 ELSE f.version END
           AND p.posted_at >= CASE WHEN f.posted_at IS NULL THEN '-infinity' ELSE f.posted_at END
           AND p.effective_at < :before::timestamptz
      ) AS part) AS total
 WHERE b.tenant_id = :tenant_id AND (:currency::text IS NULL OR b.currency = :currency::bpchar)
   AND (:account::text IS NULL OR a.code = :account) AND total.parts > 0
 ORDER BY a.code, b.currency
""",
    totals=_TOTALS,
    postings=_POSTINGS,
    ordinary=_ORDINARY,
    extraordinary=_ORDINARY.replace("BETWEEN", "NOT BETWEEN"),
)


async def effective_balances(
    connection: Connection, tenant_id: str, *, before: datetime, currency: str | None, account: str | None = None
) -> list[AccountBalance]:
    """Read what a tenant's accounts held by what counted before an instant, by account code and currency."""
    rows = await _BALANCES.fetch(connection, tenant_id=tenant_id, before=before, currency=currency, account=account)
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
