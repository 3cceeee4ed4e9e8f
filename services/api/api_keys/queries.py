"""Keys, one and many, without their secrets."""

from uuid import UUID

import msgspec

from libs.common.db import Database
from services.api.api_keys import sql
from services.api.api_keys.domain import ApiKey
from services.api.http.cursors import Position, decode_cursor, encode_cursor
from services.api.identity_errors import ApiKeyNotFound

_PURPOSE = b"api_keys"


class _AllOf(msgspec.Struct, frozen=True):
    """No filter."""


class KeyPage(msgspec.Struct, frozen=True, kw_only=True):
    """Keys, newest first."""

    keys: list[ApiKey]
    """Those of this page."""
    next_cursor: str | None
    """Where the next page begins; None on the last one."""


async def get(database: Database, tenant_id: str, key_id: UUID) -> ApiKey:
    """Read one key.

    Raises:
        ApiKeyNotFound: when the tenant has no such key.
    """
    found = await sql.get(database, tenant_id, key_id)
    if found is None:
        raise ApiKeyNotFound
    return found


async def page(database: Database, tenant_id: str, *, limit: int, cursor: str | None) -> KeyPage:
    """Read a page.

    Raises:
        InvalidCursor: when the cursor belongs to another list.
    """
    filters = _AllOf()
    after = None if cursor is None else decode_cursor(cursor, tenant_id=tenant_id, filters=filters, purpose=_PURPOSE)
    # One row more than the page: it shows whether there is a next one.
    rows = await sql.page(database, tenant_id, limit=limit + 1, after=after)
    shown = rows[:limit]
    if len(rows) <= limit:
        return KeyPage(keys=shown, next_cursor=None)
    last = Position(shown[-1].created_at, shown[-1].id)
    return KeyPage(keys=shown, next_cursor=encode_cursor(last, tenant_id=tenant_id, filters=filters, purpose=_PURPOSE))
