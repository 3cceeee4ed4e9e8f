"""Reading the books as an accountant does: trial balance, account statement, general journal. Always from the books."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from libs.common.contracts.ledger import AccountType, EntryKind, Side
from libs.common.contracts.ledger_reports import EntryReport, JournalLine, JournalRecord, StatementLine, TrialBalanceRow
from libs.common.db import Connection
from libs.common.db.statements import Statement
from libs.common.ids import derived_id
from services.ledger.core import Account
from services.ledger.reports.sql.views import Period

_SIDES = (EntryKind.CONVERSION_SOLD.value, EntryKind.CONVERSION_BOUGHT.value)
"""The two entries of an exchange of currencies."""
_AFTER_TIME = (1 << 80) - 1
"""What follows the time in an id."""

# One statement, so that all accounts are of one moment; one probe of `uq_postings_posted_at` for each.
_TRIAL_BALANCE = Statement("""
SELECT a.code, a.label, a.account_type, b.currency, l.debits_after_minor, l.credits_after_minor
FROM balances AS b JOIN accounts AS a ON a.tenant_id = b.tenant_id AND a.id = b.account_id
CROSS JOIN LATERAL (SELECT debits_after_minor, credits_after_minor FROM postings AS p
WHERE p.tenant_id = b.tenant_id AND p.account_id = b.account_id AND p.currency = b.currency
AND p.posted_at < CASE WHEN :before::timestamptz IS NULL THEN 'infinity' ELSE :before::timestamptz END ORDER BY p.posted_at DESC, p.version DESC LIMIT 1) AS l
WHERE b.tenant_id = :tenant_id ORDER BY a.code, b.currency
""")


async def trial_balance(connection: Connection, tenant_id: str, *, before: datetime | None) -> list[TrialBalanceRow]:
    """Read every account's totals before an instant of record (None: now), in one statement: all of one moment.

    The last posting of an account before the instant knows its totals: one index probe each.
    """
    rows = await _TRIAL_BALANCE.fetch(connection, tenant_id=tenant_id, before=before)
    return [
        TrialBalanceRow(
            account=row["code"],
            label=row["label"],
            account_type=AccountType(row["account_type"]),
            currency=row["currency"],
            debits_minor=row["debits_after_minor"],
            credits_minor=row["credits_after_minor"],
        )
        for row in rows
    ]


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What an account held right after one of its postings."""

    debits_minor: int = 0
    credits_minor: int = 0
    posted_at: datetime | None = None
    """When that posting was recorded; None before the first."""


# One probe of `uq_postings_posted_at`: a posting has the totals after it, and a balance only those of now.
_STANDING_BEFORE = Statement("""
SELECT debits_after_minor, credits_after_minor, posted_at FROM postings
WHERE tenant_id = :account.tenant_id AND account_id = :account.id AND currency = :currency::bpchar
AND posted_at < CASE WHEN :instant::timestamptz IS NULL THEN 'infinity' ELSE :instant::timestamptz END ORDER BY posted_at DESC, version DESC LIMIT 1
""")


async def standing_before(
    connection: Connection, account: Account, currency: str, instant: datetime | None
) -> Standing:
    """Read what an account held before an instant of record; None is now."""
    row = await _STANDING_BEFORE.fetchrow(connection, account=account, currency=currency, instant=instant)
    if row is None:
        return Standing()
    return Standing(
        debits_minor=row["debits_after_minor"], credits_minor=row["credits_after_minor"], posted_at=row["posted_at"]
    )


