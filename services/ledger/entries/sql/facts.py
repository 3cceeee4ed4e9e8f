"""The SQL of entries as other services compare them: in the order of their payments, the lines of each beside it."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from libs.common.db import Connection
from libs.common.db.statements import Statement

# The page is found by one index, and its entries, lines and reversals by their keys, one by one: never one table for each
# row of another. A scalar subquery with a limit is never turned into a hash of all reversals.
_FACTS = """
SELECT e.id, e.kind, e.payment_intent_id, e.reverses, e.occurred_at, e.posted_at,
       (SELECT true FROM journal_entries AS r WHERE r.reverses = e.id AND r.tenant_id = :tenant_id LIMIT 1) AS is_reversed,
       l.currency, l.amount_minor, l.account_ids, l.amounts_minor
  FROM ({page}) AS e
 CROSS JOIN LATERAL (
       SELECT min(p.currency) AS currency, sum(p.amount_minor) FILTER (WHERE p.side = 'DEBIT')::bigint AS amount_minor,
              array_agg(p.account_id) AS account_ids,
              array_agg(CASE p.side WHEN 'DEBIT' THEN p.amount_minor ELSE -p.amount_minor END) AS amounts_minor
         FROM postings AS p WHERE p.entry_id = e.id AND p.tenant_id = :tenant_id) AS l
 ORDER BY e.payment_intent_id, e.id
"""
_COLUMNS = "id, kind, payment_intent_id, reverses, occurred_at, posted_at"
# A range of ids of payments, which is one of time. `ix_journal_entries_payment` begins with the tenant, so that others'
# entries are not passed over, and has the order of the page, so that nothing is sorted.
IN_RANGE = Statement(
    _FACTS,
    page="""
SELECT {columns} FROM journal_entries
 WHERE tenant_id = :tenant_id AND payment_intent_id > :after AND payment_intent_id <= :until
 ORDER BY payment_intent_id, id LIMIT :limit
""",
    columns=_COLUMNS,
)
# By the same index, a few hundred payments at most.
_OF_PAYMENTS = Statement(
    _FACTS,
    page="""
SELECT {columns} FROM journal_entries
 WHERE tenant_id = :tenant_id AND payment_intent_id = ANY(:payment_intent_ids::uuid[])
 ORDER BY payment_intent_id, id LIMIT :limit
""",
    columns=_COLUMNS,
)
# By the primary key.
_BY_IDS = Statement(
    _FACTS,
    page="SELECT {columns} FROM journal_entries WHERE tenant_id = :tenant_id AND id = ANY(:entry_ids::uuid[])",
    columns=_COLUMNS,
)


async def facts_in_range(
    connection: Connection, tenant_id: str, *, after: UUID, until: UUID, limit: int
) -> list[asyncpg.Record]:
    """Read entries of payments with greater ids than `after`, up to `until`."""
    return await IN_RANGE.fetch(connection, tenant_id=tenant_id, after=after, until=until, limit=limit)


async def facts_of_payments(
    connection: Connection, tenant_id: str, payment_intent_ids: Sequence[UUID], *, limit: int
) -> list[asyncpg.Record]:
    """Read entries of these payments."""
    return await _OF_PAYMENTS.fetch(
        connection, tenant_id=tenant_id, payment_intent_ids=list(payment_intent_ids), limit=limit
    )


async def facts_by_ids(connection: Connection, tenant_id: str, entry_ids: Sequence[UUID]) -> list[asyncpg.Record]:
    """Read these entries."""
    return await _BY_IDS.fetch(connection, tenant_id=tenant_id, entry_ids=list(entry_ids))
