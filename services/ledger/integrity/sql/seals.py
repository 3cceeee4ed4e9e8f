"""What the verifier reads, as it lies in the tables."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from libs.common.db import Connection
from libs.common.db.statements import Statement


class StoredChain(msgspec.Struct, frozen=True, kw_only=True):
    """The head of a chain, and how far it was recomputed."""

    chain: int
    sequence: int
    hash: bytes
    verified: int
    verified_hash: bytes
    entries: int
    checked_at: datetime | None


# Also a chain whose head is back at zero though it was recomputed before: that is what has to be found.
_CHAINS = Statement("""
SELECT h.chain, h.sequence, h.hash, coalesce(c.sequence, 0) AS verified,
coalesce(c.hash, decode(repeat('00', 32), 'hex')) AS verified_hash, coalesce(c.entries, 0) AS entries,
c.checked_at FROM chains AS h LEFT JOIN chain_checks AS c USING (chain)
WHERE h.sequence > 0 OR c.sequence > 0 ORDER BY h.chain
""")


async def chains(connection: Connection) -> list[StoredChain]:
    """Read the heads of all chains that have begun."""
    rows = await _CHAINS.fetch(connection)
    return [StoredChain(**dict(row)) for row in rows]


# Along the primary key, a part at a time: the entries of all groups that are read lie in memory.
_GROUPS_AFTER = Statement("""
SELECT sequence, previous, hash, entry_count FROM entry_groups WHERE chain = :chain AND sequence > :sequence
ORDER BY sequence LIMIT :limit
""")


async def groups_after(connection: Connection, chain: int, sequence: int, *, limit: int) -> list[asyncpg.Record]:
    """Read the next groups of a chain."""
    return await _GROUPS_AFTER.fetch(connection, chain=chain, sequence=sequence, limit=limit)


# By the groups that the entries name (`ix_journal_entries_group`), so that one that was added to a group is read with
# it.
_ENTRIES_OF = Statement("""
SELECT tenant_id, id, kind, payment_intent_id, line_count, occurred_at, effective_at, posted_at,
source_event_id, reverses, digest, sequence, position, seal FROM journal_entries
WHERE chain = :chain AND sequence > :after AND sequence <= :until ORDER BY sequence, position
""")


async def entries_of(connection: Connection, chain: int, *, after: int, until: int) -> list[asyncpg.Record]:
    """Read the entries of some groups of a chain, by group and position."""
    return await _ENTRIES_OF.fetch(connection, chain=chain, after=after, until=until)


# By the id alone, with which `pk_postings` begins: the caller tells the tenants apart.
_POSTINGS_OF = Statement("""
SELECT tenant_id, entry_id, line_no, account_id, currency, version, side, amount_minor, debits_after_minor,
credits_after_minor, posted_at, effective_at FROM postings WHERE entry_id = ANY(:entry_ids::uuid[])
ORDER BY entry_id, tenant_id, line_no
""")


async def postings_of(connection: Connection, entry_ids: Sequence[UUID]) -> list[asyncpg.Record]:
    """Read the postings of some entries, of all tenants that use these ids, line by line."""
    return await _POSTINGS_OF.fetch(connection, entry_ids=entry_ids)


# Never back: of two processes that recompute a chain at once, the one that came further stands.
_REMEMBER_CHECK = Statement("""
INSERT INTO chain_checks AS c (chain, sequence, hash, entries, checked_at) VALUES (:checked.chain, :checked.verified,
       :checked.verified_hash, :checked.entries, :at)
ON CONFLICT (chain) DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash,
entries = excluded.entries, checked_at = excluded.checked_at WHERE c.sequence <= excluded.sequence
""")


async def remember_check(connection: Connection, checked: StoredChain, *, at: datetime) -> None:
    """Write down how far a chain was recomputed; another process that came further is not set back."""
    await _REMEMBER_CHECK.execute(connection, checked=checked, at=at)
