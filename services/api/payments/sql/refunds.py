"""Refunds and disputes: what a payment intent can have several of, written under the lock of its intent."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg

from libs.common.db import Connection, Database
from services.api.payments.domain import Dispute, DisputeStatus, Refund, RefundStatus

REFUND_COLUMNS = tuple(Refund.__struct_fields__)
_DISPUTE_COLUMNS = tuple(Dispute.__struct_fields__)
_REFUND, _DISPUTE = ", ".join(REFUND_COLUMNS), ", ".join(_DISPUTE_COLUMNS)


def _slots(columns: Sequence[str]) -> str:
    return ", ".join(f"${number}" for number in range(1, len(columns) + 1))


_SAVE_REFUND = f"""
INSERT INTO refunds ({_REFUND}) VALUES ({_slots(REFUND_COLUMNS)})
ON CONFLICT (id, tenant_id) DO UPDATE SET status = excluded.status, gateway_ref = excluded.gateway_ref,
    failure_code = excluded.failure_code, failure_message = excluded.failure_message, updated_at = excluded.updated_at
"""  # noqa: S608 - built from constants
_SAVE_DISPUTE = f"""
INSERT INTO disputes ({_DISPUTE}) VALUES ({_slots(_DISPUTE_COLUMNS)})
ON CONFLICT (id, tenant_id) DO UPDATE SET status = excluded.status, reversals = excluded.reversals,
    updated_at = excluded.updated_at
"""  # noqa: S608 - built from constants
_FIND = "FROM unnest($1::text[], $2::uuid[]) AS w(tenant_id, id) JOIN {table} USING (tenant_id, id)"
_REFUNDS_BY_ID = f"SELECT {_REFUND} {_FIND.format(table='refunds')}"
_DISPUTES_BY_ID = f"SELECT {_DISPUTE} {_FIND.format(table='disputes')}"
_REFUNDS_OF = (
    f"SELECT {_REFUND} FROM refunds WHERE tenant_id = $1 AND payment_intent_id = $2 "  # noqa: S608
    "ORDER BY created_at DESC, id DESC LIMIT $3"
)
_DISPUTES_OF = (
    f"SELECT {_DISPUTE} FROM disputes WHERE tenant_id = $1 AND payment_intent_id = $2 "  # noqa: S608
    "ORDER BY opened_at DESC, id DESC LIMIT $3"
)

type Key = tuple[str, UUID]


def refund_of(row: asyncpg.Record | Mapping[str, Any]) -> Refund:
    """Read a refund from a row with `REFUND_COLUMNS`."""
    return Refund(**{**dict(row), "status": RefundStatus(row["status"])})


def _dispute_of(row: asyncpg.Record) -> Dispute:
    return Dispute(**{**dict(row), "status": DisputeStatus(row["status"])})


async def save_refunds(connection: Connection, refunds: Sequence[Refund]) -> None:
    """Save refunds whose intents are locked."""
    rows = [[getattr(refund, name) for name in REFUND_COLUMNS] for refund in refunds]
    await connection.executemany(_SAVE_REFUND, rows)


async def save_disputes(connection: Connection, disputes: Sequence[Dispute]) -> None:
    """Save disputes whose intents are locked."""
    rows = [[getattr(dispute, name) for name in _DISPUTE_COLUMNS] for dispute in disputes]
    await connection.executemany(_SAVE_DISPUTE, rows)


async def refunds_by_id(connection: Connection, ids: Sequence[Key]) -> dict[Key, Refund]:
    """Read refunds by (tenant, id), inside the transaction that has locked their intents."""
    rows = await connection.fetch(_REFUNDS_BY_ID, [tenant for tenant, _ in ids], [refund for _, refund in ids])
    return {(row["tenant_id"], row["id"]): refund_of(row) for row in rows}


async def disputes_by_id(connection: Connection, ids: Sequence[Key]) -> dict[Key, Dispute]:
    """Read disputes by (tenant, id), inside the transaction that has locked their intents."""
    rows = await connection.fetch(_DISPUTES_BY_ID, [tenant for tenant, _ in ids], [dispute for _, dispute in ids])
    return {(row["tenant_id"], row["id"]): _dispute_of(row) for row in rows}


async def refund(database: Database, tenant_id: str, refund_id: UUID) -> Refund | None:
    """Read one refund."""
    row = await database.fetchrow(_REFUNDS_BY_ID, [tenant_id], [refund_id])
    return None if row is None else refund_of(row)


async def refunds_of(database: Database, tenant_id: str, intent_id: UUID, *, limit: int) -> list[Refund]:
    """Read the refunds of an intent, newest first."""
    return [refund_of(row) for row in await database.fetch(_REFUNDS_OF, tenant_id, intent_id, limit)]


async def disputes_of(database: Database, tenant_id: str, intent_id: UUID, *, limit: int) -> list[Dispute]:
    """Read the disputes of an intent, newest first."""
    return [_dispute_of(row) for row in await database.fetch(_DISPUTES_OF, tenant_id, intent_id, limit)]
