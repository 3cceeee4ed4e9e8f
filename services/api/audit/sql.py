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
    """`success`, `failed` or `denied`; `requested` before another service is asked, `unknown` when it did not reply."""
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
    """`success`, `failed`, `denied`, `requested` or `unknown`."""
    correlation_id: str | None = None
    """Of this request."""
    at_from: datetime | None = None
    """At or after this instant."""
    at_until: datetime | None = None
    """Before this instant."""


_COLUMNS = "tenant_id, id, actor, action, target, outcome, detail, correlation_id, created_at"
# One range of the index per tenant, read from its newest line on: whatever the log has, a page reads what it shows. Clauses
# and the limit stand in the statement, since a plan for any filter and any limit would read and sort everything.
_LINES = """
SELECT page.* FROM unnest($1::text[]) AS t(tenant_id) CROSS JOIN LATERAL (
       SELECT {columns} FROM audit_log AS a WHERE a.tenant_id = t.tenant_id {clauses}
        ORDER BY a.created_at DESC, a.id DESC LIMIT {limit}) AS page
 ORDER BY page.created_at DESC, page.id DESC LIMIT {limit}
"""


async def lines(
    database: Database, tenants: list[str], wanted: AuditFilter, *, limit: int, after: tuple[datetime, UUID] | None
) -> list[AuditRecord]:
    """Read lines of these tenants, newest first; `after` continues where a page ended."""
    clauses: list[str] = []
    values: list[object] = [tenants]

    def add(clause: str, *given: object) -> None:
        if given[0] is not None:
            clauses.append(clause.format(*(f"${len(values) + place}" for place in range(1, len(given) + 1))))
            values.extend(given)

    add("AND a.actor = {}", wanted.actor)
    if wanted.action is not None and wanted.action.endswith("."):
        add("AND starts_with(a.action, {})", wanted.action)
    else:
        add("AND a.action = {}", wanted.action)
    add("AND a.target = {}", wanted.target)
    add("AND a.outcome = {}", wanted.outcome)
    add("AND a.correlation_id = {}", wanted.correlation_id)
    add("AND a.created_at >= {}", wanted.at_from)
    add("AND a.created_at < {}", wanted.at_until)
    if after is not None:
        add("AND (a.created_at, a.id) < ({}, {})", *after)
    sql = _LINES.format(columns=_COLUMNS, clauses=" ".join(clauses), limit=int(limit))
    return [_record_of(row) for row in await database.fetch(sql, *values)]


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
