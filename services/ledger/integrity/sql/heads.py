"""Signed heads: where the chains end, and what was signed of that."""

from libs.common.db import Connection
from libs.common.db.statements import Statement
from services.ledger.integrity.domain import Head

# Tried, never waited for: one process signs, and the others have nothing to do (0x7369676e is "sign").
_LEAD = Statement("SELECT pg_try_advisory_xact_lock(x'7369676e'::int8)")
# In one snapshot: what is committed by then.
_ENDS = Statement("SELECT chain, sequence, encode(hash, 'hex') AS hash FROM {chains} ORDER BY chain", chains="chains")
# As `_ENDS`; a moment later, which is as true.
_ENDS_OF_CHANGES = Statement(
    "SELECT chain, sequence, encode(hash, 'hex') AS hash FROM {chains} ORDER BY chain", chains="change_chains"
)
# By the primary key of the groups; a chain that had not begun has none.
_SIGNED_AS_THEY_LIE = Statement(
    """
SELECT at.chain, at.sequence FROM unnest(:heads[].chain::int2[], :heads[].sequence::int8[], :heads[].hash::text[])
       AS at(chain, sequence, hash)
  LEFT JOIN {groups} AS g ON g.chain = at.chain AND g.sequence = at.sequence
 WHERE at.sequence > 0 AND encode(g.hash, 'hex') IS DISTINCT FROM at.hash ORDER BY 1, 2
""",
    groups="entry_groups",
)
# The same of the groups of changes.
_SIGNED_CHANGES_AS_THEY_LIE = Statement(
    """
SELECT at.chain, at.sequence FROM unnest(:heads[].chain::int2[], :heads[].sequence::int8[], :heads[].hash::text[])
       AS at(chain, sequence, hash)
  LEFT JOIN {groups} AS g ON g.chain = at.chain AND g.sequence = at.sequence
 WHERE at.sequence > 0 AND encode(g.hash, 'hex') IS DISTINCT FROM at.hash ORDER BY 1, 2
""",
    groups="change_groups",
)


async def lead(tx: Connection) -> bool:
    """Whether this process is the one that signs, until the transaction ends."""
    return bool(await _LEAD.fetchval(tx))


async def ends(connection: Connection) -> tuple[list[Head], list[Head]]:
    """Read where the chains of entries and of changes end."""
    entries = [Head(*row) for row in await _ENDS.fetch(connection)]
    return entries, [Head(*row) for row in await _ENDS_OF_CHANGES.fetch(connection)]


async def not_as_signed(
    connection: Connection, entries: list[Head], changes: list[Head]
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Find which of these groups, by chain and place, are missing or have another hash; of entries, and of changes."""
    of_entries = await _SIGNED_AS_THEY_LIE.fetch(connection, heads=entries)
    of_changes = await _SIGNED_CHANGES_AS_THEY_LIE.fetch(connection, heads=changes)
    return [(row[0], row[1]) for row in of_entries], [(row[0], row[1]) for row in of_changes]
