"""The SQL of movements: each written once, completed when it can be paid out, and never changed otherwise."""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from libs.common.db import Connection, Database
from libs.common.db.statements import Statement, arrays_of, reader_of
from services.gateway.movements.domain import (
    Booked,
    Known,
    PaymentOf,
    RecordedMovement,
    RequestedRefund,
    StatementAccount,
)
from services.gateway.operations import is_declined_unreported
from services.gateway.processors.port.reading import StatementMovement

# Whichever configuration an event came by, the books are those of the account's owner. Where the account is awaited and
# has no configuration of its owner, the one that the event came by stands in.
_ACCOUNT = Statement("""
SELECT a.account_id, a.is_live, a.tenant_id, coalesce(a.processor, p.processor) AS processor, a.known_at, a.booked_from,
       a.opening_due, a.opened_at
  FROM processor_accounts AS p JOIN stripe_accounts AS a USING (account_id, is_live)
 WHERE p.processor = :processor AND p.tenant_id = :tenant_id
""")

# Payments that went through a configuration of the account, whoever owns it: by our id, and by the processor's reference, which
# is known from its answer, or from an earlier movement where the answer was lost.
_PAYMENTS = Statement("""
WITH through AS (SELECT processor, tenant_id FROM processor_accounts WHERE account_id = :account_id AND is_live = :is_live)
SELECT a.tenant_id, a.payment_intent_id, a.gateway_ref FROM attempts AS a
 WHERE a.payment_intent_id = ANY (:intents::uuid[]) AND a.operation = 'authorize'
   AND EXISTS (SELECT FROM through AS t WHERE t.processor = a.processor AND (t.tenant_id = a.tenant_id OR t.processor = 'stripe'))
 UNION
SELECT a.tenant_id, a.payment_intent_id, a.gateway_ref FROM attempts AS a
 WHERE a.gateway_ref = ANY (:refs::text[]) AND a.operation = 'authorize' AND a.processor <> 'sandbox'
   AND EXISTS (SELECT FROM through AS t WHERE t.processor = a.processor AND (t.tenant_id = a.tenant_id OR t.processor = 'stripe'))
 UNION
SELECT tenant_id, payment_intent_id, payment_ref FROM processor_movements
 WHERE account_id = :account_id AND is_live = :is_live AND payment_ref = ANY (:refs::text[]) AND payment_ref <> ''
   AND payment_intent_id IS NOT NULL
""")

# The ids in a movement are metadata, which whoever has the account can write: only a refund that we requested counts.
# By `ix_attempts_payment_intent`.
_REFUNDS = Statement("""
SELECT tenant_id, payment_intent_id, refund_id, result_ref, status, reason FROM attempts
 WHERE payment_intent_id = ANY (:intents::uuid[]) AND operation = 'refund' AND refund_id = ANY (:refunds::uuid[])
""")

# What is recorded of refunds of some payments, by `ix_processor_movements_payment`.
_RECORDED_REFUNDS = Statement("""
SELECT source_ref, refund_id FROM processor_movements
 WHERE payment_intent_id = ANY (:intents::uuid[]) AND refund_id IS NOT NULL AND source_ref <> ''
   AND account_id = :account.account_id AND is_live = :account.is_live
 ORDER BY created_at, id
""")

_TYPES = {
    "id": "text",
    "movement_id": "uuid",
    "tenant_id": "text",
    "is_booked": "bool",
    "is_opened": "bool",
    "kind": "text",
    "type": "text",
    "reporting_category": "text",
    "source_ref": "text",
    "payment_ref": "text",
    "charge_ref": "text",
    "payment_intent_id": "uuid",
    "refund_id": "uuid",
    "amount_minor": "int8",
    "fee_minor": "int8",
    "fee_details": "jsonb",
    "net_minor": "int8",
    "currency": "text",
    "exchange_rate": "text",
    "source_amount_minor": "int8",
    "source_currency": "text",
    "created_at": "timestamptz",
    "available_at": "timestamptz",
    "status": "text",
    "raw": "text",
}
"""What a movement is written with, and the type of each."""

# One that is known changes nothing here; whoever inserts it publishes it, in the same transaction.
_ADD = Statement(
    """
INSERT INTO processor_movements (account_id, is_live, {columns}, seen_at, updated_at)
SELECT :account.account_id, :account.is_live, m.*, :at, :at FROM unnest({arrays}) AS m
ON CONFLICT DO NOTHING RETURNING id, currency, net_minor, is_booked, status
""",
    columns=", ".join(_TYPES),
    arrays=arrays_of("rows", _TYPES),
)

