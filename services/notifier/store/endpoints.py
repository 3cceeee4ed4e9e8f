"""How we remember webhook endpoints."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from libs.common.db import Connection
from services.notifier.domain import Endpoint

_COLUMNS = "tenant_id, id, url, events, is_active, created_at"

_LOCK_TENANT = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"

_INSERT = f"""
INSERT INTO webhook_endpoints (tenant_id, id, url, events, is_active, secret_sealed, created_at)
VALUES ($1, $2, $3, $4, true, $5, $6)
RETURNING {_COLUMNS}
"""  # noqa: S608 - no input

_FIND = f"SELECT {_COLUMNS}, deleted_at FROM webhook_endpoints WHERE tenant_id = $1 AND id = $2"  # noqa: S608

_LIST = f"""
SELECT {_COLUMNS} FROM webhook_endpoints
 WHERE tenant_id = $1 AND deleted_at IS NULL
 ORDER BY created_at DESC, id DESC
"""  # noqa: S608 - no input

_DELETE = """
UPDATE webhook_endpoints
   SET deleted_at = $3, is_active = false, disabled_reason = coalesce(disabled_reason, 'deleted')
 WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL
"""

_DISABLE = """
UPDATE webhook_endpoints SET is_active = false, disabled_reason = $3
 WHERE tenant_id = $1 AND id = $2 AND is_active
RETURNING true
"""

_WANTING = """
SELECT tenant_id, id, is_active FROM webhook_endpoints
 WHERE tenant_id = ANY($1::text[]) AND deleted_at IS NULL AND events && $2::text[]
"""


async def lock_tenant(tx: Connection, *, tenant_id: str) -> None:
    """Let the registrations of one tenant follow one another, so that its limit holds."""
    await tx.execute(_LOCK_TENANT, tenant_id)


async def insert(
    tx: Connection,
    *,
    tenant_id: str,
    endpoint_id: UUID,
    url: str,
    events: Sequence[str],
    secret_sealed: bytes,
    created_at: datetime,
) -> Endpoint:
    """Add an active endpoint."""
    row = await tx.fetchrow(_INSERT, tenant_id, endpoint_id, url, list(events), secret_sealed, created_at)
    assert row is not None
    return _endpoint(row)


async def find(connection: Connection, *, tenant_id: str, endpoint_id: UUID) -> tuple[Endpoint, bool] | None:
    """Return an endpoint and whether it is deleted; None when the tenant never had it."""
    row = await connection.fetchrow(_FIND, tenant_id, endpoint_id)
    return (_endpoint(row), row["deleted_at"] is not None) if row else None


async def list_of(connection: Connection, *, tenant_id: str) -> list[Endpoint]:
    """Return a tenant's endpoints that are not deleted, newest first."""
    return [_endpoint(row) for row in await connection.fetch(_LIST, tenant_id)]


async def delete(tx: Connection, *, tenant_id: str, endpoint_id: UUID, deleted_at: datetime) -> None:
    """Mark an endpoint as deleted; doing it again changes nothing."""
    await tx.execute(_DELETE, tenant_id, endpoint_id, deleted_at)


async def disable(tx: Connection, *, tenant_id: str, endpoint_id: UUID, reason: str) -> bool:
    """Switch an endpoint off; says whether it was on."""
    return bool(await tx.fetchval(_DISABLE, tenant_id, endpoint_id, reason))


async def wanting(
    tx: Connection, *, tenant_ids: Sequence[str], patterns: Sequence[str]
) -> dict[str, list[tuple[UUID, bool]]]:
    """Find, by tenant, the endpoints whose list has one of `patterns`, each with whether it is active."""
    found: dict[str, list[tuple[UUID, bool]]] = {}
    for row in await tx.fetch(_WANTING, list(tenant_ids), list(patterns)):
        found.setdefault(row["tenant_id"], []).append((row["id"], row["is_active"]))
    return found


def _endpoint(row: asyncpg.Record) -> Endpoint:
    return Endpoint(
        tenant_id=row["tenant_id"],
        id=row["id"],
        url=row["url"],
        events=tuple(row["events"]),
        is_active=row["is_active"],
        created_at=row["created_at"],
    )
