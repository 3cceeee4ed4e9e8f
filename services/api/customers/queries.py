"""Customers, one and many."""

from uuid import UUID

import msgspec

from libs.common.db import Database
from services.api.customers import sql
from services.api.customers.domain import Customer, CustomerFilter
from services.api.errors import CustomerNotFound
from services.api.http.cursors import Position, decode_cursor, encode_cursor

_PURPOSE = b"customers"


class CustomerPage(msgspec.Struct, frozen=True, kw_only=True):
    """Customers, newest first."""

    customers: list[Customer]
    """Those of this page."""
    next_cursor: str | None
    """Where the next page begins; None on the last one."""


async def get(database: Database, tenant_id: str, customer_id: UUID) -> Customer:
    """Read one customer.

    Raises:
        CustomerNotFound: when the tenant has no such customer, or has deleted it.
    """
    found = await sql.get(database, tenant_id, customer_id)
    if found is None:
        raise CustomerNotFound
    return found


async def page(
    database: Database, tenant_id: str, filters: CustomerFilter, *, limit: int, cursor: str | None
) -> CustomerPage:
    """Read a page.

    Raises:
        InvalidCursor: when the cursor belongs to another list.
    """
    after = None if cursor is None else decode_cursor(cursor, tenant_id=tenant_id, filters=filters, purpose=_PURPOSE)
    # One row more than the page: it shows whether there is a next one.
    rows = await sql.page(database, tenant_id, filters, limit=limit + 1, after=after)
    shown = rows[:limit]
    last = Position(shown[-1].created_at, shown[-1].id) if len(rows) > limit else None
    return CustomerPage(
        customers=shown,
        next_cursor=None
        if last is None
        else encode_cursor(last, tenant_id=tenant_id, filters=filters, purpose=_PURPOSE),
    )
