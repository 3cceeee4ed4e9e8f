"""The SQL of the log of requests."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from libs.common.db import Database
from libs.common.db.statements import Statement, columns_of, reader_of
from services.api.request_log.domain import LoggedRequest, RequestFilter

_KINDS = {"id": "uuid", "answered_at": "timestamptz", "status": "int2", "duration_ms": "int4"}
"""The types of columns that are no text."""
_ARRAYS = ", ".join(f":lines[].{column}::{_KINDS.get(column, 'text')}[]" for column in LoggedRequest.__struct_fields__)
_STATEMENTS_MAX = 256
"""Statements that are kept at most: one for each choice of filters and each size of a page."""

# Many at once, after they were answered: nobody waits for it.
_WRITE = Statement(
    "INSERT INTO logged_requests ({columns}) SELECT * FROM unnest({arrays})",
    columns=columns_of(LoggedRequest),
    arrays=_ARRAYS,
)

# Along `ix_logged_requests_tenant` from the newest line on, or by `ix_logged_requests_correlation`. Clauses and the limit stand in the statement, since a plan for any
# filter and any limit would read and sort everything.
_LINES = """
SELECT {columns} FROM logged_requests AS r WHERE r.tenant_id = :tenant_id {clauses}
 ORDER BY r.answered_at DESC, r.id DESC LIMIT {limit}
"""
FILTERS = {
    "method": "AND r.method = :filters.method",
    "path": "AND r.path = :filters.path",
    "status_class": "AND r.status / 100 = :filters.status_class",
    "code": "AND r.code = :filters.code",
    "actor": "AND r.actor = :filters.actor",
    "correlation_id": "AND r.correlation_id = :filters.correlation_id",
    "answered_from": "AND r.answered_at >= :filters.answered_from",
    "answered_until": "AND r.answered_at < :filters.answered_until",
}
"""What each member of a filter means; a member that is not set is left out."""
_PATHS_THAT_BEGIN = "AND starts_with(r.path, :filters.path)"
_AFTER = "AND (r.answered_at, r.id) < (:after_at, :after_id)"

_line_of = reader_of(LoggedRequest)


async def write(database: Database, lines: Sequence[LoggedRequest]) -> None:
    """Write lines."""
    await _WRITE.fetch(database, lines=lines)


async def lines(
    database: Database, tenant_id: str, filters: RequestFilter, *, limit: int, after: tuple[datetime, UUID] | None
) -> list[LoggedRequest]:
    """Read lines of a tenant, newest first; `after` continues where a page ended."""
    names = tuple(name for name in FILTERS if getattr(filters, name) is not None)
    is_prefix = filters.path is not None and filters.path.endswith("/")
    statement = _statement(names, is_prefix=is_prefix, is_continued=after is not None, limit=limit)
    values: dict[str, object] = {"tenant_id": tenant_id}
    if names:
        values["filters"] = filters
    if after is not None:
        values["after_at"], values["after_id"] = after
    return [_line_of(row) for row in await statement.fetch(database, **values)]


@lru_cache(maxsize=_STATEMENTS_MAX)
def _statement(names: tuple[str, ...], *, is_prefix: bool, is_continued: bool, limit: int) -> Statement:
    clauses = [_PATHS_THAT_BEGIN if name == "path" and is_prefix else FILTERS[name] for name in names]
    if is_continued:
        clauses.append(_AFTER)
    return Statement(_LINES, columns=columns_of(LoggedRequest), clauses=" ".join(clauses), limit=limit)
