"""The SQL that compares a page of payments at once: what `agreeing` finds of one payment, the database finds of all of them.

What the api and the ledger have comes as lists, which only the database takes apart.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.contracts.api_facts import PaymentColumns
from libs.common.contracts.ledger import EntryKind
from libs.common.contracts.ledger_facts import EntryColumns
from libs.common.db import Connection, Database
from libs.common.db.statements import Statement, derived_id_sql
from services.gateway.reconciliation.runs.domain.at_once import Agreed, AtOnce
from services.gateway.reconciliation.runs.domain.run import Run


def _tail(kind: EntryKind) -> str:
    return f"substr(sha256(uuid_send(movement_id) || '{kind}'), 1, 10)"


# The entries by which the money of charges can be paid out, by `ix_processor_movements_range`.
_EXPECTED = Statement(
    """
SELECT coalesce(string_agg(({derived})::text, ','), '') AS expected
  FROM (SELECT movement_id, {tail} AS tail FROM processor_movements
         WHERE payment_intent_id > :after AND payment_intent_id <= :until AND tenant_id = :tenant_id
           AND kind = 'charge' AND status = 'available' AND is_booked
         ORDER BY payment_intent_id LIMIT :limit) AS m
""",
    derived=derived_id_sql("movement_id", tail="tail"),
    tail=_tail(EntryKind.AVAILABLE),
)

# Reports show what is missing in them movement by movement, which is looked for only where there is one.
_REPORTED = Statement("""
SELECT EXISTS (SELECT FROM import_sources AS s JOIN file_imports AS i ON i.tenant_id = s.tenant_id AND i.source_id = s.id
                WHERE s.tenant_id = :tenant_id AND s.reading::jsonb ->> 'format' LIKE 'stripe%'
                  AND s.deleted_at IS NULL AND i.status = 'IMPORTED') AS is_reported
""")

# Sides are joined in full, since such a join is never a loop over one list for each item of another, however few the planner expects. What
# is read by key is a scalar subquery for the same reason. A payment about which something is unsettled is left to be looked at by itself, and
# so is one with a movement that is missing in the report of a closed month, or of the processor. Conditions are those of `agreeing`, and that a payment that was
# never captured has nothing anywhere else.
_AT_ONCE = Statement(
    """
WITH paid AS MATERIALIZED (
    SELECT * FROM unnest(string_to_array(:paid.payment_intent_ids, ',')::uuid[], string_to_array(:paid.captured_minor, ',')::int8[],
                         string_to_array(:paid.currencies, ',')) AS p (id, captured_minor, currency)
     WHERE id > :after AND id <= :until),
booked AS MATERIALIZED (
    SELECT * FROM unnest(string_to_array(:booked.payment_intent_ids, ',')::uuid[], string_to_array(:booked.currencies, ','),
                         string_to_array(:booked.captured_minor, ',')::int8[], string_to_array(:booked.movement_entry_ids, ',')::uuid[],
                         string_to_array(:booked.pending_minor, ',')::int8[], string_to_array(:booked.processor_fees_minor, ',')::int8[],
                         string_to_array(:booked.tax_minor, ',')::int8[], string_to_array(:booked.platform_fees_minor, ',')::int8[])
             AS b (id, currency, captured_minor, entry_id, pending_minor, processor_minor, tax_minor, platform_minor)
     WHERE id > :after AND id <= :until),
available AS MATERIALIZED (
    SELECT * FROM unnest(string_to_array(:booked.expected_ids, ',')::uuid[], string_to_array(:booked.expected_minor, ',')::int8[],
                         string_to_array(:booked.expected_currencies, ',')) AS a (entry_id, amount_minor, currency)),
doubted AS MATERIALIZED (
    SELECT id FROM unnest(string_to_array(:paid.others, ',')::uuid[] || string_to_array(:booked.others, ',')::uuid[]) AS o (id)
     WHERE id > :after AND id <= :until
    UNION
    SELECT id FROM unnest(:unreported::uuid[]) AS r (id)
    UNION
    SELECT payment_intent_id FROM discrepancies
     WHERE payment_intent_id > :after AND payment_intent_id <= :until AND tenant_id = :tenant_id AND {looked_at}),
