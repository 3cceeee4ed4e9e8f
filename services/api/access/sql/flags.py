"""The SQL of feature flags: rows for one tenant, and for all that have none of their own."""

from datetime import datetime

from libs.common.db import Connection, Database
from libs.common.db.statements import Statement

# Both levels in one snapshot: the row for all counts only where the tenant has none of its own.
_FLAGS = Statement("SELECT name, tenant_id, is_enabled FROM feature_flags WHERE tenant_id IN ('', :tenant_id)")

# The table itself publishes `access.changed`, so that no other way to change a row is forgotten by the processes.
_SET = Statement("""
INSERT INTO feature_flags (name, tenant_id, is_enabled, updated_by, updated_at)
VALUES (:name, :tenant_id, :is_enabled, :by, :at)
ON CONFLICT (name, tenant_id) DO UPDATE
SET is_enabled = excluded.is_enabled, updated_by = excluded.updated_by, updated_at = excluded.updated_at
""")

# Where there is no row, nothing.
_CLEAR = Statement("DELETE FROM feature_flags WHERE name = :name AND tenant_id = :tenant_id")


async def flags(database: Database, tenant_id: str) -> dict[tuple[str, str], bool]:
    """Read the rows that concern a tenant, by name and by the tenant they are for."""
    rows = await _FLAGS.fetch(database, tenant_id=tenant_id)
    return {(row["name"], row["tenant_id"]): row["is_enabled"] for row in rows}


async def set_flag(tx: Connection, name: str, tenant_id: str, *, is_enabled: bool, by: str, at: datetime) -> None:
    """Set a flag for a tenant or for all."""
    await _SET.execute(tx, name=name, tenant_id=tenant_id, is_enabled=is_enabled, by=by, at=at)


async def clear_flag(tx: Connection, name: str, tenant_id: str) -> None:
    """Delete a row, if there is one: what is more general applies again."""
    await _CLEAR.execute(tx, name=name, tenant_id=tenant_id)
