"""What the verifier reads, as it lies in the tables, and how far it has come."""

from datetime import datetime

import asyncpg
import msgspec

from libs.common.db import Connection
from libs.common.db.statements import Statement
from libs.common.evidence import readable


class StoredChain(msgspec.Struct, frozen=True, kw_only=True):
    """The head of a chain, and how far it was recomputed."""

    chain: int
    sequence: int
    hash: bytes
    verified: int
    verified_hash: bytes
    entries: int
    checked_at: datetime | None


# Also a chain whose head is back at zero, or gone, though it was recomputed before: that is what has to be found.
_CHAIN = f"""
coalesce(h.sequence, 0) AS sequence, coalesce(h.hash, decode(repeat('00', 32), 'hex')) AS hash,
coalesce(c.sequence, 0) AS verified, coalesce(c.hash, decode(repeat('00', 32), 'hex')) AS verified_hash,
coalesce(c.entries, 0) AS entries, {readable("c.checked_at")}
"""

# What was begun or recomputed: the heads of chains that nobody has used yet say nothing.
_CHAINS = Statement(
    """
SELECT chain, {chain} FROM chains AS h FULL JOIN chain_checks AS c USING (chain)
WHERE h.sequence > 0 OR c.sequence > 0 ORDER BY chain
""",
    chain=_CHAIN,
)


async def chains(connection: Connection) -> list[StoredChain]:
    """Read the heads of all chains that have begun."""
    rows = await _CHAINS.fetch(connection)
    return [StoredChain(**dict(row)) for row in rows]


# A row to claim for each chain; its head is left alone, since whoever posts locks it.
_BEGIN_CHECKS = Statement("""
INSERT INTO chain_checks (chain, sequence, hash, entries, checked_at)
SELECT chain, 0, decode(repeat('00', 32), 'hex'), 0, :at FROM chains WHERE sequence > 0 ORDER BY chain
ON CONFLICT DO NOTHING
""")


async def begin_checks(connection: Connection, *, at: datetime) -> None:
    """Begin to recompute the chains that are new."""
    await _BEGIN_CHECKS.execute(connection, at=at)


# The row of the check alone is locked: whoever posts locks the head, and nobody who posts waits for a verifier. A chain
# that another process recomputes at this moment is left to it.
_CLAIM_CHAIN = Statement(
    """
SELECT c.chain, {chain} FROM chain_checks AS c LEFT JOIN chains AS h USING (chain)
WHERE c.chain <> ALL(:but::int2[]) ORDER BY c.checked_at, c.chain LIMIT 1 FOR UPDATE OF c SKIP LOCKED
""",
    chain=_CHAIN,
)


async def claim_chain(tx: Connection, *, but: set[int]) -> StoredChain | None:
    """Claim the chain that was recomputed longest ago until the transaction ends, other than those in `but`."""
    row = await _CLAIM_CHAIN.fetchrow(tx, but=sorted(but))
    return None if row is None else StoredChain(**dict(row))


# Along the primary key. As many groups as have so many entries together, and at least one. What was posted after the
# head was read is left for later.
_GROUPS_AFTER = Statement("""
SELECT sequence, previous, hash, entry_count FROM (
    SELECT *, sum(entry_count) OVER (ORDER BY sequence) - entry_count AS entries_before FROM (
        SELECT sequence, previous, hash, entry_count FROM entry_groups
        WHERE chain = :chain.chain AND sequence > :chain.verified AND sequence <= :chain.sequence
        ORDER BY sequence LIMIT :entries_max) AS following) AS counted
WHERE entries_before < :entries_max OR sequence = :chain.verified + 1 ORDER BY sequence
""")


async def groups_after(connection: Connection, chain: StoredChain, *, entries_max: int) -> list[asyncpg.Record]:
    """Read the next groups of a chain up to its head."""
    return await _GROUPS_AFTER.fetch(connection, chain=chain, entries_max=entries_max)