# Pending becomes available, and never the other way round. Locked in the order of the key, so that an event and a page with the
# same movements never wait in a circle.
_COMPLETE = Statement("""
WITH given AS (
    SELECT * FROM unnest(:rows[].id::text[], :rows[].available_at::timestamptz[], :rows[].status::text[], :rows[].raw::text[])
        AS g (id, available_at, status, raw)
), held AS (
    SELECT m.id FROM processor_movements AS m JOIN given USING (id)
     WHERE m.account_id = :account.account_id AND m.is_live = :account.is_live AND m.status = 'pending'
       AND given.status = 'available' ORDER BY m.id FOR UPDATE OF m
)
UPDATE processor_movements AS m
   SET status = 'available', available_at = given.available_at, raw = given.raw, updated_at = :at
  FROM held JOIN given USING (id)
 WHERE m.account_id = :account.account_id AND m.is_live = :account.is_live AND m.id = held.id
RETURNING m.id, m.movement_id, m.tenant_id, m.is_booked OR m.is_opened AS is_booked, m.net_minor, m.currency, m.available_at
""")

# Without a lock: it only saves calls to the processor. What another process writes meanwhile, `_ADD` leaves alone.
_KNOWN = Statement("""
SELECT id FROM processor_movements
 WHERE account_id = :account.account_id AND is_live = :account.is_live AND id = ANY (:ids::text[])
""")

# Only what changes: a payout whose pages are read again writes no row twice. Locked in the order of the key, as above.
_PART_OF = Statement("""
WITH held AS (
    SELECT id FROM processor_movements
     WHERE account_id = :account.account_id AND is_live = :account.is_live AND id = ANY (:ids::text[])
       AND payout_ref <> :payout_ref ORDER BY id FOR UPDATE
)
UPDATE processor_movements AS m SET payout_ref = :payout_ref, updated_at = :at FROM held
 WHERE m.account_id = :account.account_id AND m.is_live = :account.is_live AND m.id = held.id
""")

# What is recorded of some disputes, in the currencies of their payments. By `ix_processor_movements_ref`; the index has those of
# our payments alone, and others are in nobody's `DISPUTE_CLEARING`.
_OF_DISPUTES = Statement("""
SELECT source_ref, id, source_amount_minor FROM processor_movements
 WHERE payment_ref = ANY (:payments::text[]) AND payment_ref <> '' AND payment_intent_id IS NOT NULL
   AND account_id = :account.account_id AND is_live = :account.is_live
   AND source_ref = ANY (:disputes::text[]) AND source_amount_minor IS NOT NULL
""")

# A payment of which more went back than came: a refund and a dispute of the same money. In the payment's own currency, so that
# a rate that has moved in between counts for nothing.
_GIVEN_BACK_TWICE = Statement("""
SELECT payment_intent_id, tenant_id, coalesce(nullif(source_currency, ''), currency) AS currency,
       -sum(coalesce(source_amount_minor, amount_minor)) AS over_minor
  FROM processor_movements
 WHERE payment_intent_id = ANY (:intents::uuid[]) AND kind IN
       ('charge', 'release', 'refund', 'refund_failure', 'dispute', 'dispute_reversal')
 GROUP BY payment_intent_id, tenant_id, coalesce(nullif(source_currency, ''), currency)
HAVING bool_or(kind = 'charge') AND sum(coalesce(source_amount_minor, amount_minor)) < 0
""")

read_account = reader_of(StatementAccount)


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    """A movement as it is written."""

    id: str
    movement_id: UUID
    tenant_id: str
    is_booked: bool
    is_opened: bool
    kind: str
    type: str
    reporting_category: str
    source_ref: str
    payment_ref: str
    charge_ref: str
    payment_intent_id: UUID | None
    refund_id: UUID | None
    amount_minor: int
    fee_minor: int
    fee_details: str
    net_minor: int
    currency: str
    exchange_rate: str
    source_amount_minor: int | None
    source_currency: str
    created_at: datetime
    available_at: datetime
    status: str
    raw: str


class Completed(msgspec.Struct, frozen=True, kw_only=True):
    """A movement that can be paid out since now."""

    id: str
    movement_id: UUID
    tenant_id: str
    is_booked: bool
    """Whether it, or the opening balance that it is part of, was published."""
    net_minor: int
    currency: str
    available_at: datetime


class GivenBackTwice(msgspec.Struct, frozen=True, kw_only=True):
    """A payment of which more went back than came."""

    payment_intent_id: UUID
    tenant_id: str
    currency: str
    over_minor: int


_completed = reader_of(Completed)


async def account_of(database: Database, *, tenant_id: str, processor: str) -> StatementAccount | None:
    """Find the account at the processor of a configuration; None while it is not known."""
    row = await _ACCOUNT.fetchrow(database, tenant_id=tenant_id, processor=processor)
    return None if row is None else read_account(row)


