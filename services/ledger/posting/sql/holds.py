# ruff: noqa: S608 - statements are put together from our own words; every value is a parameter
"""Holds as the engine reads and writes them."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from libs.common.db import Connection
from services.ledger.core import Hold, HoldState

HOLD_COLUMNS = (
    "tenant_id, id, debit_account_id, credit_account_id, currency, amount_minor, placed_at, expires_at, state, "
    "captured_minor, entry_id, resolved_at"
)


def read_hold(row: asyncpg.Record) -> Hold:
    """Make a hold of its row."""
    return Hold(**{**dict(row), "state": HoldState(row["state"])})


async def holds_by_id(connection: Connection, keys: Sequence[tuple[str, UUID]]) -> dict[tuple[str, UUID], Hold]:
    """Find which of these (tenant, hold) exist."""
    rows = await connection.fetch(
        f"SELECT {HOLD_COLUMNS} FROM unnest($1::text[], $2::uuid[]) AS key(tenant_id, id) JOIN holds USING (tenant_id, id)",
        [tenant_id for tenant_id, _ in keys],
        [hold_id for _, hold_id in keys],
    )
    return {(row["tenant_id"], row["id"]): read_hold(row) for row in rows}


async def write_placed(tx: Connection, holds: Sequence[Hold]) -> None:
    """Write new holds.

    Raises:
        asyncpg.SerializationError: another transaction placed a hold of the same id after we had looked for it.
    """
    try:
        await tx.executemany(
            f"INSERT INTO holds ({HOLD_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
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
