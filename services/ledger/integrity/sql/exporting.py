"""Entries and their groups as an export has them: all that their seals and hashes are of."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from libs.common.db import Connection
from libs.common.db.statements import Statement
from libs.common.evidence import readable

_INSTANTS = {name: readable(name) for name in ("occurred_at", "effective_at", "posted_at")}

# Along the primary key, a part at a time: the entries of all groups that are read lie in memory.
_GROUPS_AFTER = Statement("""
SELECT sequence, previous, hash, entry_count FROM entry_groups WHERE chain = :chain AND sequence > :sequence
ORDER BY sequence LIMIT :limit
""")
# By the groups that the entries name (`ix_journal_entries_group`).
_ENTRIES_OF = Statement(
    """
SELECT tenant_id, id, kind, payment_intent_id, line_count, {occurred_at}, {effective_at}, {posted_at},
source_event_id, reverses, digest, sequence, position, seal FROM journal_entries
WHERE chain = :chain AND sequence > :after AND sequence <= :until ORDER BY sequence, position
""",
    **_INSTANTS,
)
# By the id alone, with which `pk_postings` begins: the caller tells the tenants apart.
_POSTINGS_OF = Statement(
    """
SELECT tenant_id, entry_id, line_no, account_id, currency, version, side, amount_minor, debits_after_minor,
credits_after_minor, {posted_at}, {effective_at} FROM postings WHERE entry_id = ANY(:entry_ids::uuid[])
ORDER BY entry_id, tenant_id, line_no
""",
    **_INSTANTS,
)


async def groups_after(connection: Connection, chain: int, sequence: int, *, limit: int) -> list[asyncpg.Record]:
    """Read the next groups of a chain."""
    return await _GROUPS_AFTER.fetch(connection, chain=chain, sequence=sequence, limit=limit)


async def entries_of(connection: Connection, chain: int, *, after: int, until: int) -> list[asyncpg.Record]:
    """Read the entries of some groups of a chain, by group and position."""
    return await _ENTRIES_OF.fetch(connection, chain=chain, after=after, until=until)


async def postings_of(connection: Connection, entry_ids: Sequence[UUID]) -> list[asyncpg.Record]:
    """Read the postings of some entries, of all tenants that use these ids, line by line."""
    return await _POSTINGS_OF.fetch(connection, entry_ids=entry_ids)
