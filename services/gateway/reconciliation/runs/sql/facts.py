"""What runs compare, and what agreed."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import msgspec

from libs.common.contracts.gateway_movements import MovementKind
from libs.common.contracts.ledger import EntryKind
from libs.common.db import Connection, Database
from libs.common.db.statements import Statement, derived_id_sql, reader_of
from services.gateway.reconciliation.runs.domain import Match, MovementFact, PayoutFact
from services.gateway.reconciliation.runs.domain.run import Run

_MOVEMENT = (
    "id, movement_id, is_booked, kind, source_ref, payment_intent_id, refund_id, amount_minor, net_minor, fee_details, currency, "
    "source_amount_minor, source_currency, created_at, seen_at, updated_at, status = 'available' AS is_available, "
    "(SELECT k.matched_at FROM reconciliation_matches AS k WHERE k.movement_id = m.movement_id AND k.tenant_id = m.tenant_id) AS matched_at"
)

# Of a range of payments, by `ix_processor_movements_range`.
_OF_RANGE = Statement(
    """
SELECT {columns} FROM processor_movements AS m
 WHERE payment_intent_id > :after AND payment_intent_id <= :until AND tenant_id = :tenant_id
 ORDER BY payment_intent_id LIMIT :limit
""",
    columns=_MOVEMENT,
)

# Of some payments, by `ix_processor_movements_payment`.
_OF_PAYMENTS = Statement(
    "SELECT {columns} FROM processor_movements AS m WHERE payment_intent_id = ANY (:intents::uuid[]) AND tenant_id = :tenant_id",
    columns=_MOVEMENT,
)

# What became known in the window more than a day after it happened, by `ix_processor_movements_late`: hourly windows are two days
# long, so what came earlier than that was in one of them.
_LATELY_KNOWN = (
    "tenant_id = :run.tenant_id AND is_booked AND seen_at - created_at > interval '1 day' "
    "AND seen_at >= :run.window_from AND seen_at < :run.window_until"
)

# Payments of other times than the window: by `ix_processor_movements_window`, by `ix_processor_movements_late` and by
# `ix_discrepancies_unsettled`. In the order of their ids, so that the next page goes on behind the last one.
_OLDER = Statement(
    """
SELECT payment_intent_id FROM (
    SELECT payment_intent_id FROM processor_movements
     WHERE tenant_id = :run.tenant_id AND created_at >= :run.window_from AND created_at < :run.window_until
    UNION
    SELECT payment_intent_id FROM processor_movements WHERE {lately_known}
    UNION
    SELECT payment_intent_id FROM discrepancies
     WHERE tenant_id = :run.tenant_id AND state IN ('open', 'assigned', 'pending', 'reopened')
) AS p
 WHERE payment_intent_id > :after AND NOT (payment_intent_id >= :run.first_payment AND payment_intent_id < :run.end_of_payments)
 ORDER BY payment_intent_id LIMIT :limit
""",
    lately_known=_LATELY_KNOWN,
)

# What belongs to no payment: our ids of movements are in the order of their times, so a window is a range of them, by
# `ix_processor_movements_loose`; what became known lately, by `ix_processor_movements_late`; what is unsettled, by `ix_discrepancies_unsettled`;
# and what the books have taken back lately.
_LOOSE = Statement(
    """
