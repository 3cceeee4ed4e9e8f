# ruff: noqa: S608 - statements are put together from our own words; every value is a parameter
"""What the posting engine reads, locks and writes: sets in, sets out, a handful of statements for any number of entries."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from libs.common.db import Connection
from libs.common.messaging import Saying, insert_outbox, outbox_arrays
from services.ledger.domain import Balance, Entry


class NewEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry as it is written: with its instant of record, and what each line leaves on its account."""

    entry: Entry
    digest: bytes
    posted_at: datetime
    balances_after: Sequence[Balance]
    """One per line, in their order."""


async def plan_by_index(tx: Connection) -> None:
    """Make this transaction's statements go by index.

    Posting looks single rows up by key, for ever. PostgreSQL keeps the plan of a prepared statement, and one that was
    made while the tables were nearly empty reads them from end to end, which ruins the first busy minute of new books.
    """
    await tx.execute("SET LOCAL enable_seqscan = off")


async def create_balances(tx: Connection, keys: Collection[tuple[str, UUID, str]]) -> None:
    """Begin the balance of each (tenant, account, currency) that has none and whose account exists, at zero.

    This comes before any balance is locked: whoever waits here for another transaction's new row holds no lock that the
    other one could want.
    """
    await tx.execute(
        "INSERT INTO balances (tenant_id, account_id, currency) "
        "SELECT tenant_id, account_id, currency "
        "FROM unnest($1::text[], $2::uuid[], $3::bpchar[]) AS key(tenant_id, account_id, currency) "
        "WHERE NOT EXISTS (SELECT FROM balances AS b WHERE b.tenant_id = key.tenant_id "
        "AND b.account_id = key.account_id AND b.currency = key.currency) "
        "AND EXISTS (SELECT FROM accounts AS a WHERE a.tenant_id = key.tenant_id AND a.id = key.account_id) "
        "ORDER BY tenant_id, account_id, currency ON CONFLICT DO NOTHING",
        *_columns(keys),
    )


async def lock_balances(
    tx: Connection, keys: Collection[tuple[str, UUID, str]]
) -> dict[tuple[str, UUID, str], Balance]:
    """Lock balances in the order of their keys until the transaction ends, and read what they then hold."""
    rows = await tx.fetch(
        "SELECT b.tenant_id, b.account_id, b.currency, b.debits_minor, b.credits_minor, b.version, b.posted_at "
        "FROM unnest($1::text[], $2::uuid[], $3::bpchar[]) AS key(tenant_id, account_id, currency) "
        "JOIN balances AS b USING (tenant_id, account_id, currency) "
        # A lock in this order is what keeps two groups from waiting for each other in a circle.
        "ORDER BY b.tenant_id, b.account_id, b.currency FOR NO KEY UPDATE OF b",
        *_columns(keys),
    )
    return {
        (row["tenant_id"], row["account_id"], row["currency"]): Balance(
            debits_minor=row["debits_minor"],
            credits_minor=row["credits_minor"],
            version=row["version"],
            posted_at=row["posted_at"],
        )
        for row in rows
    }


async def standing_entries(
    tx: Connection, keys: Collection[tuple[str, UUID]]
) -> dict[tuple[str, UUID], tuple[bytes, datetime]]:
    """Find which of these (tenant, entry) stand in the books: their digest and when they were posted."""
    rows = await tx.fetch(
        "SELECT e.tenant_id, e.id, e.digest, e.posted_at "
        "FROM unnest($1::text[], $2::uuid[]) AS key(tenant_id, id) JOIN journal_entries AS e USING (tenant_id, id)",
        [tenant_id for tenant_id, _ in keys],
        [entry_id for _, entry_id in keys],
    )
    return {(row["tenant_id"], row["id"]): (row["digest"], row["posted_at"]) for row in rows}


_WRITE_GROUP = f"""
WITH entry AS (
    INSERT INTO journal_entries (tenant_id, id, kind, payment_intent_id, line_count, occurred_at, posted_at,
                                 source_event_id, digest)
    SELECT * FROM unnest($1::new_entry[])
), posting AS (
    INSERT INTO postings (tenant_id, entry_id, line_no, account_id, currency, version, side, amount_minor,
                          debits_after_minor, credits_after_minor, posted_at)
    SELECT * FROM unnest($2::new_posting[])
), balance AS (
    UPDATE balances AS b
       SET debits_minor = new.debits_minor, credits_minor = new.credits_minor, version = new.version,
           posted_at = new.posted_at
      FROM unnest($3::new_balance[]) AS new
     WHERE b.tenant_id = new.tenant_id AND b.account_id = new.account_id AND b.currency = new.currency
)
{insert_outbox(4)}
"""
"""Entries, postings, balances and what is said about them in one statement: the triggers see all of it at once.

Rows travel as arrays of composite types: the round trip takes a third less than with an array per column (measured
with 128 postings)."""


async def write_group(
    tx: Connection,
    entries: Sequence[NewEntry],
    balances: Mapping[tuple[str, UUID, str], Balance],
    sayings: Sequence[Saying],
) -> None:
    """Write a decided group: its entries, their postings, the balances as they stand after it, and its messages.

    Raises:
        asyncpg.SerializationError: another transaction wrote an entry of the same id after we had looked for it.
    """
    # In one order, so that two groups that misuse the same ids do not wait for each other in a circle.
    entries = sorted(entries, key=lambda new: (new.entry.id.bytes, new.entry.tenant_id))
    try:
        await tx.execute(
            _WRITE_GROUP,
            [_entry_row(new) for new in entries],
            [row for new in entries for row in _posting_rows(new)],
            [
                (*key, balance.debits_minor, balance.credits_minor, balance.version, balance.posted_at)
                for key, balance in balances.items()
            ],
            *outbox_arrays(sayings),
        )
    except asyncpg.UniqueViolationError as fault:
        if fault.constraint_name not in {"pk_journal_entries", "pk_postings"}:
            raise
        raise asyncpg.SerializationError("an entry of the same id was posted at this very moment") from fault


def _columns(keys: Collection[tuple[str, UUID, str]]) -> tuple[list[str], list[UUID], list[str]]:
    return [key[0] for key in keys], [key[1] for key in keys], [key[2] for key in keys]


def _entry_row(new: NewEntry) -> tuple[Any, ...]:
    """Lay an entry out as the type `new_entry`."""
    entry = new.entry
    return (
        entry.tenant_id,
        entry.id,
        entry.kind.value,
        entry.payment_intent_id,
        len(entry.lines),
        entry.occurred_at,
        new.posted_at,
        entry.source_event_id,
        new.digest,
    )


def _posting_rows(new: NewEntry) -> Iterator[tuple[Any, ...]]:
    """Lay the lines of an entry out as the type `new_posting`."""
    entry = new.entry
    for line_no, (line, balance) in enumerate(zip(entry.lines, new.balances_after, strict=True), start=1):
        yield (
            entry.tenant_id,
            entry.id,
            line_no,
            line.account_id,
            line.currency,
            balance.version,
            line.side.value,
            line.amount_minor,
            balance.debits_minor,
            balance.credits_minor,
            new.posted_at,
        )
