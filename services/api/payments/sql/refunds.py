"""The SQL of refunds and disputes: what a payment can have several of, written under the lock of its intent."""

from collections.abc import Sequence
from uuid import UUID

from libs.common.db import Connection, Database
from libs.common.db.statements import Statement, columns_of, reader_of, values_of
from services.api.payments.domain import Dispute, Refund

type Key = tuple[str, UUID]

REFUND_CHANGING = ("status", "gateway_ref", "failure_code", "failure_message", "updated_at")
"""The columns of a refund that a change touches; the others are immutable."""
DISPUTE_CHANGING = (
    *("amount_minor", "status", "reversals", "updated_at"),
    *("reason", "evidence_due_at", "opened_at"),
)
"""The columns of a dispute that a change touches; the others are immutable. The last three change where an inquiry becomes
one."""

# Overwrites without a comparison: whoever saves a refund, new or changed, holds the lock of its intent.
_SAVE_REFUND = Statement(
    """
INSERT INTO refunds ({columns}) VALUES ({values})
ON CONFLICT (id, tenant_id) DO UPDATE SET {assignments}
""",
    columns=columns_of(Refund),
    values=values_of("refund", Refund),
    assignments=", ".join(f"{column} = excluded.{column}" for column in REFUND_CHANGING),
)

# As for refunds; which of a bank's decisions counts is decided before, by `reversals`, under the lock of the intent.
_SAVE_DISPUTE = Statement(
    """
INSERT INTO disputes ({columns}) VALUES ({values})
ON CONFLICT (id, tenant_id) DO UPDATE SET {assignments}
""",
    columns=columns_of(Dispute),
    values=values_of("dispute", Dispute),
    assignments=", ".join(f"{column} = excluded.{column}" for column in DISPUTE_CHANGING),
)

_BY_ID = """
SELECT {columns} FROM unnest(:tenant_ids::text[], :ids::uuid[]) AS w(tenant_id, id) JOIN {table} USING (tenant_id, id)
"""
# By the primary key, a batch at once, and without a lock: no refund is written without the lock of its intent.
_REFUNDS_BY_ID = Statement(_BY_ID, columns=columns_of(Refund), table="refunds")
# Takes no lock for the same reason: a dispute is written under the lock of its intent alone.
_DISPUTES_BY_ID = Statement(_BY_ID, columns=columns_of(Dispute), table="disputes")

# In the order of `ix_refunds_payment_intent`; the id decides where two have one instant.
_REFUNDS_OF = Statement(
    """
SELECT {columns} FROM refunds WHERE tenant_id = :tenant_id AND payment_intent_id = :intent_id
 ORDER BY created_at DESC, id DESC LIMIT :limit
""",
    columns=columns_of(Refund),
)

# In the order of `ix_disputes_payment_intent`; the id decides where two have one instant.
_DISPUTES_OF = Statement(
    """
SELECT {columns} FROM disputes WHERE tenant_id = :tenant_id AND payment_intent_id = :intent_id
 ORDER BY opened_at DESC, id DESC LIMIT :limit
""",
    columns=columns_of(Dispute),
)

_refund_of = reader_of(Refund)
_dispute_of = reader_of(Dispute)


async def save_refunds(tx: Connection, refunds: Sequence[Refund]) -> None:
    """Save refunds whose intents are locked."""
    await _SAVE_REFUND.executemany(tx, [{"refund": refund} for refund in refunds])


async def save_disputes(tx: Connection, disputes: Sequence[Dispute]) -> None:
    """Save disputes whose intents are locked."""
    await _SAVE_DISPUTE.executemany(tx, [{"dispute": dispute} for dispute in disputes])


async def refunds_by_id(tx: Connection, ids: Sequence[Key]) -> dict[Key, Refund]:
    """Read refunds by (tenant, id), inside the transaction that has locked their intents."""
    rows = await _REFUNDS_BY_ID.fetch(tx, tenant_ids=[tenant for tenant, _ in ids], ids=[refund for _, refund in ids])
    return {(row["tenant_id"], row["id"]): _refund_of(row) for row in rows}


async def disputes_by_id(tx: Connection, ids: Sequence[Key]) -> dict[Key, Dispute]:
    """Read disputes by (tenant, id), inside the transaction that has locked their intents."""
    rows = await _DISPUTES_BY_ID.fetch(
        tx, tenant_ids=[tenant for tenant, _ in ids], ids=[dispute for _, dispute in ids]
    )
    return {(row["tenant_id"], row["id"]): _dispute_of(row) for row in rows}


async def refund(database: Database, tenant_id: str, refund_id: UUID) -> Refund | None:
    """Read one refund."""
    row = await _REFUNDS_BY_ID.fetchrow(database, tenant_ids=[tenant_id], ids=[refund_id])
    return None if row is None else _refund_of(row)


async def refunds_of(database: Database, tenant_id: str, intent_id: UUID, *, limit: int) -> list[Refund]:
    """Read the refunds of an intent, newest first."""
    rows = await _REFUNDS_OF.fetch(database, tenant_id=tenant_id, intent_id=intent_id, limit=limit)
    return [_refund_of(row) for row in rows]


async def disputes_of(database: Database, tenant_id: str, intent_id: UUID, *, limit: int) -> list[Dispute]:
    """Read the disputes of an intent, newest first."""
    rows = await _DISPUTES_OF.fetch(database, tenant_id=tenant_id, intent_id=intent_id, limit=limit)
    return [_dispute_of(row) for row in rows]