closed AS MATERIALIZED (SELECT ends_before, known_until FROM reconciliation_periods WHERE tenant_id = :tenant_id),
moved AS MATERIALIZED (
    SELECT m.*, {available} AS available_id, {movement} AS settled_id
      FROM (SELECT payment_intent_id, movement_id, amount_minor, net_minor, currency, created_at, status = 'available' AS is_available,
                   {available_tail} AS available_tail, {movement_tail} AS movement_tail,
                   count(*) OVER (PARTITION BY payment_intent_id) = 1 AND kind = 'charge' AND is_booked AND amount_minor > 0
                   AND net_minor > 0 AND source_currency = '' AND source_amount_minor IS NULL AS is_plain,
                   CASE WHEN jsonb_array_length(fee_details) = 1 AND fee_details -> 0 ->> 0 = 'processor'
                        THEN ARRAY[(fee_details -> 0 ->> 1)::int8, 0, 0]
                        ELSE (SELECT CASE WHEN count(DISTINCT d ->> 0) = count(*) THEN
                                     ARRAY[coalesce(sum((d ->> 1)::int8) FILTER (WHERE d ->> 0 = 'processor'), 0),
                                           coalesce(sum((d ->> 1)::int8) FILTER (WHERE d ->> 0 = 'tax'), 0),
                                           coalesce(sum((d ->> 1)::int8) FILTER (WHERE d ->> 0 = 'platform'), 0)]::int8[] END
                                FROM jsonb_array_elements(fee_details) AS d) END AS fees,
                   coalesce((SELECT v.seen_at >= c.known_until
                               FROM closed AS c WHERE v.created_at < c.ends_before ORDER BY c.ends_before LIMIT 1), false) AS is_late,
                   (SELECT true FROM discrepancies AS d
                     WHERE d.tenant_id = :tenant_id AND d.subject_kind = 'movement' AND d.subject = v.id AND {looked_at} LIMIT 1) AS is_doubted,
                   (SELECT k.matched_at FROM reconciliation_matches AS k
                     WHERE k.movement_id = v.movement_id AND k.tenant_id = :tenant_id) AS matched_at
              FROM processor_movements AS v
             WHERE payment_intent_id > :after AND payment_intent_id <= :until AND tenant_id = :tenant_id OFFSET 0) AS m),
judged AS MATERIALIZED (
    SELECT coalesce(p.id, m.payment_intent_id, b.id, o.id) AS id, m.movement_id, m.amount_minor, m.net_minor, m.currency, m.created_at,
           m.matched_at, b.entry_id,
           o.id IS NULL AND p.id IS NOT NULL AND CASE WHEN m.movement_id IS NULL THEN p.captured_minor = 0 AND b.id IS NULL ELSE
           m.is_plain AND m.amount_minor = p.captured_minor AND m.currency = p.currency AND b.currency = p.currency
           AND b.captured_minor = p.captured_minor AND b.entry_id = m.settled_id AND b.pending_minor = m.net_minor
           AND ARRAY[b.processor_minor, b.tax_minor, b.platform_minor] = m.fees
           AND b.pending_minor + b.processor_minor + b.tax_minor + b.platform_minor = m.amount_minor
           AND (NOT m.is_available OR a.amount_minor = m.net_minor AND a.currency = p.currency)
           AND NOT m.is_late AND m.is_doubted IS NULL END IS TRUE AS agrees
      FROM paid AS p
      FULL JOIN moved AS m ON m.payment_intent_id = p.id
      FULL JOIN booked AS b ON b.id = coalesce(p.id, m.payment_intent_id)
      FULL JOIN doubted AS o ON o.id = coalesce(p.id, m.payment_intent_id, b.id)
      FULL JOIN available AS a ON a.entry_id = m.available_id),
remaining AS MATERIALIZED (SELECT DISTINCT id FROM judged WHERE NOT agrees AND id IS NOT NULL ORDER BY id LIMIT :left_max),
last AS MATERIALIZED (
    SELECT CASE count(*) WHEN :left_max THEN (SELECT id FROM remaining ORDER BY id DESC LIMIT 1) ELSE :until::uuid END AS id FROM remaining),
agreed AS MATERIALIZED (
    SELECT *, created_at >= :run.window_from AND created_at < :run.window_until AS is_inside,
           matched_at IS NULL OR matched_at < :since AS is_fresh
      FROM judged WHERE agrees AND id <= (SELECT id FROM last))