# By the groups that the entries name (`ix_journal_entries_group`), so that one that was added to a group is read with
# it, and of each entry the postings along their primary key. The canonical bytes are put together here and hashed
# by the verifier: one value to fetch, instead of some forty. A number that has no place in them is
# written longer, so that it changes the seal and does not end the statement.
_ENTRIES_OF = Statement("""
SELECT tenant_id, id, sequence, position, seal,
posted_at < lag(posted_at) OVER (PARTITION BY sequence ORDER BY position, id) AS is_before_last,
CASE WHEN octet_length(convert_to(tenant_id, 'UTF8')) < 32768 THEN int2send(octet_length(convert_to(tenant_id, 'UTF8'))::int2)
ELSE '' END || convert_to(tenant_id, 'UTF8') || uuid_send(id)
|| CASE WHEN octet_length(convert_to(kind, 'UTF8')) < 32768 THEN int2send(octet_length(convert_to(kind, 'UTF8'))::int2)
ELSE '' END || convert_to(kind, 'UTF8')
|| coalesce(bytea '\\x01' || uuid_send(payment_intent_id), '\\x00')
|| coalesce(bytea '\\x01' || uuid_send(source_event_id), '\\x00')
|| coalesce(bytea '\\x01' || uuid_send(reverses), '\\x00')
|| CASE WHEN least(occurred_at, effective_at, posted_at) > '0001-01-01' AND greatest(occurred_at, effective_at, posted_at) < '9999-12-31'
THEN int8send((extract(epoch FROM occurred_at) * 1000000)::int8)
  || int8send((extract(epoch FROM effective_at) * 1000000)::int8)
  || int8send((extract(epoch FROM posted_at) * 1000000)::int8)
ELSE '' END || digest || int2send(line_count) || coalesce((
    SELECT string_agg(uuid_send(p.account_id) || convert_to(p.currency::text, 'UTF8')
    || CASE p.side WHEN 'DEBIT' THEN bytea 'D' WHEN 'CREDIT' THEN bytea 'C' ELSE convert_to(p.side, 'UTF8') END
    || int8send(p.amount_minor) || int8send(p.version) || int8send(p.debits_after_minor) || int8send(p.credits_after_minor)
    || CASE WHEN p.posted_at = e.posted_at AND p.effective_at = e.effective_at THEN bytea ''
    ELSE bytea 'not as its entry has it' END, bytea '' ORDER BY p.line_no)
    FROM postings AS p WHERE p.entry_id = e.id AND p.tenant_id = e.tenant_id), '') AS canonical
FROM journal_entries AS e
WHERE chain = :chain AND sequence > :after AND sequence <= :until ORDER BY sequence, position, id
""")


async def entries_of(connection: Connection, chain: int, *, after: int, until: int) -> list[asyncpg.Record]:
    """Read the entries of some groups of a chain in canonical bytes, by group and position."""
    return await _ENTRIES_OF.fetch(connection, chain=chain, after=after, until=until)


# Under the lock of its claim: nobody else has come further meanwhile.
_REMEMBER_CHECK = Statement("""
UPDATE chain_checks SET sequence = :checked.verified, hash = :checked.verified_hash, entries = :checked.entries,
checked_at = :at WHERE chain = :checked.chain
""")


async def remember_check(tx: Connection, checked: StoredChain, *, at: datetime) -> None:
    """Write down how far a claimed chain was recomputed."""
    await _REMEMBER_CHECK.execute(tx, checked=checked, at=at)


# A head that is back at zero is a finding, and not less work.
_COUNT_LEFT = Statement("""
SELECT coalesce(sum(greatest(h.sequence - coalesce(c.sequence, 0), 0)), 0) FROM chains AS h
LEFT JOIN chain_checks AS c USING (chain)
""")


async def count_left(connection: Connection) -> int:
    """Count the groups that are not recomputed yet."""
    return int(await _COUNT_LEFT.fetchval(connection) or 0)


# The heads alone, sixteen rows.
_COUNT_GROUPS = Statement("SELECT coalesce(sum(sequence), 0) FROM chains")


async def count_groups(connection: Connection) -> int:
    """Count the groups of all chains."""
    return int(await _COUNT_GROUPS.fetchval(connection) or 0)