SELECT {columns}, payout_currency, coalesce(is_of_payout, false) AS is_of_payout FROM (
    (SELECT * FROM processor_movements
      WHERE tenant_id = :run.tenant_id AND payment_intent_id IS NULL AND movement_id > :after
        AND movement_id >= :run.first_payment AND movement_id < :run.end_of_payments
      ORDER BY movement_id LIMIT :limit)
    UNION ALL
    (SELECT m.* FROM processor_movements AS m
      WHERE m.tenant_id = :run.tenant_id AND m.payment_intent_id IS NULL AND m.movement_id > :after
        AND NOT (m.movement_id >= :run.first_payment AND m.movement_id < :run.end_of_payments)
        AND m.id = ANY (ARRAY(SELECT subject FROM discrepancies AS d
                               WHERE d.tenant_id = :run.tenant_id AND subject_kind = 'movement' AND d.payment_intent_id IS NULL
                                 AND state IN ('open', 'assigned', 'pending', 'reopened')
                              UNION SELECT id FROM processor_movements WHERE {lately_known} AND payment_intent_id IS NULL
                              UNION SELECT unnest(:also::text[])))
      ORDER BY m.movement_id LIMIT :limit)
) AS m
  LEFT JOIN LATERAL (
    SELECT p.currency AS payout_currency,
           m.id IN (p.movement_ref, p.failure_movement_ref)
           OR CASE m.kind WHEN 'payout' THEN p.movement_ref ELSE p.failure_movement_ref END = '' AS is_of_payout
      FROM processor_payouts AS p
     WHERE (p.account_id, p.is_live, p.id) = (m.account_id, m.is_live, m.source_ref) AND m.kind IN ({payouts})
  ) AS of_payout ON true
 ORDER BY movement_id LIMIT :limit
""",
    columns=_MOVEMENT,
    payouts=", ".join(f"'{kind}'" for kind in (MovementKind.PAYOUT, MovementKind.PAYOUT_RETURN)),
    lately_known=_LATELY_KNOWN,
)

# Movements of some milliseconds, by `ix_processor_movements_window`: as many as a processor has in its finest unit of time.
_AT = Statement("""
SELECT m.id, m.movement_id, m.payment_intent_id FROM unnest(:times::timestamptz[]) AS t (at)
  JOIN processor_movements AS m ON m.tenant_id = :tenant_id AND m.created_at >= t.at AND m.created_at < t.at + interval '1 millisecond'
""")

# Payouts of the window, those that changed in it, as where they come back, and what is unsettled about others, or was taken back in the
# books, with what their movements come to. In the order of our ids. An account has few payouts, and their ids are not in the order of time.
_PAYOUTS = Statement(
    """
SELECT p.id, p.payout_id, p.amount_minor, p.currency, p.status, p.bank, p.is_matched AS is_itemised, p.created_at, p.arrives_at, p.updated_at,
       coalesce(parts.net_minor, 0)::int8 AS parts_minor, coalesce(own.net_minor, 0)::int8 AS taken_minor,
       coalesce(own.number, 0) > 0 AS has_movement,
       NOT EXISTS (SELECT FROM stripe_accounts AS a
                    WHERE (a.account_id, a.is_live) = (p.account_id, p.is_live) AND p.created_at < a.booked_from
                      AND (a.opening_due OR a.opened_at IS NOT NULL)) AS is_booked
  FROM (SELECT * FROM processor_payouts
         WHERE tenant_id = :run.tenant_id AND payout_id > :after
           AND ((created_at >= :run.window_from AND created_at < :run.window_until)
                OR (updated_at >= :run.window_from AND updated_at < :run.window_until)
                OR payout_id::text IN (SELECT subject FROM discrepancies AS d
                                        WHERE d.tenant_id = :run.tenant_id AND subject_kind = 'payout'
                                          AND state IN ('open', 'assigned', 'pending', 'reopened'))
                OR (cardinality(:also::uuid[]) > 0
                    AND EXISTS (SELECT FROM unnest(ARRAY[{tails}]) AS h (tail) WHERE {derived} = ANY (:also::uuid[]))))
         ORDER BY payout_id LIMIT :limit) AS p
  LEFT JOIN LATERAL (
    SELECT sum(net_minor) AS net_minor FROM processor_movements AS m
     WHERE (m.account_id, m.is_live, m.payout_ref) = (p.account_id, p.is_live, p.id) AND m.id NOT IN (p.movement_ref, p.failure_movement_ref)
       AND NOT (m.kind = 'payout' AND m.source_ref = p.id)
  ) AS parts ON true
  LEFT JOIN LATERAL (
    SELECT sum(amount_minor) AS net_minor, count(*) AS number FROM processor_movements AS m
     WHERE m.account_id = p.account_id AND m.is_live = p.is_live AND m.id IN (p.movement_ref, p.failure_movement_ref)
  ) AS own ON true
 ORDER BY p.payout_id
