"""How we remember webhook endpoints."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from libs.common.db import Connection
from services.notifier.domain import Endpoint

_COLUMNS = (
    "tenant_id, id, url, events, is_active, created_at, description, disabled_reason, disabled_at, "
    "rate_limit_per_second, is_ordered, header_names, public_key"
)

_LOCK_TENANT = "SELECT pg_advisory_xact_lock(hashtextextended('webhook endpoints of ' || $1, 0))"

_INSERT = f"""
INSERT INTO webhook_endpoints
       (tenant_id, id, url, events, is_active, secret_sealed, created_at, description, rate_limit_per_second, is_ordered,
        headers_sealed, header_names, public_key)
VALUES ($1, $2, $3, $4, true, $5, $6, $7, $8, $9, $10, $11, $12)
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
   SET deleted_at = $3, is_active = false, disabled_reason = coalesce(disabled_reason, 'deleted'),
       disabled_at = coalesce(disabled_at, $3)
 WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL
"""

_DISABLE = """
UPDATE webhook_endpoints SET is_active = false, disabled_reason = $3, disabled_at = $4
 WHERE tenant_id = $1 AND id = $2 AND is_active
RETURNING url
"""

_WANTING = """
SELECT tenant_id, id, is_active, is_ordered FROM webhook_endpoints
 WHERE tenant_id = ANY($1::text[]) AND deleted_at IS NULL AND events && $2::text[]
"""

# The row as a whole, so that two changes at once follow one another.
_CHANGE = f"""
UPDATE webhook_endpoints
   SET url = $3, events = $4, description = $5, is_active = $6, disabled_reason = $7, disabled_at = $8,
       rate_limit_per_second = $9, is_ordered = $10, headers_sealed = $11, header_names = $12, public_key = $13,
       secret_sealed = $14, secrets_retired = $15, secrets_retired_until = $16
 WHERE tenant_id = $1 AND id = $2
RETURNING {_COLUMNS}
"""  # noqa: S608 - no input

_KEPT = f"""
SELECT {_COLUMNS}, deleted_at, secret_sealed, secrets_retired, secrets_retired_until, headers_sealed
  FROM webhook_endpoints WHERE tenant_id = $1 AND id = $2 FOR UPDATE
"""  # noqa: S608 - no input

# Everything sealed says which key sealed it, in its bytes 2 to 9.
_OUTDATED = """
 FROM webhook_endpoints
WHERE (substring(secret_sealed FROM 2 FOR 8) <> $1 OR substring(headers_sealed FROM 2 FOR 8) <> $1
       OR EXISTS (SELECT FROM unnest(secrets_retired) AS retired WHERE substring(retired FROM 2 FOR 8) <> $1))
"""
_FIND_OUTDATED = f"""
SELECT tenant_id, id, secret_sealed, secrets_retired, headers_sealed {_OUTDATED} AND (tenant_id, id) > ($2, $3)
ORDER BY tenant_id, id LIMIT $4 FOR UPDATE
"""
_COUNT_OUTDATED = f"SELECT count(*) {_OUTDATED}"
_RESEAL = """
UPDATE webhook_endpoints SET secret_sealed = $3, secrets_retired = $4, headers_sealed = $5
 WHERE tenant_id = $1 AND id = $2
"""

_ALL_IDS = "SELECT id FROM webhook_endpoints WHERE tenant_id = $1"


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint with what only we may see of it."""

    endpoint: Endpoint
    """As its tenant sees it."""
    secret_sealed: bytes
    """The present secret."""
    retired: tuple[tuple[bytes, datetime], ...] = ()
    """Earlier secrets and until when each signs too, the newest first."""
    headers_sealed: bytes | None = None
    """The tenant's own headers."""


async def lock_tenant(tx: Connection, *, tenant_id: str) -> None:
    """Let the registrations of one tenant follow one another, so that its limit holds."""
    await tx.execute(_LOCK_TENANT, tenant_id)


async def insert(
    tx: Connection,
    *,
    kept: Kept,
) -> Endpoint:
    """Add an active endpoint."""
    wanted = kept.endpoint
    row = await tx.fetchrow(
        _INSERT,
        wanted.tenant_id,
        wanted.id,
        wanted.url,
        list(wanted.events),
        kept.secret_sealed,
        wanted.created_at,
        wanted.description,
        wanted.rate_limit_per_second,
        wanted.is_ordered,
        kept.headers_sealed,
        list(wanted.header_names),
        wanted.public_key,
    )
    assert row is not None
    return _endpoint(row)


