"""What the api published of payments, and how it compares with the books; written by consumers, read by the verifier."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from libs.common.contracts.ledger import EntryKind
from libs.common.db import Connection
from libs.common.db.statements import Statement


class ExpectedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What the api published that a payment or refund came to."""

    tenant_id: str
    subject_id: UUID
    """The intent of a capture, or the refund."""
    kind: EntryKind
    """CAPTURE or REFUND: the kind of the entry that has to stand in the books for it."""
    entry_id: UUID
    """That entry."""
    amount_minor: int
    """How much, in minor units of `currency`."""
    currency: str
    """ISO 4217 code, upper case."""


# The amount is part of the key: the same event again changes nothing, another amount is compared beside the first one.
_WRITE = Statement("""
INSERT INTO claims (entry_id, tenant_id, amount_minor, currency, kind, subject_id, claimed_at)
SELECT *, :expected_at FROM unnest(:expected[].entry_id::uuid[], :expected[].tenant_id::text[],
       :expected[].amount_minor::int8[], :expected[].currency::text[], :expected[].kind::text[],
       :expected[].subject_id::uuid[])
ON CONFLICT DO NOTHING
""")


async def write_expected(tx: Connection, expected: Sequence[ExpectedEntry], *, expected_at: datetime) -> None:
    """Write down which entries are expected; one that is known changes nothing."""
    # In the order of the key: two processes that handle the same events at once never wait for each other in a circle.
    ordered = sorted(expected, key=lambda c: (c.entry_id.bytes, c.tenant_id, c.amount_minor, c.currency))
    await _WRITE.execute(tx, expected=ordered, expected_at=expected_at)


# Only into an empty table, in the first round ever; the conflict is another process that begins at the same moment.
_BEGIN = Statement("""
INSERT INTO claim_checks (chain, sequence) SELECT chain, sequence FROM chains
WHERE NOT EXISTS (SELECT FROM claim_checks) ON CONFLICT DO NOTHING
""")


async def begin_checks(tx: Connection) -> None:
    """In the first round ever, remember where the chains end: what was posted before is compared with nothing."""
    await _BEGIN.execute(tx)


# Those that `_BEGIN` has written, not the heads: a chain without a row has no place from which to go on.
_CHAINS = Statement("SELECT chain FROM claim_checks ORDER BY chain")


async def checked_chains(connection: Connection) -> list[int]:
    """List the chains whose entries are compared."""
    return [row["chain"] for row in await _CHAINS.fetch(connection)]


# Locked until what is found on the way is committed. Skipped where another process goes along the chain.
_PASSED = Statement("SELECT sequence FROM claim_checks WHERE chain = :chain FOR UPDATE SKIP LOCKED")

# Up to the first group that is too young: one that was passed over would never be compared.
_DUE_GROUPS = Statement("""
SELECT max(sequence) FROM (SELECT sequence, bool_and(posted_until < :posted_before) OVER (ORDER BY sequence) AS is_due
FROM (SELECT sequence, posted_until FROM entry_groups WHERE chain = :chain AND sequence > :after
ORDER BY sequence LIMIT :limit) AS g) AS g WHERE is_due
""")

# Without a comparison: `_PASSED` has locked the row in this transaction.
_MOVE = Statement("UPDATE claim_checks SET sequence = :until WHERE chain = :chain")


async def pass_groups(tx: Connection, chain: int, *, posted_before: datetime, limit: int) -> tuple[int, int]:
    """Go on along a chain, past at most `limit` groups that were posted before an instant.

    Returns the groups passed as (after this one, until and with this one), which are equal when there are none, or when
    another process is going along the chain at this moment.
    """
    after: int | None = await _PASSED.fetchval(tx, chain=chain)
    if after is None:
        return 0, 0
    until: int | None = await _DUE_GROUPS.fetchval(
        tx, chain=chain, after=after, posted_before=posted_before, limit=limit
    )
    if until is None:
        return after, after
    await _MOVE.execute(tx, chain=chain, until=until)
    return after, until