""",
    tails=", ".join(
        f"substr(sha256(uuid_send(payout_id) || '{kind}'), 1, 10)"
        for kind in (EntryKind.PAYOUT_PAID, EntryKind.PAYOUT_DEBITED)
    ),
    derived=derived_id_sql("payout_id", tail="h.tail"),
)

# Through which processor payments went, by `ix_attempts_payment_intent`, and how far the statement of its account is known.
# Of several authorizations the one that went well counts, else the last: it is read last.
_WITNESSES = Statement("""
SELECT a.payment_intent_id, a.processor, s.complete_until, s.booked_from
  FROM attempts AS a
  LEFT JOIN LATERAL (
    SELECT r.complete_until, c.booked_from FROM processor_accounts AS p JOIN stripe_accounts AS c USING (account_id, is_live)
      LEFT JOIN processor_readings AS r ON (r.account_id, r.is_live, r.list) = (c.account_id, c.is_live, 'movements')
     WHERE p.processor = a.processor AND (p.tenant_id = a.tenant_id OR p.processor = 'stripe') LIMIT 1
  ) AS s ON true
 WHERE a.payment_intent_id = ANY (:intents::uuid[]) AND a.tenant_id = :tenant_id AND a.operation = 'authorize'
 ORDER BY a.payment_intent_id, a.status = 'APPROVED', a.number
""")

# That they agree is written once, and that it was seen again once in 30 days: it must be kept for as long as a run is that saw it, and
# be written seldom. As JSON: of an array asyncpg looks at every element several times.
_MATCH = Statement("""
INSERT INTO reconciliation_matches AS known (tenant_id, movement_id, rule, confidence, subject_kind, subject, entry_id, run_id, matched_at)
SELECT :tenant_id, m.movement_id, m.rule, 100, m.subject_kind, m.subject, m.entry_id, :run_id, :at
  FROM json_to_recordset(:rows::json) AS m (movement_id uuid, rule text, subject_kind text, subject text, entry_id uuid)
ON CONFLICT (movement_id, tenant_id) DO UPDATE SET run_id = excluded.run_id, matched_at = excluded.matched_at
 WHERE known.matched_at < :at::timestamptz - interval '30 days'
""")
SEEN_AGAIN_AFTER = timedelta(days=30)
"""When what was written down is to be written again; the statement has the same."""

# What was looked at and agrees no more.
_UNMATCH = Statement(
    "DELETE FROM reconciliation_matches WHERE tenant_id = :tenant_id AND movement_id = ANY (:movements::uuid[])"
)


class MovementPage(msgspec.Struct, frozen=True, kw_only=True):
    """What moved for a range of payments."""

    items: list[MovementFact]
    """The movements."""
    next_after: UUID | None = None
    """The last payment of the page; None: there are no more."""


class Witness(msgspec.Struct, frozen=True, kw_only=True):
    """Who can tell of a payment beside us."""

    processor: str
    """The account that it went through, as attempts name it."""
    complete_until: datetime | None
    """Until when its statement is known; None: it was never read."""
    booked_from: datetime | None
    """From when on it is surely read; None: the account is not known."""


class Reversed(msgspec.Struct, frozen=True, kw_only=True):
    """A movement that may have an entry that was taken back."""

    id: str
    """The processor's reference."""
    movement_id: UUID
    """Ours."""
    payment_intent_id: UUID | None
    """The payment it belongs to."""


