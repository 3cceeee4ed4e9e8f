"""Signed heads: which chains have moved since they were signed, and what was signed of them."""

from collections.abc import Sequence

from libs.common.db import Connection
from libs.common.db.statements import Statement
from services.api.integrity.domain import Head

# Tried, never waited for: one process signs, and the others have nothing to do (0x61706973 is "apis").
_LEAD = Statement("SELECT pg_try_advisory_xact_lock(x'61706973'::int8)")
# Committed heads alone: whoever changes something now is signed the next time.
_MOVED = Statement("""
SELECT h.tenant_id, h.sequence, encode(h.hash, 'hex') AS hash FROM change_chains AS h LEFT JOIN signed_ends AS e USING (tenant_id)
 WHERE (h.sequence, h.hash) IS DISTINCT FROM (e.sequence, e.hash) ORDER BY h.tenant_id LIMIT :limit
""")
# Under the lock of whoever signs.
_REMEMBER = Statement("""
INSERT INTO signed_ends (tenant_id, sequence, hash, number)
SELECT tenant_id, sequence, decode(hash, 'hex'), :number::int8
  FROM unnest(:heads[].tenant_id::text[], :heads[].sequence::int8[], :heads[].hash::text[]) AS e(tenant_id, sequence, hash)
ON CONFLICT (tenant_id) DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash, number = excluded.number
""")
# All of them, for the full verification.
_ENDS = Statement("SELECT tenant_id, sequence, encode(hash, 'hex') AS hash, number FROM signed_ends")
# By the primary key of the changes.
_NOT_AS_SIGNED = Statement("""
SELECT e.tenant_id, e.sequence FROM unnest(:heads[].tenant_id::text[], :heads[].sequence::int8[], :heads[].hash::text[])
       AS e(tenant_id, sequence, hash)
  LEFT JOIN sealed_changes AS c ON c.tenant_id = e.tenant_id AND c.sequence = e.sequence
 WHERE encode(c.hash, 'hex') IS DISTINCT FROM e.hash ORDER BY 1, 2
""")
# The same of where each chain ended when it was signed last.
_ENDS_NOT_AS_SIGNED = Statement("""
SELECT e.tenant_id, e.sequence, e.number FROM signed_ends AS e
  LEFT JOIN sealed_changes AS c ON c.tenant_id = e.tenant_id AND c.sequence = e.sequence
 WHERE c.hash IS DISTINCT FROM e.hash ORDER BY 1 LIMIT :limit
""")


async def lead(tx: Connection) -> bool:
    """Whether this process is the one that signs, until the transaction ends."""
    return bool(await _LEAD.fetchval(tx))


async def moved_heads(connection: Connection, *, limit: int) -> list[Head]:
    """Read where those chains end that have moved since they were signed."""
    return [Head(*row) for row in await _MOVED.fetch(connection, limit=limit)]


async def remember_signed(tx: Connection, heads: Sequence[Head], *, number: int) -> None:
    """Write down where the chains ended that a statement has."""
    await _REMEMBER.execute(tx, heads=heads, number=number)


async def signed_ends(connection: Connection) -> dict[str, tuple[int, str, int]]:
    """Read where each chain ended when it was signed last: its place, its hash and the statement, by tenant."""
    rows = await _ENDS.fetch(connection)
    return {row["tenant_id"]: (row["sequence"], row["hash"], row["number"]) for row in rows}


async def not_as_signed(connection: Connection, heads: Sequence[Head]) -> list[tuple[str, int]]:
    """Find which of these changes, by tenant and place, are missing or have another hash."""
    return [(row[0], row[1]) for row in await _NOT_AS_SIGNED.fetch(connection, heads=heads)]


async def ends_not_as_signed(connection: Connection, *, limit: int) -> list[tuple[str, int, int]]:
    """Find the chains in which the change is missing that was signed last, by tenant, place and number of the statement."""
    return [(row[0], row[1], row[2]) for row in await _ENDS_NOT_AS_SIGNED.fetch(connection, limit=limit)]
