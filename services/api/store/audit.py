"""The audit log: who did what, and who was denied what."""

from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.db import Database


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the audit log."""

    tenant_id: str
    """The tenant concerned; empty where none is proven."""
    id: UUID
    """UUIDv7: in the order of time."""
    actor: str
    """Subject of the token, or the login name that was tried."""
    action: str
    """What was done: `payment_intent.create`, `authz.denied`."""
    target: str
    """To what: an id, a permission, a path."""
    outcome: str
    """`success`, `failed` or `denied`."""
    detail: dict[str, str] = {}
    """Whatever else explains it; never a secret."""
    correlation_id: str
    """The request it belongs to."""
    at: datetime
    """When."""


AUDIT_PARAMETERS = 9
"""How many parameters `insert_audit` takes."""


def insert_audit(first: int, *, source: str = "") -> str:
    """Write the INSERT whose values are parameters `first` and following; nothing is recorded when `source` is empty."""
    kinds = ("text", "uuid", "text", "text", "text", "text", "jsonb", "text", "timestamptz")
    slots = ", ".join(f"${first + i}::{kind}" for i, kind in enumerate(kinds))
    origin = f" FROM {source}" if source else ""
    return (
        "INSERT INTO audit_log (tenant_id, id, actor, action, target, outcome, detail, correlation_id, created_at) "
        f"SELECT {slots}{origin}"
    )


def audit_values(record: AuditRecord) -> tuple[object, ...]:
    """Turn a record into the parameters that `insert_audit` expects."""
    return (
        record.tenant_id,
        record.id,
        record.actor,
        record.action,
        record.target,
        record.outcome,
        msgspec.json.encode(record.detail).decode() if record.detail else "{}",
        record.correlation_id,
        record.at,
    )


_RECORD = insert_audit(1)


async def record(database: Database, line: AuditRecord) -> None:
    """Add one line on its own: a login, or a denial, where no business row is written."""
    async with database.connection() as connection:
        await connection.execute(_RECORD, *audit_values(line))