# Whatever the amount: one that differs is found by `_DUE`. A refund that failed after all is left out, since the api may
# never have published it.
_UNEXPECTED = Statement("""
SELECT e.tenant_id, e.id, e.kind, e.payment_intent_id FROM journal_entries AS e
WHERE e.chain = :chain AND e.sequence > :after AND e.sequence <= :until AND e.kind IN ('capture', 'refund')
AND NOT EXISTS (SELECT FROM claims AS c WHERE c.entry_id = e.id AND c.tenant_id = e.tenant_id)
AND NOT (e.kind = 'refund' AND EXISTS (SELECT FROM journal_entries AS f
JOIN postings AS there ON there.entry_id = f.id AND there.tenant_id = f.tenant_id AND there.line_no = 1
JOIN postings AS back ON back.entry_id = e.id AND back.tenant_id = e.tenant_id AND back.line_no = 1
WHERE f.payment_intent_id = e.payment_intent_id AND f.tenant_id = e.tenant_id AND f.kind = 'refund_failure'
AND (there.amount_minor, there.currency) = (back.amount_minor, back.currency)))
ORDER BY e.sequence, e.position
""")


async def unexpected_entries(connection: Connection, chain: int, *, after: int, until: int) -> list[asyncpg.Record]:
    """Read the captures and refunds in some groups of a chain that are not expected, whatever amount.

    A refund that failed after all is left out: when the failure was received first, the api never called it completed.
    """
    return await _UNEXPECTED.fetch(connection, chain=chain, after=after, until=until)


class ComparedEntry(ExpectedEntry, frozen=True, kw_only=True):
    """What is expected beside the entry that is there."""

    posted_amount_minor: int | None
    """What the entry comes to; None where there is none of this kind."""
    posted_currency: str | None
    """In which currency."""
    is_passed: bool
    """Whether the entry has been compared."""


# The limit stands beside the lock, so that no more rows are locked than are compared; others skip them. Left joins,
# since an entry that is missing is what is looked for.
_DUE = Statement("""
SELECT c.*, e.amount_minor AS posted_amount_minor, e.currency AS posted_currency,
coalesce(e.sequence <= k.sequence, false) AS is_passed
FROM (SELECT tenant_id, subject_id, kind, entry_id, amount_minor, currency, claimed_at FROM claims
WHERE NOT is_told AND claimed_at < :expected_before ORDER BY claimed_at LIMIT :limit FOR UPDATE SKIP LOCKED) AS c
LEFT JOIN LATERAL (SELECT p.amount_minor, p.currency, entry.chain, entry.sequence FROM journal_entries AS entry
JOIN postings AS p ON p.entry_id = entry.id AND p.tenant_id = entry.tenant_id AND p.line_no = 1
WHERE entry.id = c.entry_id AND entry.tenant_id = c.tenant_id AND entry.kind = c.kind LIMIT 1) AS e ON true
LEFT JOIN claim_checks AS k ON k.chain = e.chain
""")


async def due_expected(tx: Connection, *, expected_before: datetime, limit: int) -> list[ComparedEntry]:
    """Read the oldest expected entries beside those that are there, and keep other processes from them until `tx` ends."""
    rows = await _DUE.fetch(tx, expected_before=expected_before, limit=limit)
    names = ComparedEntry.__struct_fields__
    return [ComparedEntry(**{n: row[n] for n in names} | {"kind": EntryKind(row["kind"])}) for row in rows]


_NAMED = """
unnest(:expected[].entry_id::uuid[], :expected[].tenant_id::text[], :expected[].amount_minor::int8[], :expected[].currency::bpchar[])
       AS key(entry_id, tenant_id, amount_minor, currency)
 WHERE c.entry_id = key.entry_id AND c.tenant_id = key.tenant_id AND c.amount_minor = key.amount_minor
   AND c.currency = key.currency
"""
# By the whole key: what is expected of the same entry with another amount stays until it is compared itself.
_REMOVE = Statement("DELETE FROM claims AS c USING {named}", named=_NAMED)
# Out of `ix_claims_claimed_at`, so that no round reads it again, and still there for an entry that comes late.
_REPORTED = Statement("UPDATE claims AS c SET is_told = true FROM {named}", named=_NAMED)


async def end_expected(tx: Connection, *, remove: Sequence[ExpectedEntry], reported: Sequence[ExpectedEntry]) -> None:
    """Remove what was compared; what was reported stays, so that an entry that comes late finds it."""
    if remove:
        await _REMOVE.execute(tx, expected=remove)
    if reported:
        await _REPORTED.execute(tx, expected=reported)