# The page is cut along `uq_postings_posted_at` before anything is joined. `from_at` repeats a part of `after_at`, and
# lets the index begin at the right place.
_STATEMENT_LINES = Statement("""
SELECT p.version, p.posted_at, e.occurred_at, p.entry_id, e.kind, m.description, m.made_by, m.approved_by,
e.payment_intent_id, e.chain, e.sequence, e.position, p.side, p.amount_minor, p.debits_after_minor, p.credits_after_minor
FROM (SELECT * FROM postings WHERE tenant_id = :account.tenant_id AND account_id = :account.id
  AND currency = :currency::bpchar
AND posted_at >= CASE WHEN :from_at::timestamptz IS NULL THEN '-infinity' ELSE :from_at::timestamptz END AND posted_at <= :until
AND (posted_at, version) > (CASE WHEN :after_at::timestamptz IS NULL THEN '-infinity' ELSE :after_at::timestamptz END, :after_version::int8)
ORDER BY posted_at, version LIMIT :limit) AS p
JOIN journal_entries AS e ON e.tenant_id = :account.tenant_id AND e.id = p.entry_id
LEFT JOIN manual_entries AS m ON m.tenant_id = :account.tenant_id AND m.entry_id = p.entry_id
ORDER BY p.posted_at, p.version
""")


async def statement_lines(
    connection: Connection,
    account: Account,
    currency: str,
    *,
    begins_at: datetime | None,
    until: datetime,
    after: tuple[datetime, int] | None,
    limit: int,
) -> list[tuple[int, StatementLine]]:
    """Read an account's postings, oldest first, each with its version; `until` is included, `after` is not."""
    rows = await _STATEMENT_LINES.fetch(
        connection,
        account=account,
        currency=currency,
        from_at=begins_at if after is None else after[0],
        until=until,
        after_at=None if after is None else after[0],
        after_version=0 if after is None else after[1],
        limit=limit,
    )
    conversions = await _conversions_of(connection, account.tenant_id, [(row["entry_id"], row["kind"]) for row in rows])
    return [(row["version"], _statement_line(row, conversions)) for row in rows]


def _statement_line(row: asyncpg.Record, conversions: Mapping[UUID, UUID]) -> StatementLine:
    return StatementLine(
        posted_at=row["posted_at"],
        occurred_at=row["occurred_at"],
        entry_id=row["entry_id"],
        kind=row["kind"],
        number=_number(row),
        description=row["description"],
        made_by=row["made_by"],
        approved_by=row["approved_by"],
        payment_intent_id=row["payment_intent_id"],
        conversion_id=conversions.get(row["entry_id"]),
        side=Side(row["side"]),
        amount_minor=row["amount_minor"],
        debits_after_minor=row["debits_after_minor"],
        credits_after_minor=row["credits_after_minor"],
    )


# The page is cut along `ix_journal_entries_posted_at` before anything is joined. `from_at` repeats a part of
# `after_at`, and lets the index begin at the right place.
_JOURNAL = Statement("""
WITH page AS (SELECT id, posted_at, occurred_at, effective_at, kind, payment_intent_id, reverses,
chain, sequence, position FROM journal_entries
WHERE tenant_id = :tenant_id AND posted_at >= CASE WHEN :from_at::timestamptz IS NULL THEN '-infinity' ELSE :from_at::timestamptz END
AND posted_at < CASE WHEN :period.ends_at::timestamptz IS NULL THEN 'infinity' ELSE :period.ends_at::timestamptz END
AND (posted_at, id) > (CASE WHEN :after_at::timestamptz IS NULL THEN '-infinity' ELSE :after_at::timestamptz END, :after_id::uuid)
ORDER BY posted_at, id LIMIT :limit)
SELECT page.*, m.description, m.made_by, m.approved_by, l.side, a.code, a.label, a.account_type, l.amount_minor, l.currency
FROM page JOIN postings AS l ON l.tenant_id = :tenant_id AND l.entry_id = page.id
JOIN accounts AS a ON a.tenant_id = :tenant_id AND a.id = l.account_id
LEFT JOIN manual_entries AS m ON m.tenant_id = :tenant_id AND m.entry_id = page.id
ORDER BY page.posted_at, page.id, l.line_no
""")


async def journal(
    connection: Connection, tenant_id: str, *, period: Period, after: tuple[datetime, UUID] | None, limit: int
) -> list[JournalRecord]:
    """Read entries with all their lines, oldest first by (posted_at, id)."""
    rows = await _JOURNAL.fetch(
        connection,
        tenant_id=tenant_id,
        from_at=period.begins_at if after is None else after[0],
        period=period,
        after_at=None if after is None else after[0],
        after_id=UUID(int=0) if after is None else after[1],
        limit=limit,
    )
    found = _records(rows)
    conversions = await _conversions_of(connection, tenant_id, [(each.id, each.kind) for each in found])
    return [msgspec.structs.replace(each, conversion_id=conversions.get(each.id)) for each in found]


