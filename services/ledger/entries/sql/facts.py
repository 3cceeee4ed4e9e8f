"""The SQL of entries as other services compare them: in the order of their payments, the lines of each beside it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from libs.common.contracts.ledger_facts import EntriesPosted, EntryColumns
from libs.common.db import Connection
from libs.common.db.statements import Statement, derived_id_sql

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
# Entries that take others back: few, since a person does it, so that they are found by their time, and those behind a payment among them.
# By `ix_journal_entries_reversals`.
REVERSALS = Statement(
    _FACTS,
    page="""
SELECT {columns} FROM journal_entries
 WHERE tenant_id = :tenant_id AND reverses IS NOT NULL AND posted_at >= :reversed_from AND posted_at < :reversed_until
   AND CASE WHEN :after::uuid IS NULL THEN payment_intent_id IS NULL
            ELSE payment_intent_id > :after AND payment_intent_id <= :until END
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

# A page of a range as lists: what most payments are compared by needs no row of its own. All lists are made of the same rows in the
# same order. A payment of which only some entries were read, as the page ends with it, is left to the next page. A scalar subquery with a
# limit is never turned into a join with all reversals.
COLUMNS = Statement(
    """
WITH page AS MATERIALIZED (
    SELECT id, kind, payment_intent_id FROM journal_entries
     WHERE tenant_id = :tenant_id AND payment_intent_id > :after AND payment_intent_id <= :until
     ORDER BY payment_intent_id, id LIMIT :limit::bigint + 1),
cut AS MATERIALIZED (SELECT payment_intent_id FROM page ORDER BY payment_intent_id, id OFFSET :limit),
roles AS MATERIALIZED (SELECT * FROM unnest(:accounts::uuid[], :roles::text[]) AS r (account_id, role)),
reversed AS MATERIALIZED (
    SELECT e.payment_intent_id FROM page AS e
     WHERE (SELECT true FROM journal_entries AS r WHERE r.reverses = e.id AND r.tenant_id = :tenant_id LIMIT 1)),
booked AS (
    SELECT e.payment_intent_id, min(p.currency) AS currency,
           sum(p.amount_minor) FILTER (WHERE e.kind = 'capture' AND p.side = 'DEBIT') AS captured_minor,
           max(e.id::text) FILTER (WHERE p.line_no = 1 AND e.kind = 'movement') AS movement_entry_id,
           max(e.id::text) FILTER (WHERE p.line_no = 1 AND e.kind = 'capture') AS capture_entry_id,
           sum(s.debit) FILTER (WHERE s.role = 'PROCESSOR_PENDING') AS pending_minor,
           sum(s.debit) FILTER (WHERE s.role = 'PROCESSOR_FEES') AS processor_fees_minor,
           sum(s.debit) FILTER (WHERE s.role = 'TAX_RECOVERABLE') AS tax_minor,
           sum(s.debit) FILTER (WHERE s.role = 'PLATFORM_FEES') AS platform_fees_minor,
           count(*) FILTER (WHERE p.line_no = 1) = 2 AND count(*) FILTER (WHERE p.line_no = 1 AND e.kind = 'capture') = 1
           AND count(*) FILTER (WHERE p.line_no = 1 AND e.kind = 'movement') = 1 AND min(p.currency) = max(p.currency)
           AND NOT coalesce(bool_or(s.role = ''), false) AS is_plain
      FROM page AS e
      JOIN postings AS p ON p.entry_id = e.id AND p.tenant_id = :tenant_id
      LEFT JOIN roles AS r ON r.account_id = p.account_id
     CROSS JOIN LATERAL (SELECT CASE e.kind WHEN 'movement' THEN r.role END AS role,
                                CASE p.side WHEN 'DEBIT' THEN p.amount_minor ELSE -p.amount_minor END AS debit) AS s
     WHERE e.payment_intent_id NOT IN (SELECT payment_intent_id FROM cut)
     GROUP BY e.payment_intent_id),
judged AS MATERIALIZED (
    SELECT b.*, b.is_plain AND b.payment_intent_id NOT IN (SELECT payment_intent_id FROM reversed)
           AND b.capture_entry_id = {capture}::text AS is_sure
      FROM booked AS b CROSS JOIN LATERAL (
           SELECT substr(sha256(uuid_send(b.payment_intent_id) || 'capture'), 1, 10) AS tail OFFSET 0) AS h)
SELECT coalesce(string_agg(payment_intent_id::text, ',') FILTER (WHERE is_sure), '') AS payment_intent_ids,
       coalesce(string_agg(currency, ',') FILTER (WHERE is_sure), '') AS currencies,
       coalesce(string_agg(captured_minor::text, ',') FILTER (WHERE is_sure), '') AS captured_minor,
       coalesce(string_agg(movement_entry_id, ',') FILTER (WHERE is_sure), '') AS movement_entry_ids,
       coalesce(string_agg(coalesce(pending_minor, 0)::text, ',') FILTER (WHERE is_sure), '') AS pending_minor,
       coalesce(string_agg(coalesce(processor_fees_minor, 0)::text, ',') FILTER (WHERE is_sure), '') AS processor_fees_minor,
       coalesce(string_agg(coalesce(tax_minor, 0)::text, ',') FILTER (WHERE is_sure), '') AS tax_minor,
       coalesce(string_agg(coalesce(platform_fees_minor, 0)::text, ',') FILTER (WHERE is_sure), '') AS platform_fees_minor,
       coalesce(string_agg(payment_intent_id::text, ',') FILTER (WHERE NOT is_sure), '') AS others,
       max(payment_intent_id::text)::uuid AS last, (SELECT payment_intent_id FROM cut) AS cut
  FROM judged
""",
    capture=derived_id_sql("b.payment_intent_id", tail="h.tail"),
)

