"""Attempts whose outcome is not known, of one tenant."""

from libs.common.db import Database
from libs.common.db.statements import Statement, columns_of, reader_of
from services.gateway.operations.domain.attempts import Attempt
from services.gateway.operations.sql.again import IS_OPEN

# By `ix_attempts_unknown`, whose condition this is. What waits for its customer or for the processor has an outcome to
# come, and is here only once it is not looked at any more.
UNKNOWN = Statement(
    """
SELECT {columns} FROM attempts
WHERE tenant_id = :tenant_id AND (status = 'UNKNOWN' OR ({is_open} AND next_ask_at IS NULL))
ORDER BY created_at, id LIMIT :limit
""",
    columns=columns_of(Attempt),
    is_open=IS_OPEN,
)

_attempt_of = reader_of(Attempt)


async def unknown_outcomes(database: Database, *, tenant_id: str, limit: int) -> list[Attempt]:
    """Read a tenant's attempts without a known outcome, oldest first."""
    rows = await UNKNOWN.fetch(database, tenant_id=tenant_id, limit=limit)
    return [_attempt_of(row) for row in rows]
