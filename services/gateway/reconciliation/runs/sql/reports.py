"""The SQL of imported reports: which movements they should have, and have not."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from libs.common.db import Database
from libs.common.db.statements import Statement, reader_of
from services.gateway.reconciliation.imports.domain import identity_of
from services.gateway.reconciliation.runs.domain import MovementFact, Unreported

_FIRST_LINES = 200
"""Lines of a report by which its account and currencies are known."""

# Reports of all that moved: by `ix_import_sources_tenant` and `ix_file_imports_tenant`. Which account and which currencies one is of
# show its first lines, by `ix_statement_lines_import` and `ix_processor_movements_own`. Only days that it has in between are surely whole, whatever
# zone it is in: a day of each end is left out, and one more for the zone. Payouts are no activity, so it has none. A report can be made of one
# category alone, so it lacks a movement only where it has others of its category. Reports of payouts have all parts of each payout that they
# name, which they are found by in `ix_statement_lines_words`. What any report of the tenant has is found by `uq_statement_lines`, those of
# deleted sources too: the processor has reported it. Without any report nothing else is looked at. Each movement and line is looked up by
# one index alone, movements by `ix_processor_movements_own` and in its order: another one that begins with the tenant would look at all of it for each.
MISSING = Statement("""
WITH sources AS MATERIALIZED (
    SELECT id, name, reading::jsonb ->> 'format' AS format, deleted_at FROM import_sources
     WHERE tenant_id = :tenant_id AND reading::jsonb ->> 'format' LIKE 'stripe%'
), reports AS MATERIALIZED (
    SELECT s.name, i.first_on, i.last_on, i.ended_at, i.kinds, a.account_id, a.is_live, a.currency
      FROM sources AS s JOIN file_imports AS i ON i.tenant_id = :tenant_id AND i.source_id = s.id
     CROSS JOIN LATERAL (
        SELECT DISTINCT m.account_id, m.is_live, m.currency
          FROM (SELECT bank_id FROM statement_lines
                 WHERE import_id = i.id AND tenant_id = i.tenant_id ORDER BY line LIMIT :first_lines) AS l
          JOIN processor_movements AS m ON m.tenant_id = i.tenant_id AND m.id = l.bank_id
     ) AS a
     WHERE s.format = 'stripe_balance_change' AND s.deleted_at IS NULL
       AND i.status = 'IMPORTED' AND i.first_on < :last_on::date AND i.last_on > :first_on::date
), moved AS MATERIALIZED (
    SELECT m.movement_id, m.account_id, m.is_live, m.currency, m.created_at, m.payout_ref, left(m.reporting_category, 64) AS category, k.identity
      FROM unnest(:moved[].id::text[], :moved[].identity::bytea[]) AS k (id, identity)
     CROSS JOIN LATERAL (SELECT * FROM processor_movements
                          WHERE tenant_id = :tenant_id AND id >= k.id AND id <= k.id ORDER BY id OFFSET 0) AS m
     WHERE EXISTS (SELECT FROM sources WHERE deleted_at IS NULL) AND m.kind NOT IN ('payout', 'payout_return')
), parts AS MATERIALIZED (
    SELECT p.payout_ref, s.name, i.ended_at, i.kinds
      FROM (SELECT DISTINCT payout_ref FROM moved
             WHERE payout_ref <> '' AND EXISTS (SELECT FROM sources WHERE format = 'stripe_payout_reconciliation' AND deleted_at IS NULL)) AS p
     CROSS JOIN LATERAL (
        SELECT l.source_id, l.import_id
          FROM (SELECT id, tenant_id, source_id, import_id, refs FROM statement_lines
                 WHERE words_of_line(bank_id, refs, counterparty, description) && ARRAY[plain_reference(p.payout_ref)] OFFSET 0) AS l
         WHERE l.tenant_id = :tenant_id AND l.refs ->> 'payout' = p.payout_ref AND l.source_id IN (
               SELECT id FROM sources WHERE format = 'stripe_payout_reconciliation' AND deleted_at IS NULL)
         ORDER BY l.id LIMIT 1) AS l
      JOIN sources AS s ON s.id = l.source_id
      JOIN file_imports AS i ON i.id = l.import_id AND i.tenant_id = :tenant_id AND i.status = 'IMPORTED'
)
SELECT DISTINCT ON (movement_id) movement_id, source, imported_at, payout
  FROM (SELECT m.movement_id, m.identity, r.name AS source, r.ended_at AS imported_at, '' AS payout
          FROM moved AS m
          JOIN reports AS r ON (r.account_id, r.is_live, r.currency) = (m.account_id, m.is_live, m.currency) AND m.category = ANY (r.kinds)
           AND (m.created_at AT TIME ZONE 'UTC')::date - 1 > r.first_on AND (m.created_at AT TIME ZONE 'UTC')::date + 1 < r.last_on
        UNION ALL
        SELECT m.movement_id, m.identity, p.name, p.ended_at, p.payout_ref
          FROM moved AS m JOIN parts AS p ON p.payout_ref = m.payout_ref AND m.category = ANY (p.kinds)) AS m
 WHERE NOT EXISTS (SELECT FROM sources AS s
                     JOIN statement_lines AS l ON l.source_id = s.id AND l.identity = m.identity AND l.occurrence = 1
                      AND l.tenant_id || '' = :tenant_id)
 ORDER BY movement_id, imported_at
""")

# What moved for a range of payments, by `ix_processor_movements_range`.
_OF_RANGE = Statement("""
SELECT id, movement_id, payment_intent_id, created_at FROM processor_movements
 WHERE tenant_id = :tenant_id AND payment_intent_id > :after AND payment_intent_id <= :until
""")

_unreported = reader_of(Unreported)


class Sought(msgspec.Struct, frozen=True, kw_only=True):
    """A movement that is looked for in reports."""

    id: str
    """The processor's reference."""
    identity: bytes
    """By which lines of reports have it."""


class _Moved(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    movement_id: UUID
    payment_intent_id: UUID
    created_at: datetime


_moved = reader_of(_Moved)


async def missing_in_reports(
    database: Database, tenant_id: str, moved: Sequence[MovementFact] | Sequence[_Moved]
) -> dict[UUID, Unreported]:
    """Find movements that a report of their days does not have, by our ids of them."""
    if not moved:
        return {}
    days = [each.created_at.astimezone(UTC).date() for each in moved]
    rows = await MISSING.fetch(
        database,
        tenant_id=tenant_id,
        # Reports of Stripe name no account.
        moved=[Sought(id=each.id, identity=identity_of("", each.id)) for each in moved],
        first_on=min(days) - timedelta(days=1),
        last_on=max(days) + timedelta(days=1),
        first_lines=_FIRST_LINES,
    )
    return {row["movement_id"]: _unreported(row) for row in rows}


async def unreported_payments(database: Database, tenant_id: str, *, after: UUID, until: UUID) -> list[UUID]:
    """List the payments of a range for which something moved that a report does not have, though it should."""
    rows = await _OF_RANGE.fetch(database, tenant_id=tenant_id, after=after, until=until)
    moved = [_moved(row) for row in rows]
    missing = await missing_in_reports(database, tenant_id, moved)
    return sorted({each.payment_intent_id for each in moved if each.movement_id in missing})
