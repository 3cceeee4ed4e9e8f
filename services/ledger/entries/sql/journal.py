"""Reading the journal: entries newest first, each with its lines. Every filter is answered by an index."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from libs.common.contracts.ledger import JournalEntry, PostingLine, Side
from libs.common.db import Connection, Database
from libs.common.db.statements import Statement


class EntryFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries of a tenant are listed; None means any."""

    tenant_id: str
    posted_from: datetime | None
    posted_until: datetime | None
    currency: str | None
    account: str | None
    payment_intent_id: UUID | None
    before: tuple[datetime, UUID] | None
    """Only entries older than this (posted_at, id)."""


_ENTRY = """
e.id, e.payment_intent_id, e.kind, e.occurred_at, e.posted_at, e.effective_at, e.reverses,
       l.side, a.code, l.amount_minor, l.currency
"""
# The page is found first. Its entries are read oldest first, as they lie: what is not in memory is then read ahead, which no
# disk does backwards. 'DEBIT' sorts after 'CREDIT'.
_ENTRIES = """
WITH page AS ({page} ORDER BY posted_at DESC, id DESC LIMIT :limit OFFSET :offset)
SELECT {entry}
  FROM (SELECT id FROM page ORDER BY posted_at, id) AS page
  JOIN journal_entries AS e ON e.tenant_id = :filter.tenant_id AND e.id = page.id
  JOIN postings AS l ON l.tenant_id = :filter.tenant_id AND l.entry_id = e.id
  JOIN accounts AS a ON a.tenant_id = :filter.tenant_id AND a.id = l.account_id
 ORDER BY e.posted_at DESC, e.id DESC, l.side DESC, l.line_no
"""
# An intent has a handful of entries; the other filters are applied to those.
_OF_INTENT = """
SELECT e.id, e.posted_at FROM journal_entries AS e
 WHERE e.tenant_id = :filter.tenant_id AND e.payment_intent_id = :filter.payment_intent_id{span}
"""
_OF_INTENT_AND_ACCOUNTS = """
SELECT e.id, e.posted_at FROM journal_entries AS e
 WHERE e.tenant_id = :filter.tenant_id AND e.payment_intent_id = :filter.payment_intent_id{span}
   AND EXISTS (SELECT FROM postings AS b
                 JOIN accounts AS a ON a.tenant_id = :filter.tenant_id AND a.id = b.account_id
                WHERE b.tenant_id = :filter.tenant_id AND b.entry_id = e.id{by_account})
"""
# The newest of each account and currency that fits, merged: no account is read further than can be needed. Of several lines of
# one entry the last one counts; DISTINCT would read all postings of the account first. Entries on one account never share
# an instant, so the version orders what the id would.
_OF_ACCOUNTS = """
SELECT DISTINCT newest.id, newest.posted_at
  FROM accounts AS a
  JOIN balances AS b ON b.tenant_id = :filter.tenant_id AND b.account_id = a.id
 CROSS JOIN LATERAL (
       SELECT l.entry_id AS id, l.posted_at FROM postings AS l
        WHERE l.tenant_id = :filter.tenant_id AND l.account_id = b.account_id AND l.currency = b.currency{span}
          AND NOT EXISTS (SELECT FROM postings AS later
                           WHERE later.tenant_id = :filter.tenant_id AND later.entry_id = l.entry_id
                             AND later.account_id = l.account_id AND later.currency = l.currency
                             AND later.line_no > l.line_no)
        ORDER BY l.posted_at DESC, l.version DESC LIMIT :newest) AS newest
 WHERE a.tenant_id = :filter.tenant_id{by_account}
"""
_OF_TENANT = "SELECT e.id, e.posted_at FROM journal_entries AS e WHERE e.tenant_id = :filter.tenant_id{span}"
_SPANS = {
    "posted_from": " AND {row}.posted_at >= :filter.posted_from",
    "posted_until": " AND {row}.posted_at < :filter.posted_until",
    # The first half is implied by the second, and lets an index begin at the right place.
    "before": " AND {row}.posted_at <= :before_at AND ({row}.posted_at, {row}.{id}) < (:before_at, :before_id)",
}
_BY_ACCOUNT = {"account": " AND a.code = :filter.account", "currency": " AND b.currency = :filter.currency::bpchar"}


@cache
def _entries_by(names: frozenset[str]) -> Statement:
    """Return the statement for the filters of these names, written so that an index answers each."""
    by_account = "".join(condition for name, condition in _BY_ACCOUNT.items() if name in names)
    if "payment_intent_id" in names:
        page = _OF_INTENT_AND_ACCOUNTS if by_account else _OF_INTENT
    else:
        page = _OF_ACCOUNTS if by_account else _OF_TENANT
    row, entry_id = ("l", "entry_id") if page is _OF_ACCOUNTS else ("e", "id")
    span = "".join(condition for name, condition in _SPANS.items() if name in names)
    span = span.replace("{row}", row).replace("{id}", entry_id)
    page = page.replace("{span}", span).replace("{by_account}", by_account)
    return Statement(_ENTRIES, page=page, entry=_ENTRY)