async def known_of(
    tx: Connection,
    account: StatementAccount,
    *,
    intents: Sequence[UUID],
    refs: Sequence[str],
    refunds: Sequence[UUID],
    has_refunds: bool,
) -> Known:
    """Read what our own records have of the payments and refunds that some movements name; `has_refunds`: any are of refunds."""
    rows = await _PAYMENTS.fetch(
        tx, account_id=account.account_id, is_live=account.is_live, intents=[*intents], refs=[*refs]
    )
    payments = tuple(PaymentOf(**dict(row)) for row in rows)
    ours = [payment.payment_intent_id for payment in payments]
    if not ours or not has_refunds:
        return Known(payments=payments)
    rows = await _RECORDED_REFUNDS.fetch(tx, account=account, intents=ours)
    recorded = {row["source_ref"]: row["refund_id"] for row in rows}
    requested = await _REFUNDS.fetch(tx, intents=ours, refunds=[*{*refunds, *recorded.values()}])
    return Known(
        payments=payments,
        refunds={
            (row["tenant_id"], row["payment_intent_id"], row["refund_id"]): RequestedRefund(
                result_ref=row["result_ref"],
                is_declined_unreported=is_declined_unreported(row["status"], row["reason"], row["result_ref"]),
            )
            for row in requested
        },
        recorded=recorded,
    )


async def of_disputes(
    tx: Connection, account: StatementAccount, movements: Sequence[StatementMovement]
) -> dict[str, dict[str, int]]:
    """Read what moved for the disputes of some movements, in the currencies of their payments: by dispute and movement."""
    payments, disputes = ([*{getattr(m, name) for m in movements}] for name in ("payment_ref", "source_ref"))
    found: dict[str, dict[str, int]] = {}
    for row in await _OF_DISPUTES.fetch(tx, account=account, payments=payments, disputes=disputes):
        found.setdefault(row["source_ref"], {})[row["id"]] = row["source_amount_minor"]
    return found


async def known_ids(database: Database, account: StatementAccount, ids: Sequence[str]) -> frozenset[str]:
    """Return which movements of an account are known already."""
    return frozenset(row["id"] for row in await _KNOWN.fetch(database, account=account, ids=[*ids]))


async def add(
    tx: Connection, account: StatementAccount, movements: Sequence[RecordedMovement], *, at: datetime
) -> tuple[frozenset[str], list[Completed], list[Booked]]:
    """Write movements; returns which are new, which were pending and can be paid out now, and what all that has brought."""
    # In the order of the key: two processes that see the same page never wait for each other in a circle.
    rows = [_row(account, movement) for movement in sorted(movements, key=lambda m: m.moved.ref)]
    new = await _ADD.fetch(tx, account=account, rows=rows, at=at)
    completed = [_completed(row) for row in await _COMPLETE.fetch(tx, account=account, rows=rows, at=at)]
    total: Counter[str] = Counter()
    available: Counter[str] = Counter()
    for row in new:
        total[row["currency"]] += row["net_minor"] if row["is_booked"] else 0
        available[row["currency"]] += row["net_minor"] if row["is_booked"] and row["status"] == "available" else 0
    for each in completed:
        available[each.currency] += each.net_minor if each.is_booked else 0
    sums = [
        Booked(currency=currency, total_minor=total[currency], available_minor=available[currency])
        for currency in {*total, *available}
    ]
    return frozenset(row["id"] for row in new), completed, sums


async def part_of(
    tx: Connection, account: StatementAccount, ids: Sequence[str], *, payout_ref: str, at: datetime
) -> None:
    """Note of which payout some movements are part."""
    await _PART_OF.execute(tx, account=account, ids=[*ids], payout_ref=payout_ref, at=at)


async def given_back_twice(tx: Connection, intents: Sequence[UUID]) -> list[GivenBackTwice]:
    """Find payments of which more went back than came."""
    rows = await _GIVEN_BACK_TWICE.fetch(tx, intents=[*intents])
    return [GivenBackTwice(**{**dict(row), "over_minor": int(row["over_minor"])}) for row in rows]


def _row(account: StatementAccount, movement: RecordedMovement) -> _Row:
    moved = movement.moved
    shared: dict[str, Any] = {
        name: getattr(moved, name) for name in _Row.__struct_fields__ if name in moved.__struct_fields__
    }
    return _Row(
        **{
            **shared,
            "kind": moved.kind.value,
            "net_minor": moved.net_minor,
            "id": moved.ref,
            "movement_id": movement.movement_id,
            "tenant_id": movement.tenant_id,
            "payment_intent_id": movement.payment_intent_id,
            "refund_id": movement.refund_id,
            "is_booked": moved.created_at >= account.booked_from,
            "is_opened": account.opened_at is not None
            and moved.created_at < account.booked_from
            and not moved.is_available,
            "fee_minor": moved.amount_minor - moved.net_minor,
            "fee_details": json.dumps([[kind, amount] for kind, amount in moved.fees]),
            "status": "available" if moved.is_available else "pending",
        }
    )
