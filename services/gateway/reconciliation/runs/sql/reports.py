"""The SQL of imported reports: which movements they should have, and have not."""

from collections.abc import Sequence
from datetime import UTC, timedelta
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
# category alone, so it lacks a movement only where it has others of its category. What any report of the tenant has is found by
# `uq_statement_lines`, those of deleted sources too: the processor has reported it. Without any report nothing else is looked at.
_MISSING = Statement("""
WITH reports AS MATERIALIZED (
    SELECT s.name, i.first_on, i.last_on, i.ended_at, i.kinds, a.account_id, a.is_live, a.currency
      FROM import_sources AS s JOIN file_imports AS i ON i.tenant_id = s.tenant_id AND i.source_id = s.id
     CROSS JOIN LATERAL (
        SELECT DISTINCT m.account_id, m.is_live, m.currency
          FROM (SELECT bank_id FROM statement_lines
                 WHERE import_id = i.id AND tenant_id = i.tenant_id ORDER BY line LIMIT :first_lines) AS l
          JOIN processor_movements AS m ON m.tenant_id = i.tenant_id AND m.id = l.bank_id
     ) AS a
     WHERE s.tenant_id = :tenant_id AND s.reading::jsonb ->> 'format' = 'stripe_balance_change' AND s.deleted_at IS NULL
       AND i.status = 'IMPORTED' AND i.first_on < :last_on::date AND i.last_on > :first_on::date
)
SELECT DISTINCT ON (m.movement_id) m.movement_id, r.name AS source, r.ended_at AS imported_at
  FROM unnest(:moved[].id::text[], :moved[].identity::bytea[]) AS k (id, identity)
  JOIN processor_movements AS m ON m.tenant_id = :tenant_id AND m.id = k.id AND m.kind NOT IN ('payout', 'payout_return')
  JOIN reports AS r ON (r.account_id, r.is_live, r.currency) = (m.account_id, m.is_live, m.currency)
   AND left(m.reporting_category, 64) = ANY (r.kinds)
   AND (m.created_at AT TIME ZONE 'UTC')::date - 1 > r.first_on AND (m.created_at AT TIME ZONE 'UTC')::date + 1 < r.last_on
 WHERE EXISTS (SELECT FROM reports)
   AND NOT EXISTS (SELECT FROM import_sources AS s
                     JOIN statement_lines AS l ON l.source_id = s.id AND l.identity = k.identity AND l.occurrence = 1
                      AND l.tenant_id = s.tenant_id
                    WHERE s.tenant_id = :tenant_id AND s.reading::jsonb ->> 'format' LIKE 'stripe%')
 ORDER BY m.movement_id, r.ended_at
""")

_unreported = reader_of(Unreported)


class _Sought(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    identity: bytes


async def missing_in_reports(
    database: Database, tenant_id: str, moved: Sequence[MovementFact]
) -> dict[UUID, Unreported]:
    """Find movements that a report of their days does not have, by our ids of them."""
    if not moved:
        return {}
    days = [each.created_at.astimezone(UTC).date() for each in moved]
    rows = await _MISSING.fetch(
        database,
        tenant_id=tenant_id,
        # Reports of Stripe name no account.
        moved=[_Sought(id=each.id, identity=identity_of("", each.id)) for each in moved],
        first_on=min(days) - timedelta(days=1),
        last_on=max(days) + timedelta(days=1),
        first_lines=_FIRST_LINES,
    )
    return {row["movement_id"]: _unreported(row) for row in rows}
