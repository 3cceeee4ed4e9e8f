"""Pages of the log of requests."""

import msgspec

from libs.common.db import Database
from services.api.http.cursors import Position, decode_cursor, encode_cursor
from services.api.request_log import sql
from services.api.request_log.domain import LoggedRequest, RequestFilter

_PURPOSE = b"requests"


class RequestPage(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of the log of requests, newest first."""

    lines: list[LoggedRequest]
    """The lines of this page."""
    next_cursor: str | None
    """Where the next page begins; None on the last one."""


async def request_page(
    database: Database, tenant_id: str, filters: RequestFilter, *, limit: int, cursor: str | None
) -> RequestPage:
    """Read a page.

    Raises:
        InvalidCursor: when the cursor belongs to another list.
    """
    after = None if cursor is None else decode_cursor(cursor, tenant_id=tenant_id, filters=filters, purpose=_PURPOSE)
    rows = await sql.lines(
        database,
        tenant_id,
        filters,
        limit=limit + 1,
        after=None if after is None else (after.created_at, after.id),
    )
    shown = rows[:limit]
    last = Position(shown[-1].answered_at, shown[-1].id) if len(rows) > limit else None
    return RequestPage(
        lines=shown,
        next_cursor=None
        if last is None
        else encode_cursor(last, tenant_id=tenant_id, filters=filters, purpose=_PURPOSE),
    )
