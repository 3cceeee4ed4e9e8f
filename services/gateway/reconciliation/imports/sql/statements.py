"""The SQL of numbered statements: remembered with the lines that they have."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from libs.common.db import Connection
from libs.common.db.statements import Statement, arrays_of, columns_of, reader_of
from services.gateway.reconciliation.imports.statements import BankStatement

_STATEMENT_TYPES = {
    "id": "uuid",
    "account": "text",
    "currency": "text",
    "number": "text",
    "opening_minor": "bigint",
    "closing_minor": "bigint",
    "first_on": "date",
    "last_on": "date",
    "last_day_minor": "bigint",
}
_statement = reader_of(BankStatement)

# Of an account and the days around some: by `uq_bank_statements`.
_STATEMENTS = Statement(
    """
SELECT {columns} FROM bank_statements
 WHERE tenant_id = :tenant_id AND source_id = :source_id AND account = ANY (:accounts::text[])
   AND last_on BETWEEN :first_on AND :last_on
UNION
SELECT {columns} FROM bank_statements
 WHERE tenant_id = :tenant_id AND source_id = :source_id AND account = ANY (:accounts::text[])
   AND first_on BETWEEN :first_on AND :last_on
""",
    columns=columns_of(BankStatement),
)

# One that another file has had stays as it is.
_ADD_STATEMENTS = Statement(
    """
INSERT INTO bank_statements (tenant_id, source_id, created_at, {columns})
SELECT :tenant_id, :source_id, :at, * FROM unnest({arrays}) ON CONFLICT DO NOTHING
""",
    columns=", ".join(_STATEMENT_TYPES),
    arrays=arrays_of("rows", _STATEMENT_TYPES),
)

# By `ix_bank_statements_created`.
_FORGET_STATEMENTS = Statement("""
DELETE FROM bank_statements WHERE ctid = ANY (ARRAY(SELECT ctid FROM bank_statements WHERE created_at < :before LIMIT :limit))
""")


async def statements_around(
    tx: Connection, tenant_id: str, source_id: UUID, *, accounts: Sequence[str], first_on: date, last_on: date
) -> list[BankStatement]:
    """Read the statements of a source's accounts that begin or end in some days."""
    rows = await _STATEMENTS.fetch(
        tx,
        tenant_id=tenant_id,
        source_id=source_id,
        accounts=[*accounts],
        first_on=first_on,
        last_on=last_on,
    )
    return [_statement(row) for row in rows]


async def add_statements(
    tx: Connection, tenant_id: str, source_id: UUID, statements: Sequence[BankStatement], *, at: datetime
) -> None:
    """Remember the statements of a file."""
    await _ADD_STATEMENTS.execute(tx, tenant_id=tenant_id, source_id=source_id, at=at, rows=statements)


async def forget_statements(connection: Connection, *, before: datetime, limit: int) -> int:
    """Delete statements that were kept long enough; returns how many."""
    return await _FORGET_STATEMENTS.execute(connection, before=before, limit=limit)
