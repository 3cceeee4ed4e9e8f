"""Feature flags: rows for one tenant, and for all that have none of their own."""

from datetime import datetime

from libs.common.db import Database
from services.api.audit import AuditRecord
from services.api.audit.sql import audit_values, insert_audit

_FLAGS = "SELECT name, tenant_id, is_enabled FROM feature_flags WHERE tenant_id IN ('', $1)"
_SET = f"""
WITH put AS (
    INSERT INTO feature_flags (name, tenant_id, is_enabled, updated_by, updated_at) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (name, tenant_id) DO UPDATE
    SET is_enabled = excluded.is_enabled, updated_by = excluded.updated_by, updated_at = excluded.updated_at
)
{insert_audit(6)}
"""  # noqa: S608 - built from constants
_CLEAR = f"""
WITH gone AS (DELETE FROM feature_flags WHERE name = $1 AND tenant_id = $2)
{insert_audit(3)}
"""  # noqa: S608 - built from constants


async def flags(database: Database, tenant_id: str) -> dict[tuple[str, str], bool]:
    """Read the rows that concern a tenant, by name and by the tenant they are for."""
    return {(row["name"], row["tenant_id"]): row["is_enabled"] for row in await database.fetch(_FLAGS, tenant_id)}


async def set_flag(
    database: Database, name: str, tenant_id: str, *, is_enabled: bool, by: str, at: datetime, audit: AuditRecord
) -> None:
    """Set a flag for a tenant or for all, together with its audit line; the table itself says `access.changed`."""
    await database.write(_SET, name, tenant_id, is_enabled, by, at, *audit_values(audit))


async def clear_flag(database: Database, name: str, tenant_id: str, *, audit: AuditRecord) -> None:
    """Take a row away, if there is one, together with its audit line: what is more general holds again."""
    await database.write(_CLEAR, name, tenant_id, *audit_values(audit))
