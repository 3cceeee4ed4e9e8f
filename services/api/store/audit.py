"""The audit log: who did what, and who was denied what."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from libs.common.db import Connection, Database


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


async def write(connection: Connection, lines: Sequence[AuditRecord]) -> None:
    """Add lines inside the caller's transaction."""
    await connection.executemany(_RECORD, [audit_values(line) for line in lines])


async def record_within(connection: Connection, line: AuditRecord) -> None:
    """Add one line inside the transaction of what it tells."""
    await connection.execute(_RECORD, *audit_values(line))


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines are meant; None means all."""

    actor: str | None = None
    """Exactly this actor."""
    action: str | None = None
    """Exactly this action, or all that begin with it where it ends in `.`."""
    target: str | None = None
    """Exactly this target."""
    outcome: str | None = None
    """`success`, `failed` or `denied`."""
    correlation_id: str | None = None
    """Of this request."""
    at_from: datetime | None = None
    """At or after this instant."""
    at_until: datetime | None = None
    """Before this instant."""


_LINES = """
SELECT tenant_id, id, actor, action, target, outcome, detail, correlation_id, created_at FROM audit_log
WHERE tenant_id = ANY($1::text[])
  AND ($2::text IS NULL OR actor = $2)
  AND ($3::text IS NULL OR action = $3 OR (right($3, 1) = '.' AND starts_with(action, $3)))
  AND ($4::text IS NULL OR target = $4)
  AND ($5::text IS NULL OR outcome = $5)
  AND ($6::text IS NULL OR correlation_id = $6)
  AND ($7::timestamptz IS NULL OR created_at >= $7)
  AND ($8::timestamptz IS NULL OR created_at < $8)
  AND ($9::timestamptz IS NULL OR (created_at, id) < ($9, $10::uuid))
ORDER BY created_at DESC, id DESC LIMIT $11
"""


async def lines(
    database: Database, tenants: list[str], wanted: AuditFilter, *, limit: int, after: tuple[datetime, UUID] | None
) -> list[AuditRecord]:
    """Read lines of these tenants, newest first; `after` continues where a page ended."""
    rows = await database.fetch(
        _LINES,
        tenants,
        wanted.actor,
        wanted.action,
        wanted.target,
        wanted.outcome,
        wanted.correlation_id,
        wanted.at_from,
        wanted.at_until,
        after[0] if after else None,
        after[1] if after else None,
        limit,
    )
    return [_record_of(row) for row in rows]


def _record_of(row: asyncpg.Record) -> AuditRecord:
    return AuditRecord(
        tenant_id=row["tenant_id"],
        id=row["id"],
        actor=row["actor"],
        action=row["action"],
        target=row["target"],
        outcome=row["outcome"],
        detail=msgspec.json.decode(row["detail"], type=dict[str, str]),
        correlation_id=row["correlation_id"],
        at=row["created_at"],
    )