async def kept(tx: Connection, *, tenant_id: str, endpoint_id: UUID) -> Kept | None:
    """Return an endpoint with its secrets and lock it; None when the tenant has none such, or no longer."""
    row = await tx.fetchrow(_KEPT, tenant_id, endpoint_id)
    if row is None or row["deleted_at"] is not None:
        return None
    return Kept(
        endpoint=_endpoint(row),
        secret_sealed=row["secret_sealed"],
        retired=tuple(zip(row["secrets_retired"], row["secrets_retired_until"], strict=True)),
        headers_sealed=row["headers_sealed"],
    )


async def change(tx: Connection, kept: Kept) -> Endpoint:
    """Write an endpoint back that was locked by `kept`."""
    wanted = kept.endpoint
    row = await tx.fetchrow(
        _CHANGE,
        wanted.tenant_id,
        wanted.id,
        wanted.url,
        list(wanted.events),
        wanted.description,
        wanted.is_active,
        wanted.disabled_reason,
        wanted.disabled_at,
        wanted.rate_limit_per_second,
        wanted.is_ordered,
        kept.headers_sealed,
        list(wanted.header_names),
        wanted.public_key,
        kept.secret_sealed,
        [sealed for sealed, _ in kept.retired],
        [until for _, until in kept.retired],
    )
    assert row is not None
    return _endpoint(row)


async def ids_of(connection: Connection, *, tenant_id: str) -> list[UUID]:
    """Return every endpoint that a tenant ever had."""
    return [row["id"] for row in await connection.fetch(_ALL_IDS, tenant_id)]


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


async def disable(tx: Connection, *, tenant_id: str, endpoint_id: UUID, reason: str, at: datetime) -> str | None:
    """Switch an endpoint off; returns its url, or None when it was off already."""
    url: str | None = await tx.fetchval(_DISABLE, tenant_id, endpoint_id, reason, at)
    return url


class Sealed(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of one endpoint that is sealed."""

    tenant_id: str
    """The tenant."""
    endpoint_id: UUID
    """The endpoint, deleted or not."""
    secret: bytes
    """The present secret."""
    retired: tuple[bytes, ...]
    """Earlier secrets, the newest first."""
    headers: bytes | None
    """The tenant's own headers."""


async def outdated(tx: Connection, *, key_id: bytes, after: tuple[str, UUID], limit: int) -> list[Sealed]:
    """Lock and return endpoints, in key order, with something that another key than `key_id` sealed."""
    return [
        Sealed(
            tenant_id=row["tenant_id"],
            endpoint_id=row["id"],
            secret=row["secret_sealed"],
            retired=tuple(row["secrets_retired"]),
            headers=row["headers_sealed"],
        )
        for row in await tx.fetch(_FIND_OUTDATED, key_id, *after, limit)
    ]


async def count_outdated(connection: Connection, *, key_id: bytes) -> int:
    """Count the endpoints with something that another key than `key_id` sealed."""
    return int(await connection.fetchval(_COUNT_OUTDATED, key_id) or 0)


async def reseal(tx: Connection, sealed: Sequence[Sealed]) -> None:
    """Write back what `outdated` locked and what was sealed anew since."""
    await tx.executemany(
        _RESEAL, [(one.tenant_id, one.endpoint_id, one.secret, list(one.retired), one.headers) for one in sealed]
    )


class Wanting(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint that wants an event."""

    id: UUID
    """The endpoint."""
    is_active: bool
    """Whether deliveries are made."""
    is_ordered: bool
    """Whether the events of one payment wait for each other."""


async def wanting(tx: Connection, *, tenant_ids: Sequence[str], patterns: Sequence[str]) -> dict[str, list[Wanting]]:
    """Find, by tenant, the endpoints whose list has one of `patterns`."""
    found: dict[str, list[Wanting]] = {}
    for row in await tx.fetch(_WANTING, list(tenant_ids), list(patterns)):
        found.setdefault(row["tenant_id"], []).append(
            Wanting(id=row["id"], is_active=row["is_active"], is_ordered=row["is_ordered"])
        )
    return found


def _endpoint(row: asyncpg.Record) -> Endpoint:
    return Endpoint(
        tenant_id=row["tenant_id"],
        id=row["id"],
        url=row["url"],
        events=tuple(row["events"]),
        is_active=row["is_active"],
        created_at=row["created_at"],
        description=row["description"],
        disabled_reason=row["disabled_reason"],
        disabled_at=row["disabled_at"],
        rate_limit_per_second=row["rate_limit_per_second"],
        is_ordered=row["is_ordered"],
        header_names=tuple(row["header_names"]),
        public_key=row["public_key"],
    )
