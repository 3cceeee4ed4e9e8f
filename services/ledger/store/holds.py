# ruff: noqa: S608 - statements are put together from our own words; every value is a parameter
"""Holds: written by the engine, read by whoever asks."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from libs.common.db import Connection
from services.ledger.domain import Hold, HoldState

_HOLD = (
    "tenant_id, id, debit_account_id, credit_account_id, currency, amount_minor, placed_at, expires_at, state, "
    "captured_minor, entry_id, resolved_at"
)


def _hold(row: asyncpg.Record) -> Hold:
    return Hold(**{**dict(row), "state": HoldState(row["state"])})


async def holds_by_id(connection: Connection, keys: Sequence[tuple[str, UUID]]) -> dict[tuple[str, UUID], Hold]:
    """Find which of these (tenant, hold) exist."""
    rows = await connection.fetch(
        f"SELECT {_HOLD} FROM unnest($1::text[], $2::uuid[]) AS key(tenant_id, id) JOIN holds USING (tenant_id, id)",
        [tenant_id for tenant_id, _ in keys],
        [hold_id for _, hold_id in keys],
    )
    return {(row["tenant_id"], row["id"]): _hold(row) for row in rows}


async def write_placed(tx: Connection, holds: Sequence[Hold]) -> None:
    """Write new holds.

    Raises:
        asyncpg.SerializationError: another transaction placed a hold of the same id after we had looked for it.
    """
    try:
        await tx.executemany(
            f"INSERT INTO holds ({_HOLD}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            [
                (
                    hold.tenant_id,
                    hold.id,
                    hold.debit_account_id,
                    hold.credit_account_id,
                    hold.currency,
                    hold.amount_minor,
                    hold.placed_at,
                    hold.expires_at,
                    hold.state.value,
                    hold.captured_minor,
                    hold.entry_id,
                    hold.resolved_at,
                )
                for hold in sorted(holds, key=lambda hold: (hold.id.bytes, hold.tenant_id))
            ],
        )
    except asyncpg.UniqueViolationError as fault:
        raise asyncpg.SerializationError("a hold of the same id was placed at this very moment") from fault


async def write_resolved(tx: Connection, holds: Sequence[Hold]) -> None:
    """Write how holds ended."""
    await tx.execute(
        "UPDATE holds AS h SET state = new.state, captured_minor = new.captured_minor, entry_id = new.entry_id, "
        "resolved_at = new.resolved_at FROM unnest($1::text[], $2::uuid[], $3::text[], $4::int8[], $5::uuid[], "
        "$6::timestamptz[]) AS new(tenant_id, id, state, captured_minor, entry_id, resolved_at) "
        "WHERE h.tenant_id = new.tenant_id AND h.id = new.id",
        [hold.tenant_id for hold in holds],
        [hold.id for hold in holds],
        [hold.state.value for hold in holds],
        [hold.captured_minor for hold in holds],
        [hold.entry_id for hold in holds],
        [hold.resolved_at for hold in holds],
    )


async def due_holds(connection: Connection, *, now: datetime, limit: int) -> list[Hold]:
    """List open holds whose time is over, the longest overdue first."""
    rows = await connection.fetch(
        f"SELECT {_HOLD} FROM holds WHERE state = 'OPEN' AND expires_at <= $1 ORDER BY expires_at LIMIT $2",
        now,
        limit,
    )
    return [_hold(row) for row in rows]


async def hold_page(
    connection: Connection,
    tenant_id: str,
    *,
    state: HoldState | None,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Hold]:
    """Read a tenant's holds, newest first by (placed_at, id)."""
    rows = await connection.fetch(
        f"SELECT {_HOLD} FROM holds WHERE tenant_id = $1 AND ($2::text IS NULL OR state = $2) "
        "AND ($3::timestamptz IS NULL OR (placed_at, id) < ($3, $4::uuid)) ORDER BY placed_at DESC, id DESC LIMIT $5",
        tenant_id,
        None if state is None else state.value,
        None if before is None else before[0],
        None if before is None else before[1],
        limit,
    )
    return [_hold(row) for row in rows]


async def codes_of(connection: Connection, tenant_id: str, account_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Read the codes of some accounts of a tenant."""
    rows = await connection.fetch(
        "SELECT id, code FROM accounts WHERE tenant_id = $1 AND id = ANY($2::uuid[])", tenant_id, account_ids
    )
    return {row["id"]: row["code"] for row in rows}


async def accounts_of(connection: Connection, tenant_id: str, codes: Sequence[str]) -> dict[str, UUID]:
    """Find some accounts of a tenant by their codes."""
    rows = await connection.fetch(
        "SELECT id, code FROM accounts WHERE tenant_id = $1 AND code = ANY($2::text[])", tenant_id, codes
    )
    return {row["code"]: row["id"] for row in rows}
