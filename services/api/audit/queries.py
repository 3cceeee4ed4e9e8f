"""Pages of the audit log, for those who answer for a tenant."""

from contextlib import nullcontext

import msgspec

from libs.common.db import Database
from libs.common.db.tenancy import across_tenants
from services.api.audit import sql
from services.api.audit.domain import AuditFilter, AuditRecord
from services.api.http.cursors import Position, decode_cursor, encode_cursor

_PURPOSE = b"audit"


class AuditPage(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of the audit log, newest first."""

    lines: list[AuditRecord]
    """The lines of this page."""
    next_cursor: str | None
    """Where the next page begins; None on the last one."""


async def audit_page(
    database: Database,
    tenant_id: str,
    filters: AuditFilter,
    *,
    limit: int,
    cursor: str | None,
    with_unproven: bool = False,
) -> AuditPage:
    """Read a page; `with_unproven` adds lines that belong to no tenant, such as logins of names that nobody has.

    Raises:
        InvalidCursor: when the cursor belongs to another list.
    """
    after = None if cursor is None else decode_cursor(cursor, tenant_id=tenant_id, filters=filters, purpose=_PURPOSE)
    tenants = [tenant_id, *([""] if with_unproven else [])]
    # The database counts what belongs to no tenant as nobody's, so it would leave that out.
    with across_tenants() if with_unproven else nullcontext():
        rows = await sql.lines(
            database, tenants, filters, limit=limit + 1, after=None if after is None else (after.created_at, after.id)
        )
    shown = rows[:limit]
    last = Position(shown[-1].at, shown[-1].id) if len(rows) > limit else None
    return AuditPage(
        lines=shown,
        next_cursor=None
        if last is None
        else encode_cursor(last, tenant_id=tenant_id, filters=filters, purpose=_PURPOSE),
    )
