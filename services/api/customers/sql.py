"""The SQL of customers."""

from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from libs.common.db import Connection, Database
from libs.common.db.statements import Statement, columns_of
from services.api.customers.domain import Customer, CustomerFilter
from services.api.http.cursors import Position

_COLUMNS = columns_of(Customer)

# A reference that another customer has is no error of the statement, so that the transaction goes on and says so.
_INSERT = Statement(
    """
INSERT INTO customers ({columns})
VALUES (:customer.tenant_id, :customer.id, :customer.reference, :customer.name, :customer.email, :metadata::jsonb,
        :customer.created_at, :customer.updated_at)
ON CONFLICT (tenant_id, reference) WHERE deleted_at IS NULL DO NOTHING
RETURNING 1
""",
    columns=_COLUMNS,
)

# By tenant too: another tenant's customer is not found, whoever knows its id.
_GET = Statement(
    "SELECT {columns} FROM customers WHERE tenant_id = :tenant_id AND id = :customer_id AND deleted_at IS NULL",
    columns=_COLUMNS,
)

# Of two changes at once the second one starts from what the first has left.
_LOCK = Statement(
    "SELECT {columns} FROM customers WHERE tenant_id = :tenant_id AND id = :customer_id AND deleted_at IS NULL FOR UPDATE",
    columns=_COLUMNS,
)

# In a savepoint: where another customer gets the reference at the same moment, the index refuses it, and the transaction goes on.
_UPDATE = Statement("""
UPDATE customers AS c
   SET reference = :customer.reference, name = :customer.name, email = :customer.email, metadata = :metadata::jsonb,
       updated_at = :customer.updated_at
 WHERE c.tenant_id = :customer.tenant_id AND c.id = :customer.id
   AND NOT EXISTS (SELECT 1 FROM customers AS o WHERE o.tenant_id = :customer.tenant_id
                      AND o.reference = :customer.reference AND o.id <> :customer.id AND o.deleted_at IS NULL)
""")

# What names a person is erased; the row stays, so that payments still belong to somebody and its id is not used again.
_DELETE = Statement("""
UPDATE customers SET deleted_at = :at, updated_at = :at, name = NULL, email = NULL, metadata = '{}'::jsonb
 WHERE tenant_id = :tenant_id AND id = :customer_id AND deleted_at IS NULL
""")

FILTERS = {"reference": "c.reference = :filters.reference", "email": "c.email = :filters.email"}
"""What each member of a filter means; a member that is not set is left out of the statement."""
# A cursor is a place in the index, so a page costs the same however deep it is.
_PAGE = """
SELECT {columns} FROM customers AS c WHERE {where} ORDER BY c.created_at DESC, c.id DESC LIMIT :limit
"""
_AFTER = "(c.created_at, c.id) < (:after.created_at, :after.id)"


async def insert(tx: Connection, customer: Customer) -> bool:
    """Write a new customer; False when another one of the tenant has its reference."""
    return await _INSERT.fetchrow(tx, customer=customer, metadata=_text(customer)) is not None


async def get(source: Database | Connection, tenant_id: str, customer_id: UUID) -> Customer | None:
    """Read one customer."""
    row = await _GET.fetchrow(source, tenant_id=tenant_id, customer_id=customer_id)
    return None if row is None else _customer(row)


async def lock(tx: Connection, tenant_id: str, customer_id: UUID) -> Customer | None:
    """Read one customer and lock it."""
    row = await _LOCK.fetchrow(tx, tenant_id=tenant_id, customer_id=customer_id)
    return None if row is None else _customer(row)


async def update(tx: Connection, customer: Customer) -> bool:
    """Save a locked customer; False when another one of the tenant has its reference."""
    try:
        async with tx.transaction():
            return await _UPDATE.execute(tx, customer=customer, metadata=_text(customer)) == 1
    except asyncpg.UniqueViolationError:
        return False


async def delete(tx: Connection, tenant_id: str, customer_id: UUID, *, at: datetime) -> bool:
    """Erase a customer; False where there is none."""
    return await _DELETE.execute(tx, tenant_id=tenant_id, customer_id=customer_id, at=at) == 1


async def page(
    database: Database, tenant_id: str, filters: CustomerFilter, *, limit: int, after: Position | None
) -> list[Customer]:
    """Read a tenant's customers, newest first; `after` continues where a page ended."""
    names = tuple(name for name in FILTERS if getattr(filters, name) is not None)
    values: dict[str, Any] = {"tenant_id": tenant_id, "limit": limit}
    if names:
        values["filters"] = filters
    if after is not None:
        values["after"] = after
    rows = await _paging(names, is_continued=after is not None).fetch(database, **values)
    return [_customer(row) for row in rows]


@lru_cache
def _paging(names: tuple[str, ...], *, is_continued: bool) -> Statement:
    clauses = ["c.tenant_id = :tenant_id", "c.deleted_at IS NULL", *(FILTERS[name] for name in names)]
    if is_continued:
        clauses.append(_AFTER)
    return Statement(_PAGE, columns=_COLUMNS, where=" AND ".join(clauses))


def _customer(row: asyncpg.Record) -> Customer:
    values = dict(row)
    values["metadata"] = msgspec.json.decode(row["metadata"], type=dict[str, str])
    return Customer(**values)


def _text(customer: Customer) -> str:
    return msgspec.json.encode(customer.metadata).decode()
