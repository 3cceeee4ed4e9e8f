"""The SQL of entries that belong to no payment: which of them follow from nothing that the gateway knows."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.contracts.ledger import EntryKind
from libs.common.db import Database
from libs.common.db.statements import Statement, derived_id_sql, reader_of
from services.gateway.reconciliation.runs.domain import OF_PAYOUTS


def _tail(source: str, kind: EntryKind) -> str:
    return f"substr(sha256(uuid_send({source}) || '{kind}'), 1, 10)"


# An entry has the time of what it follows from in its id, to the millisecond, by which movements are found in `ix_processor_movements_window`:
# in its order, since another index that begins with the tenant would look at all of it for each entry, and costs the same where few rows are expected.
# Payouts have ids of no time, all of a tenant the same: so those that changed since the window began are looked at first, and all others only for
# what these do not explain. What can follow from all that is derived and joined at once.
UNEXPLAINED = Statement(
    """
WITH entries AS MATERIALIZED (
    SELECT DISTINCT id, substr(uuid_send(id), 1, 6) AS begins FROM unnest(string_to_array(:entries, ',')::uuid[]) AS e (id)),
times AS MATERIALIZED (
    SELECT DISTINCT to_timestamp(('x' || encode(begins, 'hex'))::bit(48)::bigint / 1000.0) AS at FROM entries),
moved AS MATERIALIZED (
    SELECT m.movement_id, m.is_booked, m.status = 'available' AS is_available, m.source_currency <> '' AS is_exchanged
      FROM times AS t CROSS JOIN LATERAL (
           SELECT movement_id, is_booked, status, source_currency FROM processor_movements
            WHERE tenant_id = :tenant_id AND created_at >= t.at AND created_at < t.at + interval '1 millisecond'
            ORDER BY created_at OFFSET 0) AS m
    UNION ALL
    SELECT movement_id, true, true, false FROM processor_openings WHERE tenant_id = :tenant_id),
derived AS MATERIALIZED (
    SELECT {of_movement} AS id FROM moved AS s CROSS JOIN LATERAL (VALUES {of_movements}) AS h (tail, is_due) WHERE h.is_due
    UNION ALL
    SELECT {of_payout} FROM processor_payouts AS p CROSS JOIN LATERAL (VALUES {of_payouts}) AS h (tail)
     WHERE p.tenant_id = :tenant_id AND p.updated_at >= :since AND substr(uuid_send(p.payout_id), 1, 6) IN (SELECT begins FROM entries)),
remaining AS MATERIALIZED (SELECT * FROM entries AS e WHERE NOT EXISTS (SELECT FROM derived AS d WHERE d.id = e.id)),
earlier AS MATERIALIZED (
    SELECT {of_payout} AS id FROM processor_payouts AS p CROSS JOIN LATERAL (VALUES {of_payouts}) AS h (tail)
     WHERE p.tenant_id = :tenant_id AND p.updated_at < :since AND substr(uuid_send(p.payout_id), 1, 6) IN (SELECT begins FROM remaining))
SELECT id FROM remaining AS r WHERE NOT EXISTS (SELECT FROM earlier AS d WHERE d.id = r.id) ORDER BY id
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

# What runs before have found, whenever it was posted, in the order of the discrepancies: what is unsettled, by `ix_discrepancies_unsettled`, and
# what an entry by hand stands for in the books, by `ix_discrepancies_adjusted`.
KNOWN = Statement("""
SELECT id, subject::uuid AS entry_id FROM (
    (SELECT id, subject FROM discrepancies
      WHERE tenant_id = :tenant_id AND id > :after AND aspect = 'entry' AND payment_intent_id IS NULL
        AND state IN ('open', 'assigned', 'pending', 'reopened')
      ORDER BY id LIMIT :limit)
    UNION
    (SELECT id, subject FROM discrepancies
      WHERE tenant_id = :tenant_id AND id > :after AND reason = 'adjusted' AND type <> 'DUPLICATE' AND aspect = 'entry'
        AND payment_intent_id IS NULL
      ORDER BY id LIMIT :limit)
) AS d ORDER BY id LIMIT :limit
""")

# Which of some entries are among these, by `ix_discrepancies_subject`.
_KNOWN_OF = Statement("""
SELECT subject::uuid AS id FROM discrepancies
 WHERE tenant_id = :tenant_id AND subject_kind IN ('movement', 'payout') AND subject = ANY (:subjects::text[]) AND aspect = 'entry'
   AND (state IN ('open', 'assigned', 'pending', 'reopened') OR reason = 'adjusted' AND type <> 'DUPLICATE')
""")

# A tenant has few accounts. An entry of a payout names none of them, so only what is of after all of them have begun can be judged.
_BEGAN = Statement("SELECT max(booked_from) AS at FROM stripe_accounts WHERE tenant_id = :tenant_id")


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that a run has found."""

    id: UUID
    """The discrepancy."""
    entry_id: UUID
    """The entry."""


_known = reader_of(Known)


async def unexplained(database: Database, tenant_id: str, entries: str, *, since: datetime) -> list[UUID]:
    """Find the entries that follow from no movement, opening or payout of a tenant, in their order; ids that are separated by commas.

    Most follow from what changed `since`.
    """
    rows = await UNEXPLAINED.fetch(database, tenant_id=tenant_id, entries=entries, since=since)
    return [row["id"] for row in rows]


async def known_entries(database: Database, tenant_id: str, *, after: UUID, limit: int) -> list[Known]:
    """List entries of no payment that runs before have found, from a discrepancy on: what is unsettled, or adjusted by an entry by hand."""
    return [_known(row) for row in await KNOWN.fetch(database, tenant_id=tenant_id, after=after, limit=limit)]


async def known_of(database: Database, tenant_id: str, entries: Sequence[UUID]) -> set[UUID]:
    """Return which of some entries runs before have found, and nobody has settled but by an entry by hand."""
    rows = await _KNOWN_OF.fetch(database, tenant_id=tenant_id, subjects=[str(each) for each in entries])
    return {row["id"] for row in rows}


async def books_began(database: Database, tenant_id: str) -> datetime | None:
    """Return from when on the statements of all accounts of a tenant are booked; None where it has none."""
    row = await _BEGAN.fetchrow(database, tenant_id=tenant_id)
    return None if row is None else row["at"]