# By the primary keys; whether it was taken back by `uq_journal_entries_reverses`.
_ENTRY = Statement("""
SELECT e.id, e.posted_at, e.occurred_at, e.effective_at, e.kind, e.payment_intent_id, e.reverses, e.chain, e.sequence, e.position,
m.description, m.made_by, m.approved_by, l.side, a.code, a.label, a.account_type, l.amount_minor, l.currency,
(SELECT r.id FROM journal_entries AS r WHERE r.tenant_id = :tenant_id AND r.reverses = e.id) AS reversed_by
FROM journal_entries AS e JOIN postings AS l ON l.tenant_id = :tenant_id AND l.entry_id = e.id
JOIN accounts AS a ON a.tenant_id = :tenant_id AND a.id = l.account_id
LEFT JOIN manual_entries AS m ON m.tenant_id = :tenant_id AND m.entry_id = e.id
WHERE e.tenant_id = :tenant_id AND e.id = :entry_id ORDER BY l.line_no
""")


async def entry(connection: Connection, tenant_id: str, entry_id: UUID) -> EntryReport | None:
    """Read an entry with all its lines; None where the tenant's books have none of this id."""
    rows = await _ENTRY.fetch(connection, tenant_id=tenant_id, entry_id=entry_id)
    if not rows:
        return None
    [record] = _records(rows)
    conversions = await _conversions_of(connection, tenant_id, [(record.id, record.kind)])
    return EntryReport(
        entry=msgspec.structs.replace(record, conversion_id=conversions.get(record.id)),
        reversed_by=rows[0]["reversed_by"],
    )


# Within the primary key: the id of such an entry has the time of the conversion's own, as `derived_id` keeps it.
_CONVERSIONS = Statement("""
SELECT DISTINCT c.id FROM unnest(:first_ids::uuid[], :last_ids::uuid[]) AS within(first_id, last_id)
JOIN conversions AS c ON c.tenant_id = :tenant_id AND c.id BETWEEN within.first_id AND within.last_id
""")


async def _conversions_of(
    connection: Connection, tenant_id: str, entries: Iterable[tuple[UUID, str]]
) -> dict[UUID, UUID]:
    """Find the conversion of each entry, given with its kind, that is one side of such an exchange."""
    sides = [entry_id.int for entry_id, kind in entries if kind in _SIDES]
    if not sides:
        return {}
    rows = await _CONVERSIONS.fetch(
        connection,
        tenant_id=tenant_id,
        first_ids=[UUID(int=number & ~_AFTER_TIME) for number in sides],
        last_ids=[UUID(int=number | _AFTER_TIME) for number in sides],
    )
    return {derived_id(row["id"], kind): row["id"] for row in rows for kind in _SIDES}


def _number(row: asyncpg.Record) -> str:
    # Begins with a letter: spreadsheets take three numbers for a date.
    return f"c{row['chain']}-{row['sequence']}-{row['position']}"


def _records(rows: Sequence[asyncpg.Record]) -> list[JournalRecord]:
    found: list[JournalRecord] = []
    for row in rows:
        if not found or found[-1].id != row["id"]:
            found.append(
                JournalRecord(
                    id=row["id"],
                    posted_at=row["posted_at"],
                    occurred_at=row["occurred_at"],
                    kind=row["kind"],
                    number=_number(row),
                    effective_at=row["effective_at"],
                    reverses=row["reverses"],
                    description=row["description"],
                    made_by=row["made_by"],
                    approved_by=row["approved_by"],
                    payment_intent_id=row["payment_intent_id"],
                    lines=[],
                )
            )
        found[-1].lines.append(
            JournalLine(
                side=Side(row["side"]),
                account=row["code"],
                label=row["label"],
                account_type=AccountType(row["account_type"]),
                amount_minor=row["amount_minor"],
                currency=row["currency"],
            )
        )
    return found
