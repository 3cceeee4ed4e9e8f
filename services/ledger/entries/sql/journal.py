# ruff: noqa: S608 - statements are put together from our own words; every value is a parameter
"""Reading the journal: entries newest first, each with its lines. Every filter is answered by an index."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from libs.common.contracts.ledger import JournalEntry, PostingLine, Side
from libs.common.db import Connection, Database


class EntryFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries of a tenant are wanted; None means any."""

    tenant_id: str
    posted_from: datetime | None
    posted_until: datetime | None
    currency: str | None
    account: str | None
    payment_intent_id: UUID | None
    before: tuple[datetime, UUID] | None
    """Only entries older than this (posted_at, id)."""


async def entries(connection: Connection, wanted: EntryFilter, *, limit: int, offset: int) -> list[JournalEntry]:
    """Read entries with all their lines, newest first by (posted_at, id)."""
    question = _Question(wanted, enough=limit + offset)
    rows = await connection.fetch(
        f"WITH page AS ({question.sql} ORDER BY posted_at DESC, id DESC "
        f"LIMIT {question.slot(limit)} OFFSET {question.slot(offset)}) "
        "SELECT e.id, e.payment_intent_id, e.kind, e.occurred_at, e.posted_at, e.effective_at, e.reverses, "
        "l.side, a.code, l.amount_minor, l.currency "
        # Oldest first, as they lie: what is not in memory is then read ahead, which no disk does backwards.
        "FROM (SELECT id FROM page ORDER BY posted_at, id) AS page JOIN journal_entries AS e ON e.tenant_id = $1 AND e.id = page.id "
        "JOIN postings AS l ON l.tenant_id = $1 AND l.entry_id = e.id "
        "JOIN accounts AS a ON a.tenant_id = $1 AND a.id = l.account_id "
        # 'DEBIT' sorts after 'CREDIT'.
        "ORDER BY e.posted_at DESC, e.id DESC, l.side DESC, l.line_no",
        *question.arguments,
    )
    return _journal(rows)


async def entry_by_id(connection: Connection, tenant_id: str, entry_id: UUID) -> JournalEntry:
    """Read one entry that stands in the books, with all its lines."""
    rows = await connection.fetch(
        "SELECT e.id, e.payment_intent_id, e.kind, e.occurred_at, e.posted_at, e.effective_at, e.reverses, "
        "l.side, a.code, l.amount_minor, l.currency FROM journal_entries AS e "
        "JOIN postings AS l ON l.tenant_id = $1 AND l.entry_id = e.id "
        "JOIN accounts AS a ON a.tenant_id = $1 AND a.id = l.account_id "
        "WHERE e.tenant_id = $1 AND e.id = $2 ORDER BY l.side DESC, l.line_no",
        tenant_id,
        entry_id,
    )
    return _journal(rows)[0]


class _Question:
    """The query for the (id, posted_at) of the wanted entries, written so that an index answers each filter.

    `enough` is how many of the newest can be needed at most.
    """

    def __init__(self, wanted: EntryFilter, *, enough: int) -> None:
        self._wanted = wanted
        self.arguments: list[Any] = [wanted.tenant_id]
        by_account = ""
        if wanted.account is not None:
            by_account += f" AND a.code = {self.slot(wanted.account)}"
        if wanted.currency is not None:
            by_account += f" AND b.currency = {self.slot(wanted.currency)}::bpchar"
        if wanted.payment_intent_id is not None:
            self.sql = self._of_intent(wanted.payment_intent_id, by_account)
        elif by_account:
            self.sql = self._of_accounts(by_account, enough)
        else:
            self.sql = "SELECT e.id, e.posted_at FROM journal_entries AS e WHERE e.tenant_id = $1" + self._when(
                "e", "id"
            )

    def slot(self, value: Any) -> str:
        """Add a parameter and return its name."""
        self.arguments.append(value)
        return f"${len(self.arguments)}"

    def _when(self, row: str, entry_id: str) -> str:
        condition = ""
        if self._wanted.posted_from is not None:
            condition += f" AND {row}.posted_at >= {self.slot(self._wanted.posted_from)}"
        if self._wanted.posted_until is not None:
            condition += f" AND {row}.posted_at < {self.slot(self._wanted.posted_until)}"
        if self._wanted.before is not None:
            at, last = map(self.slot, self._wanted.before)
            # The first half is implied by the second, and lets an index begin at the right place.
            condition += f" AND {row}.posted_at <= {at} AND ({row}.posted_at, {row}.{entry_id}) < ({at}, {last})"
        return condition

    def _of_intent(self, payment_intent_id: UUID, by_account: str) -> str:
        """An intent has a handful of entries; the other filters are applied to those."""
        sql = (
            "SELECT e.id, e.posted_at FROM journal_entries AS e "
            f"WHERE e.tenant_id = $1 AND e.payment_intent_id = {self.slot(payment_intent_id)}{self._when('e', 'id')}"
        )
        if by_account:
            sql += (
                " AND EXISTS (SELECT FROM postings AS b JOIN accounts AS a ON a.tenant_id = $1 AND a.id = b.account_id"
                f" WHERE b.tenant_id = $1 AND b.entry_id = e.id{by_account})"
            )
        return sql

    def _of_accounts(self, by_account: str, enough: int) -> str:
        """The newest of each account and currency that fits, merged: no account is read further than can be needed."""
        return (
            "SELECT DISTINCT newest.id, newest.posted_at FROM accounts AS a "
            "JOIN balances AS b ON b.tenant_id = $1 AND b.account_id = a.id CROSS JOIN LATERAL ("
            "SELECT l.entry_id AS id, l.posted_at FROM postings AS l "
            "WHERE l.tenant_id = $1 AND l.account_id = b.account_id AND l.currency = b.currency"
            f"{self._when('l', 'entry_id')} "
            # Of several lines of one entry the last one counts. DISTINCT would read all postings of the account first.
            "AND NOT EXISTS (SELECT FROM postings AS later WHERE later.tenant_id = $1 AND later.entry_id = l.entry_id "
            "AND later.account_id = l.account_id AND later.currency = l.currency AND later.line_no > l.line_no) "
            # Entries on one account never share an instant, so the version orders what the id would.
            f"ORDER BY l.posted_at DESC, l.version DESC LIMIT {self.slot(enough)}"
            f") AS newest WHERE a.tenant_id = $1{by_account}"
        )


def _journal(rows: Sequence[asyncpg.Record]) -> list[JournalEntry]:
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


async def entries_of_intents(database: Database, intents: Sequence[tuple[str, UUID]]) -> list[IntentEntry]:
    """Find the entries of payment intents, named by tenant and id."""
    rows = await database.fetch(
        "SELECT e.payment_intent_id, e.kind FROM unnest($1::text[], $2::uuid[]) AS w(tenant_id, id) "
        "JOIN journal_entries e ON e.tenant_id = w.tenant_id AND e.payment_intent_id = w.id",
        [tenant_id for tenant_id, _ in intents],
        [intent for _, intent in intents],
    )
    return [IntentEntry(**row) for row in rows]
