"""The SQL of entries that belong to no payment: which of them follow from nothing that the gateway knows."""

from datetime import datetime
from uuid import UUID

from libs.common.contracts.ledger import EntryKind
from libs.common.db import Database
from libs.common.db.statements import Statement, derived_id_sql
from services.gateway.reconciliation.runs.domain import OF_PAYOUTS, ONLY_BOOKED


def _tail(source: str, kind: EntryKind) -> str:
    return f"substr(sha256(uuid_send({source}) || '{kind}'), 1, 10)"


# An entry has the time of what it follows from in its id, to the millisecond, by which movements are found in `ix_processor_movements_window`;
# payouts have ids of no time, and a tenant has few of them. Everything that can follow from all these is derived and joined at once.
_UNEXPLAINED = Statement(
    """
WITH entries AS MATERIALIZED (SELECT DISTINCT id FROM unnest(string_to_array(:entries, ',')::uuid[]) AS e (id)),
times AS MATERIALIZED (
    SELECT DISTINCT to_timestamp(('x' || encode(substr(uuid_send(id), 1, 6), 'hex'))::bit(48)::bigint / 1000.0) AS at FROM entries),
moved AS MATERIALIZED (
    SELECT m.movement_id, m.is_booked, m.status = 'available' AS is_available, m.source_currency <> '' AS is_exchanged
      FROM times AS t JOIN processor_movements AS m
        ON m.tenant_id = :tenant_id AND m.created_at >= t.at AND m.created_at < t.at + interval '1 millisecond'
    UNION ALL
    SELECT movement_id, true, true, false FROM processor_openings WHERE tenant_id = :tenant_id),
derived AS MATERIALIZED (
    SELECT {of_movement} AS id FROM moved AS s CROSS JOIN LATERAL (VALUES {of_movements}) AS h (tail, is_due) WHERE h.is_due
    UNION ALL
    SELECT {of_payout} FROM processor_payouts AS p CROSS JOIN LATERAL (VALUES {of_payouts}) AS h (tail) WHERE p.tenant_id = :tenant_id)
SELECT id FROM entries AS e WHERE NOT EXISTS (SELECT FROM derived AS d WHERE d.id = e.id) ORDER BY id
""",
    of_movement=derived_id_sql("s.movement_id", tail="h.tail"),
    of_movements=", ".join(
        f"({_tail('s.movement_id', kind)}, {is_due})"
        for kind, is_due in (
            (EntryKind.MOVEMENT, "s.is_booked"),
            (EntryKind.MOVEMENT_EXCHANGED, "s.is_booked AND s.is_exchanged"),
            (EntryKind.AVAILABLE, "s.is_available"),
        )
    ),
    of_payout=derived_id_sql("p.payout_id", tail="h.tail"),
    of_payouts=", ".join(f"({_tail('p.payout_id', kind)})" for kind in sorted(OF_PAYOUTS)),
)

# What runs before have found, whenever it was posted, by `ix_discrepancies_unsettled`.
_UNSETTLED = Statement("""
SELECT subject::uuid AS id FROM discrepancies
 WHERE tenant_id = :tenant_id AND aspect = :aspect AND payment_intent_id IS NULL AND state IN ('open', 'assigned', 'pending', 'reopened')
""")

# A tenant has few accounts.
_BEGAN = Statement("SELECT min(booked_from) AS at FROM stripe_accounts WHERE tenant_id = :tenant_id")


async def unexplained(database: Database, tenant_id: str, entries: str) -> list[UUID]:
    """Find the entries that follow from no movement, opening or payout of a tenant, in their order; ids that are separated by commas."""
    return [row["id"] for row in await _UNEXPLAINED.fetch(database, tenant_id=tenant_id, entries=entries)]


async def unsettled_entries(database: Database, tenant_id: str) -> list[UUID]:
    """List entries of no payment that nothing has led to, as runs before have found."""
    return [row["id"] for row in await _UNSETTLED.fetch(database, tenant_id=tenant_id, aspect=ONLY_BOOKED)]


async def books_began(database: Database, tenant_id: str) -> datetime | None:
    """Return from when on the first statement of a tenant is booked; None where it has none."""
    row = await _BEGAN.fetchrow(database, tenant_id=tenant_id)
    return None if row is None else row["at"]