async def entries(connection: Connection, criteria: EntryFilter, *, limit: int, offset: int) -> list[JournalEntry]:
    """Read entries with all their lines, newest first by (posted_at, id)."""
    names = frozenset(name for name in EntryFilter.__struct_fields__ if getattr(criteria, name) is not None)
    statement = _entries_by(names)
    values: dict[str, Any] = {"filter": criteria, "limit": limit, "offset": offset}
    if criteria.before is not None:
        values["before_at"], values["before_id"] = criteria.before
    if "payment_intent_id" not in names and names & _BY_ACCOUNT.keys():
        # The newest of each account that can be needed at most.
        values["newest"] = limit + offset
    return journal_of(await statement.fetch(connection, **values))


# The page is cut along `ix_journal_entries_posted_at`; `after_at` alone lets the index begin at the right place.
_ENTRIES_AFTER = Statement(
    """
WITH page AS (SELECT id, posted_at FROM journal_entries
               WHERE tenant_id = :tenant_id AND posted_at >= :after_at AND posted_at < :before
                 AND (posted_at, id) > (:after_at, :after_id::uuid)
               ORDER BY posted_at, id LIMIT :limit)
SELECT {entry} FROM page
  JOIN journal_entries AS e ON e.tenant_id = :tenant_id AND e.id = page.id
  JOIN postings AS l ON l.tenant_id = :tenant_id AND l.entry_id = e.id
  JOIN accounts AS a ON a.tenant_id = :tenant_id AND a.id = l.account_id
 ORDER BY e.posted_at, e.id, l.side DESC, l.line_no
""",
    entry=_ENTRY,
)


# By the primary key: whoever follows has read the entry, so it is there for ever.
_POSTED_AT = Statement("SELECT posted_at FROM journal_entries WHERE id = :entry_id AND tenant_id = :tenant_id")


async def posted_at(connection: Connection, tenant_id: str, entry_id: UUID) -> datetime | None:
    """Read when an entry was recorded; None where the tenant has no such entry."""
    found: datetime | None = await _POSTED_AT.fetchval(connection, tenant_id=tenant_id, entry_id=entry_id)
    return found


async def entries_after(
    connection: Connection, tenant_id: str, *, after: tuple[datetime, UUID], before: datetime, limit: int
) -> list[JournalEntry]:
    """Read entries after a place and before an instant of record, oldest first by (posted_at, id)."""
    rows = await _ENTRIES_AFTER.fetch(
        connection, tenant_id=tenant_id, after_at=after[0], after_id=after[1], before=before, limit=limit
    )
    return journal_of(rows)


# By the primary keys of entries and postings, without a lock: neither ever changes.
_ENTRY_BY_ID = Statement(
    """
SELECT {entry} FROM journal_entries AS e
JOIN postings AS l ON l.tenant_id = :tenant_id AND l.entry_id = e.id
JOIN accounts AS a ON a.tenant_id = :tenant_id AND a.id = l.account_id
WHERE e.tenant_id = :tenant_id AND e.id = :entry_id ORDER BY l.side DESC, l.line_no
""",
    entry=_ENTRY,
)


async def entry_by_id(connection: Connection, tenant_id: str, entry_id: UUID) -> JournalEntry:
    """Read one entry that stands in the books, with all its lines."""
    rows = await _ENTRY_BY_ID.fetch(connection, tenant_id=tenant_id, entry_id=entry_id)
    return journal_of(rows)[0]


def journal_of(rows: Sequence[asyncpg.Record]) -> list[JournalEntry]:
    """Read entries of rows, one for each line, those of an entry together."""
    journal: list[JournalEntry] = []
    for row in rows:
        if not journal or journal[-1].id != row["id"]:
            journal.append(
                JournalEntry(
                    id=row["id"],
                    payment_intent_id=row["payment_intent_id"],
                    kind=row["kind"],
                    occurred_at=row["occurred_at"],
                    posted_at=row["posted_at"],
                    lines=[],
                    effective_at=row["effective_at"],
                    reverses=row["reverses"],
                )
            )
        journal[-1].lines.append(
            PostingLine(
                side=Side(row["side"]),
                account=row["code"],
                amount_minor=row["amount_minor"],
                currency=row["currency"],
            )
        )
    return journal


class IntentEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of a payment intent, as an operator looks for it."""

    payment_intent_id: UUID
    kind: str


# By `ix_journal_entries_payment`, for payments of several tenants at once.
_ENTRIES_OF_INTENTS = Statement("""
SELECT e.payment_intent_id, e.kind FROM unnest(:tenant_ids::text[], :intent_ids::uuid[]) AS w(tenant_id, id)
JOIN journal_entries e ON e.tenant_id = w.tenant_id AND e.payment_intent_id = w.id
""")


async def entries_of_intents(database: Database, intents: Sequence[tuple[str, UUID]]) -> list[IntentEntry]:
    """Find the entries of payment intents, named by tenant and id."""
    async with database.connection() as connection:
        rows = await _ENTRIES_OF_INTENTS.fetch(
            connection, tenant_ids=[tenant_id for tenant_id, _ in intents], intent_ids=[intent for _, intent in intents]
        )
    return [IntentEntry(**row) for row in rows]
