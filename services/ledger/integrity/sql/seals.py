"""What the verifier reads, as it lies in the tables."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from libs.common.db import Connection


class StoredChain(msgspec.Struct, frozen=True, kw_only=True):
    """The head of a chain, and how far it was recomputed."""

    chain: int
    sequence: int
    hash: bytes
    verified: int
    verified_hash: bytes
    entries: int
    checked_at: datetime | None


async def chains(connection: Connection) -> list[StoredChain]:
    """Read the heads of all chains that have begun."""
    rows = await connection.fetch(
        "SELECT h.chain, h.sequence, h.hash, coalesce(c.sequence, 0) AS verified, "
        "coalesce(c.hash, decode(repeat('00', 32), 'hex')) AS verified_hash, coalesce(c.entries, 0) AS entries, "
        "c.checked_at FROM chains AS h LEFT JOIN chain_checks AS c USING (chain) "
        "WHERE h.sequence > 0 OR c.sequence > 0 ORDER BY h.chain"
    )
    return [StoredChain(**dict(row)) for row in rows]


async def groups_after(connection: Connection, chain: int, sequence: int, *, limit: int) -> list[asyncpg.Record]:
    """Read the next groups of a chain."""
    return await connection.fetch(
        "SELECT sequence, previous, hash, entry_count FROM entry_groups WHERE chain = $1 AND sequence > $2 "
        "ORDER BY sequence LIMIT $3",
        chain,
        sequence,
        limit,
    )


async def entries_of(connection: Connection, chain: int, *, after: int, until: int) -> list[asyncpg.Record]:
    """Read the entries of some groups of a chain, by group and position."""
    return await connection.fetch(
        "SELECT tenant_id, id, kind, payment_intent_id, line_count, occurred_at, effective_at, posted_at, "
        "source_event_id, reverses, digest, sequence, position, seal FROM journal_entries "
        "WHERE chain = $1 AND sequence > $2 AND sequence <= $3 ORDER BY sequence, position",
        chain,
        after,
        until,
    )


async def postings_of(connection: Connection, entry_ids: Sequence[UUID]) -> list[asyncpg.Record]:
    """Read the postings of some entries, of all tenants that use these ids, line by line."""
    return await connection.fetch(
        "SELECT tenant_id, entry_id, line_no, account_id, currency, version, side, amount_minor, debits_after_minor, "
        "credits_after_minor, posted_at, effective_at FROM postings WHERE entry_id = ANY($1::uuid[]) "
        "ORDER BY entry_id, tenant_id, line_no",
        entry_ids,
    )


async def remember_check(connection: Connection, checked: StoredChain, *, at: datetime) -> None:
    """Write down how far a chain was recomputed; another process that came further is not set back."""
    await connection.execute(
        "INSERT INTO chain_checks AS c (chain, sequence, hash, entries, checked_at) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (chain) DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash, "
        "entries = excluded.entries, checked_at = excluded.checked_at WHERE c.sequence <= excluded.sequence",
        checked.chain,
        checked.verified,
        checked.verified_hash,
        checked.entries,
        at,
    )