_witness = reader_of(Witness)
_reversed = reader_of(Reversed)
_fees = msgspec.json.Decoder(tuple[tuple[str, int], ...])
_KINDS = {kind.value: kind for kind in MovementKind}
"""Looked up faster than the enumeration is called."""


async def movements_of_range(
    database: Database, tenant_id: str, *, after: UUID, until: UUID, limit: int
) -> MovementPage:
    """Read what moved for the payments of a range of ids, in their order: those of a payment are never parted."""
    rows = await _OF_RANGE.fetch(database, tenant_id=tenant_id, after=after, until=until, limit=limit)
    found = _movements(rows)
    if len(found) < limit:
        return MovementPage(items=found)
    last = found[-1].payment_intent_id
    whole = [each for each in found if each.payment_intent_id != last]
    if not whole or last is None:
        # One payment with more movements than a step takes: all of them, and nothing else.
        return MovementPage(
            items=await movements_of_payments(database, tenant_id, [last] if last else []), next_after=last
        )
    return MovementPage(items=whole, next_after=whole[-1].payment_intent_id)


async def movements_of_payments(database: Database, tenant_id: str, intents: Sequence[UUID]) -> list[MovementFact]:
    """Read what moved for some payments."""
    return _movements(await _OF_PAYMENTS.fetch(database, tenant_id=tenant_id, intents=[*intents]))


async def older_payments(database: Database, run: Run, *, after: UUID, limit: int) -> list[UUID]:
    """List payments of other times than the window that are to be compared as well."""
    return [row["payment_intent_id"] for row in await _OLDER.fetch(database, run=run, after=after, limit=limit)]


async def loose_movements(
    database: Database, run: Run, *, after: UUID, also: Sequence[str], limit: int
) -> list[MovementFact]:
    """Read what moved for no payment, and of other times `also` what is named by the processor's references."""
    return _movements(await _LOOSE.fetch(database, run=run, after=after, also=[*also], limit=limit))


async def movements_at(database: Database, tenant_id: str, times: Iterable[datetime]) -> list[Reversed]:
    """Read which movements there were at some times, each a millisecond long."""
    return [_reversed(row) for row in await _AT.fetch(database, tenant_id=tenant_id, times=sorted(times))]


async def payouts(database: Database, run: Run, *, after: UUID, also: Sequence[UUID], limit: int) -> list[PayoutFact]:
    """Read payouts with what their movements come to; of other times those that `also` has an entry of."""
    rows = await _PAYOUTS.fetch(database, run=run, after=after, also=[*also], limit=limit)
    return [PayoutFact(**dict(row)) for row in rows]


async def witnesses(database: Database, tenant_id: str, intents: Sequence[UUID]) -> dict[UUID, Witness]:
    """Return through which processor payments went, as far as we know of them, and how far its statement is known."""
    rows = await _WITNESSES.fetch(database, tenant_id=tenant_id, intents=[*intents])
    return {row["payment_intent_id"]: _witness(row) for row in rows}


async def match(tx: Connection, tenant_id: str, matches: Sequence[Match], *, run_id: UUID, at: datetime) -> None:
    """Write down what agrees."""
    await _MATCH.execute(tx, tenant_id=tenant_id, rows=msgspec.json.encode(matches).decode(), run_id=run_id, at=at)


async def unmatch(tx: Connection, tenant_id: str, movements: Sequence[UUID]) -> None:
    """Remove what agrees no more."""
    await _UNMATCH.execute(tx, tenant_id=tenant_id, movements=[*movements])


def _movements(rows: Sequence[asyncpg.Record]) -> list[MovementFact]:
    return [_movement(row) for row in rows]


def _movement(row: asyncpg.Record) -> MovementFact:
    facts = dict(row)
    details = facts.pop("fee_details")
    facts["fees"] = _fees.decode(details) if details != "[]" else ()
    facts["kind"] = _KINDS[facts["kind"]]
    return MovementFact(**facts)
