"""Holds as the engine reads and writes them. Every list of columns comes from the fields of `Hold`."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from libs.common.db import Connection
from libs.common.db.statements import Statement, arrays_of, columns_of, reader_of
from services.ledger.core import RESOLVED_FIELDS, Hold

HOLD_COLUMNS = columns_of(Hold)
"""The columns of a hold."""
read_hold = reader_of(Hold)
"""Makes a hold of its row."""

_TYPES = {
    "tenant_id": "text",
    "id": "uuid",
    "debit_account_id": "uuid",
    "credit_account_id": "uuid",
    "currency": "text",
    "amount_minor": "int8",
    "placed_at": "timestamptz",
    "expires_at": "timestamptz",
    "state": "text",
    "captured_minor": "int8",
    "entry_id": "uuid",
    "resolved_at": "timestamptz",
}
_RESOLVED_TYPES = {"state": "text", "captured_minor": "int8", "entry_id": "uuid", "resolved_at": "timestamptz"}

# Without a lock: whoever changes a hold has locked its balances, and a decision reads it under the same lock.
_FIND = Statement(
    """
SELECT {columns} FROM unnest(:tenant_ids::text[], :ids::uuid[]) AS key(tenant_id, id) JOIN holds USING (tenant_id, id)
""",
    columns=HOLD_COLUMNS,
)
# Without ON CONFLICT: a hold of the same id that was placed after `_FIND` must fail, so that the group is decided
# again.
_PLACE = Statement(
    "INSERT INTO holds ({columns}) SELECT * FROM unnest({values})",
    columns=", ".join(_TYPES),
    values=arrays_of("holds", _TYPES),
)
# Only what the end of a hold is written in: the trigger `keep_hold` refuses a change of anything else.
_RESOLVE = Statement(
    """
UPDATE holds AS h SET {changes}
  FROM unnest(:holds[].tenant_id::text[], :holds[].id::uuid[], {values}) AS new(tenant_id, id, {columns})
 WHERE h.tenant_id = new.tenant_id AND h.id = new.id
""",
    changes=", ".join(f"{name} = new.{name}" for name in RESOLVED_FIELDS),
    values=", ".join(f":holds[].{name}::{_RESOLVED_TYPES[name]}[]" for name in RESOLVED_FIELDS),
    columns=", ".join(RESOLVED_FIELDS),
)


async def holds_by_id(connection: Connection, keys: Sequence[tuple[str, UUID]]) -> dict[tuple[str, UUID], Hold]:
    """Find which of these (tenant, hold) exist."""
    rows = await _FIND.fetch(
        connection, tenant_ids=[tenant_id for tenant_id, _ in keys], ids=[hold_id for _, hold_id in keys]
    )
    return {(row["tenant_id"], row["id"]): read_hold(row) for row in rows}


async def write_placed(tx: Connection, holds: Sequence[Hold]) -> None:
    """Write new holds.

    Raises:
        asyncpg.SerializationError: another transaction placed a hold of the same id after we had looked for it.
    """
    # In one order, so that two groups that misuse the same ids do not wait for each other in a circle.
    ordered = sorted(holds, key=lambda hold: (hold.id.bytes, hold.tenant_id))
    try:
        await _PLACE.execute(tx, holds=ordered)
    except asyncpg.UniqueViolationError as fault:
        raise asyncpg.SerializationError("a hold of the same id was placed at this very moment") from fault


async def write_resolved(tx: Connection, holds: Sequence[Hold]) -> None:
    """Write how holds ended."""
    await _RESOLVE.execute(tx, holds=holds)