SELECT (SELECT id FROM last) AS until,
       ARRAY(SELECT id FROM remaining ORDER BY id) AS "left",
       (SELECT count(*) FROM agreed) AS payments,
       (SELECT coalesce(json_object_agg(currency, total), '{}') FROM (
            SELECT currency, json_build_object(
                       'number', count(*), 'amount_minor', sum(amount_minor), 'in_window', count(*) FILTER (WHERE is_inside),
                       'in_window_minor', coalesce(sum(amount_minor) FILTER (WHERE is_inside), 0),
                       'in_window_net_minor', coalesce(sum(net_minor) FILTER (WHERE is_inside), 0)) AS total
              FROM agreed WHERE movement_id IS NOT NULL GROUP BY currency) AS t)::text AS totals,
       f.*
  FROM (SELECT coalesce(string_agg(movement_id::text, ','), '') AS movements, coalesce(string_agg(id::text, ','), '') AS subjects,
               coalesce(string_agg(entry_id::text, ','), '') AS entries
          FROM agreed WHERE movement_id IS NOT NULL AND is_fresh) AS f
""",
    looked_at="(state IN ('open', 'assigned', 'pending', 'reopened') OR reason = 'adjusted' AND type <> 'DUPLICATE')",
    available=derived_id_sql("movement_id", tail="available_tail"),
    movement=derived_id_sql("movement_id", tail="movement_tail"),
    available_tail=_tail(EntryKind.AVAILABLE),
    movement_tail=_tail(EntryKind.MOVEMENT),
)

# As `match` does it one by one.
_MATCH = Statement("""
INSERT INTO reconciliation_matches AS known (tenant_id, movement_id, rule, confidence, subject_kind, subject, entry_id, run_id, matched_at)
SELECT :tenant_id, m.movement_id, 'charge_of_payment', 100, 'payment', m.subject, m.entry_id, :run_id, :at
  FROM unnest(string_to_array(:agreed.movements, ',')::uuid[], string_to_array(:agreed.subjects, ','),
              string_to_array(:agreed.entries, ',')::uuid[]) AS m (movement_id, subject, entry_id)
ON CONFLICT (movement_id, tenant_id) DO UPDATE SET run_id = excluded.run_id, matched_at = excluded.matched_at
 WHERE known.matched_at < :at::timestamptz - interval '30 days'
""")

_totals = msgspec.json.Decoder(dict[str, Agreed])


async def expected_entries(database: Database, tenant_id: str, *, after: UUID, until: UUID, limit: int) -> str:
    """List the entries by which the charges of a range of payments can be paid out, as many as the limit: ids, separated by commas."""
    row = await _EXPECTED.fetchrow(database, tenant_id=tenant_id, after=after, until=until, limit=limit)
    return "" if row is None else str(row["expected"])


async def is_reported(database: Database, tenant_id: str) -> bool:
    """Return whether a tenant has imported a report of the processor, with which each movement is compared."""
    row = await _REPORTED.fetchrow(database, tenant_id=tenant_id)
    return row is not None and bool(row["is_reported"])


async def compare_at_once(
    database: Database,
    run: Run,
    *,
    after: UUID,
    until: UUID,
    paid: PaymentColumns,
    booked: EntryColumns,
    unreported: Sequence[UUID],
    since: datetime,
    left_max: int,
) -> AtOnce:
    """Compare a range of payments: what agrees is added up, and named where it was not written down since then; at most `left_max` are left.

    Where so many are left, the range ends with the last of them. Payments that are `unreported` are left.
    """
    [row] = await _AT_ONCE.fetch(
        database,
        run=run,
        tenant_id=run.tenant_id,
        after=after,
        until=until,
        paid=paid,
        booked=booked,
        unreported=[*unreported],
        since=since,
        left_max=left_max,
    )
    return AtOnce(
        until=row["until"],
        payments=row["payments"],
        totals=_totals.decode(row["totals"]),
        left=tuple(row["left"]),
        movements=row["movements"],
        subjects=row["subjects"],
        entries=row["entries"],
    )


async def match_at_once(tx: Connection, tenant_id: str, agreed: AtOnce, *, run_id: UUID, at: datetime) -> None:
    """Write down what agrees."""
    await _MATCH.execute(tx, tenant_id=tenant_id, agreed=agreed, run_id=run_id, at=at)