# Entries by the primary key, and their lines and reversals by theirs, one by one.
_EXPECTED = Statement("""
SELECT coalesce(string_agg(x.id::text, ','), '') AS expected_ids, coalesce(string_agg(l.amount_minor::text, ','), '') AS expected_minor,
       coalesce(string_agg(l.currency, ','), '') AS expected_currencies
  FROM (SELECT id FROM journal_entries
         WHERE tenant_id = :tenant_id AND id = ANY (string_to_array(:expected::text, ',')::uuid[])) AS x
 CROSS JOIN LATERAL (
       SELECT min(p.currency) AS currency, sum(p.amount_minor) FILTER (WHERE p.side = 'DEBIT') AS amount_minor
         FROM postings AS p WHERE p.entry_id = x.id AND p.tenant_id = :tenant_id) AS l
 WHERE (SELECT true FROM journal_entries AS r WHERE r.reverses = x.id AND r.tenant_id = :tenant_id LIMIT 1) IS NULL
""")

# Entries in the order in which they were posted, by `ix_journal_entries_posted_at`: as many as the limit are looked at, and only ids leave.
POSTED = Statement("""
WITH page AS MATERIALIZED (
    SELECT id, kind, payment_intent_id, posted_at FROM journal_entries
     WHERE tenant_id = :tenant_id AND (posted_at, id) > (:posted_from::timestamptz, :after::uuid) AND posted_at < :posted_until
     ORDER BY posted_at, id LIMIT :limit)
SELECT coalesce(string_agg(id::text, ',') FILTER (WHERE payment_intent_id IS NULL AND kind = ANY (:kinds::text[])), '') AS alone,
       coalesce(string_agg(DISTINCT payment_intent_id::text, ',') FILTER (WHERE payment_intent_id <= :until), '') AS payment_intent_ids,
       CASE WHEN count(*) = :limit THEN max(posted_at) END AS next_from,
       CASE WHEN count(*) = :limit THEN (SELECT id FROM page ORDER BY posted_at DESC, id DESC LIMIT 1) END AS next_after
  FROM page
""")

_EXPECTED_NAMES = ("expected_ids", "expected_minor", "expected_currencies")


async def columns_of_range(
    connection: Connection,
    tenant_id: str,
    *,
    after: UUID,
    until: UUID,
    limit: int,
    accounts: Mapping[UUID, str],
    expected: str,
) -> tuple[EntryColumns, UUID | None]:
    """Read entries of payments with greater ids than `after`, up to `until`, as lists; and the last payment of them, where more follow.

    `accounts` are those that have ever played a role, with the only one; empty: there were others.
    """
    [row] = await COLUMNS.fetch(
        connection,
        tenant_id=tenant_id,
        after=after,
        until=until,
        limit=limit,
        accounts=[*accounts],
        roles=[*accounts.values()],
    )
    found: dict[str, str] = {name: row[name] for name in EntryColumns.__struct_fields__ if name not in _EXPECTED_NAMES}
    if expected:
        [also] = await _EXPECTED.fetch(connection, tenant_id=tenant_id, expected=expected)
        found |= dict(also)
    # One payment with more entries than a page has is nothing that columns tell.
    if row["cut"] is not None and row["last"] is None:
        found["others"] = str(row["cut"])
    return EntryColumns(**found), None if row["cut"] is None else row["last"] or row["cut"]


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


async def reversals(
    connection: Connection,
    tenant_id: str,
    *,
    posted: tuple[datetime, datetime],
    after: UUID | None,
    until: UUID,
    limit: int,
) -> list[asyncpg.Record]:
    """Read entries that take others back and were posted in a window, of a range of payments; of none where `after` is None."""
    return await REVERSALS.fetch(
        connection,
        tenant_id=tenant_id,
        reversed_from=posted[0],
        reversed_until=posted[1],
        after=after,
        until=until,
        limit=limit,
    )


async def posted(
    connection: Connection,
    tenant_id: str,
    *,
    since: datetime,
    after: UUID,
    before: datetime,
    until: UUID,
    kinds: Sequence[str],
    limit: int,
) -> EntriesPosted:
    """List what was posted in a time, behind one entry of its first instant: those of no payment that are of some kinds, and payments up to one."""
    [row] = await POSTED.fetch(
        connection,
        tenant_id=tenant_id,
        posted_from=since,
        after=after,
        posted_until=before,
        until=until,
        kinds=[*kinds],
        limit=limit,
    )
    return EntriesPosted(**dict(row))


async def facts_by_ids(connection: Connection, tenant_id: str, entry_ids: Sequence[UUID]) -> list[asyncpg.Record]:
    """Read these entries."""
    return await _BY_IDS.fetch(connection, tenant_id=tenant_id, entry_ids=list(entry_ids))
