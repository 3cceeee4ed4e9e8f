"""Tenants and users, one and many."""

import msgspec

from libs.common.db import Database
from services.api.access import Tenant
from services.api.administration import sql
from services.api.administration.domain import User
from services.api.http.cursors import Position, decode_cursor, encode_cursor
from services.api.identity_errors import TenantNotFound

_PURPOSE = b"users"


class _AllOf(msgspec.Struct, frozen=True):
    """No filter."""


class UserPage(msgspec.Struct, frozen=True, kw_only=True):
    """Users, newest first."""

    users: list[User]
    """Those of this page."""
    next_cursor: str | None
    """Where the next page begins; None on the last one."""


async def tenant(database: Database, tenant_id: str) -> Tenant:
    """Read one tenant, whatever its status.

    Raises:
        TenantNotFound: when there is none.
    """
    found = await sql.tenant(database, tenant_id)
    if found is None:
        raise TenantNotFound
    return found


async def users(database: Database, tenant_id: str, *, limit: int, cursor: str | None) -> UserPage:
    """Read a page of a tenant's users.

    Raises:
        InvalidCursor: when the cursor belongs to another list.
    """
    filters = _AllOf()
    after = None if cursor is None else decode_cursor(cursor, tenant_id=tenant_id, filters=filters, purpose=_PURPOSE)
    # One row more than the page: it shows whether there is a next one.
    rows = await sql.users(database, tenant_id, limit=limit + 1, after=after)
    shown = rows[:limit]
    if len(rows) <= limit:
        return UserPage(users=shown, next_cursor=None)
    last = Position(shown[-1].created_at, shown[-1].id)
    return UserPage(
        users=shown, next_cursor=encode_cursor(last, tenant_id=tenant_id, filters=filters, purpose=_PURPOSE)
    )
