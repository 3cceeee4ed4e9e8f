"""The SQL of what charges, refunds and disputes are compared with: our own records of them."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from libs.common.db import Database
from libs.common.db.statements import Statement, reader_of
from services.gateway.operations import AttemptStatus
from services.gateway.processors.port import DisputeState

# By `ix_attempts_payment_intent`. The ids are metadata, which whoever has the account can write: only what went through a
# configuration of this account counts.
_REFUNDS = Statement("""
SELECT a.tenant_id, a.processor, a.refund_id, a.status FROM attempts AS a
  JOIN processor_accounts AS t ON t.processor = a.processor AND (t.tenant_id = a.tenant_id OR t.processor = 'stripe')
 WHERE t.account_id = :account_id AND t.is_live = :is_live AND a.operation = 'refund'
   AND a.payment_intent_id = ANY (:intents::uuid[]) AND a.refund_id = ANY (:refunds::uuid[])
""")

# By `ix_attempts_gateway_ref`; a payment without any dispute is one row.
_DISPUTES = Statement("""
SELECT a.tenant_id, a.processor, a.gateway_ref AS payment_ref, coalesce(d.gateway_ref, '') AS dispute_ref, d.state, d.amount_minor
  FROM attempts AS a
  JOIN processor_accounts AS t ON t.processor = a.processor AND (t.tenant_id = a.tenant_id OR t.processor = 'stripe')
  LEFT JOIN disputes AS d ON d.payment_intent_id = a.payment_intent_id AND d.tenant_id = a.tenant_id AND d.processor = a.processor
 WHERE t.account_id = :account_id AND t.is_live = :is_live AND a.gateway_ref = ANY (:payments::text[])
   AND a.operation = 'authorize' AND a.processor <> 'sandbox'
""")

# By `ix_attempts_payment_intent`; of the same configurations alone. Most payments of a page are captured. Of one that was
# authorized more than once the last time counts.
_UNCAPTURED = Statement("""
SELECT DISTINCT ON (a.payment_intent_id, a.tenant_id) a.tenant_id, a.processor, a.payment_intent_id, a.status,
       coalesce((SELECT string_agg(c.status, ',' ORDER BY c.created_at, c.id) FROM attempts AS c
                  WHERE c.payment_intent_id = a.payment_intent_id AND c.tenant_id = a.tenant_id AND c.operation = 'capture'), '') AS captures
  FROM attempts AS a
  JOIN processor_accounts AS t ON t.processor = a.processor AND (t.tenant_id = a.tenant_id OR t.processor = 'stripe')
 WHERE t.account_id = :account_id AND t.is_live = :is_live AND a.operation = 'authorize'
   AND a.payment_intent_id = ANY (:intents::uuid[]) AND NOT EXISTS (
       SELECT FROM attempts AS c WHERE c.payment_intent_id = a.payment_intent_id AND c.tenant_id = a.tenant_id
          AND c.operation = 'capture' AND c.status = 'APPROVED')
 ORDER BY a.payment_intent_id, a.tenant_id, a.created_at DESC
""")

# By the primary key.
_KEPT = Statement("""
SELECT id FROM stripe_events WHERE id = ANY (:ids::text[]) AND processor = ANY (:processors::text[])
""")


class KnownRefund(msgspec.Struct, frozen=True, kw_only=True):
    """A refund that we requested."""

    tenant_id: str
    processor: str
    refund_id: UUID
    status: AttemptStatus


class KnownDispute(msgspec.Struct, frozen=True, kw_only=True):
    """A payment of ours, with a dispute of it where there is one."""

    tenant_id: str
    processor: str
    payment_ref: str
    dispute_ref: str
    """Empty: none."""
    state: DisputeState | None
    amount_minor: int | None


class Uncaptured(msgspec.Struct, frozen=True, kw_only=True):
    """A payment of ours of which nobody has reported that it was captured."""

    tenant_id: str
    processor: str
    payment_intent_id: UUID
    status: AttemptStatus
    captures: str
    """What became of the captures that were requested; empty: there was none."""


_refund, _dispute, _uncaptured = reader_of(KnownRefund), reader_of(KnownDispute), reader_of(Uncaptured)


async def refunds(
    database: Database, account_id: str, *, is_live: bool, intents: Sequence[UUID], refunds: Sequence[UUID]
) -> dict[UUID, KnownRefund]:
    """Read refunds of an account, by our ids of them and of their payments."""
    rows = await _REFUNDS.fetch(
        database, account_id=account_id, is_live=is_live, intents=[*intents], refunds=[*refunds]
    )
    return {row["refund_id"]: _refund(row) for row in rows}


async def disputes(
    database: Database, account_id: str, *, is_live: bool, payments: Sequence[str]
) -> list[KnownDispute]:
    """Read payments of an account with their disputes, by the processor's references of the payments."""
    rows = await _DISPUTES.fetch(database, account_id=account_id, is_live=is_live, payments=[*payments])
    return [_dispute(row) for row in rows]


async def uncaptured(
    database: Database, account_id: str, *, is_live: bool, intents: Sequence[UUID]
) -> list[Uncaptured]:
    """Read which payments of an account are not captured, of some."""
    rows = await _UNCAPTURED.fetch(database, account_id=account_id, is_live=is_live, intents=[*intents])
    return [_uncaptured(row) for row in rows]


async def kept(database: Database, ids: Sequence[str], *, processors: Sequence[str]) -> frozenset[str]:
    """Return which events were kept before."""
    rows = await _KEPT.fetch(database, ids=[*ids], processors=[*processors])
    return frozenset(row["id"] for row in rows)
