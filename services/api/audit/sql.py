"""The SQL of the audit log."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from uuid import UUID

import asyncpg
import msgspec

from libs.common.db import Connection, Database
from libs.common.db.statements import Statement
from services.api.audit.domain import AuditFilter, AuditRecord

COLUMNS = {
    "tenant_id": ":audit.tenant_id::text",
    "id": ":audit.id::uuid",
    "actor": ":audit.actor::text",
    "action": ":audit.action::text",
    "target": ":audit.target::text",
    "outcome": ":audit.outcome::text",
    "detail": ":audit_detail::jsonb",
    "correlation_id": ":audit.correlation_id::text",
    "created_at": ":audit.at::timestamptz",
}
"""The columns of a line, and their values."""
_ARRAYS = ", ".join(
    value.replace(":audit.", ":audits[].").replace(":audit_detail", ":audit_details") + "[]"
    for value in COLUMNS.values()
)
_EACH = ", ".join(f"a.{column}" for column in COLUMNS)
INSERT_AUDIT = f"INSERT INTO audit_log ({', '.join(COLUMNS)}) SELECT {', '.join(COLUMNS.values())}"
"""Writes a line; for a `Statement` with the values that `audit_values` returns. `FROM` a CTE may follow, so that nothing is
written where that one has no row."""

INSERT_AUDIT_OF = (
    f"INSERT INTO audit_log ({', '.join(COLUMNS)}) SELECT {_EACH} FROM "  # noqa: S608 - no input
    f"unnest({_ARRAYS}, :audited::uuid[]) AS a({', '.join(COLUMNS)}, audited) "
    "JOIN {decided} AS w ON w.id = a.audited"
)
"""The same for many decisions at once, with the values that `audits_values` returns: `audited` names what each line is about,
and `{decided}` a CTE of the ids of those that were decided. Of the others no line is written."""

# Inside a transaction or on its own. It publishes nothing, so it is never a `write`, which wakes the relay.
_INSERT = Statement(INSERT_AUDIT)

# Through a function, since our role may not write seals; after the line, which it reads.
_SEAL = Statement("SELECT seal_line(:line.tenant_id, :line.id)")

# One range of the index per tenant, read from its newest line on: whatever the log has, a page reads what it shows. Clauses
# and the limit stand in the statement, since a plan for any filter and any limit would read and sort everything.
_LINES = """
SELECT page.* FROM unnest(:tenants::text[]) AS t(tenant_id) CROSS JOIN LATERAL (
       SELECT {columns} FROM audit_log AS a WHERE a.tenant_id = t.tenant_id {clauses}
        ORDER BY a.created_at DESC, a.id DESC LIMIT {limit}) AS page
 ORDER BY page.created_at DESC, page.id DESC LIMIT {limit}
"""
FILTERS = {
    "actor": "AND a.actor = :filters.actor",
    "action": "AND a.action = :filters.action",
    "target": "AND a.target = :filters.target",
    "outcome": "AND a.outcome = :filters.outcome",
    "correlation_id": "AND a.correlation_id = :filters.correlation_id",
    "at_from": "AND a.created_at >= :filters.at_from",
    "at_until": "AND a.created_at < :filters.at_until",
}
"""What each member of a filter means; a member that is not set is left out."""
_ACTIONS_THAT_BEGIN = "AND starts_with(a.action, :filters.action)"
_STATEMENTS_MAX = 256
"""Statements that are kept at most: one for each choice of filters and each size of a page."""
_AFTER = "AND (a.created_at, a.id) < (:after_at, :after_id)"


def audit_values(line: AuditRecord) -> dict[str, object]:
    """Return the values of `INSERT_AUDIT`."""
    return {"audit": line, "audit_detail": _detail(line)}


def audits_values(lines: Sequence[AuditRecord]) -> dict[str, object]:
    """Return the values of `INSERT_AUDIT_OF`, without `audited`."""
    return {"audits": lines, "audit_details": [_detail(line) for line in lines]}


def _detail(line: AuditRecord) -> str:
    return msgspec.json.encode(line.detail).decode() if line.detail else "{}"


async def write_line(source: Connection | Database, line: AuditRecord) -> None:
    """Write one line, inside the caller's transaction or on its own."""
    await _INSERT.fetch(source, **audit_values(line))


async def write_sealed_line(tx: Connection, line: AuditRecord) -> None:
    """Write a line about a change of who may do what, and seal it as a link of its tenant's chain.

    The chain is locked until the transaction ends, so it comes last.
    """
    await write_line(tx, line)
    await _SEAL.fetch(tx, line=line)


async def write_lines(tx: Connection, lines: Sequence[AuditRecord]) -> None:
    """Write lines inside the caller's transaction."""
    await _INSERT.executemany(tx, [audit_values(line) for line in lines])


async def lines(
    database: Database, tenants: list[str], filters: AuditFilter, *, limit: int, after: tuple[datetime, UUID] | None
) -> list[AuditRecord]:
    """Read lines of these tenants, newest first; `after` continues where a page ended."""
    names = tuple(name for name in FILTERS if getattr(filters, name) is not None)
    is_prefix = filters.action is not None and filters.action.endswith(".")
    statement = _lines(names, is_prefix=is_prefix, is_continued=after is not None, limit=limit)
    values: dict[str, object] = {"tenants": tenants}
    if names:
        values["filters"] = filters
    if after is not None:
        values["after_at"], values["after_id"] = after
    return [_record_of(row) for row in await statement.fetch(database, **values)]


@lru_cache(maxsize=_STATEMENTS_MAX)
def _lines(names: tuple[str, ...], *, is_prefix: bool, is_continued: bool, limit: int) -> Statement:
    clauses = [_ACTIONS_THAT_BEGIN if name == "action" and is_prefix else FILTERS[name] for name in names]
    if is_continued:
        clauses.append(_AFTER)
    return Statement(_LINES, columns=", ".join(COLUMNS), clauses=" ".join(clauses), limit=limit)


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
