"""The SQL of webhook endpoints."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from libs.common.db import Connection
from libs.common.db.statements import Statement, columns_of, reader_of, values_of
from services.notifier.endpoints.domain import Endpoint

_COLUMNS = columns_of(Endpoint)
_KEY = "tenant_id = :tenant_id AND id = :endpoint_id"
IMMUTABLE = ("tenant_id", "id", "created_at")
"""Columns that a change never writes."""

# A lock without a row: the first endpoint of a tenant has none to lock.
_LOCK_TENANT = Statement("SELECT pg_advisory_xact_lock(hashtextextended('webhook endpoints of ' || :tenant_id, 0))")

# Returned as it stands, so that the answer is what was written.
_INSERT = Statement(
    """
INSERT INTO webhook_endpoints ({columns}, secret_sealed, headers_sealed)
VALUES ({values}, :sealed.secret_sealed, :sealed.headers_sealed)
RETURNING {columns}
""",
    columns=_COLUMNS,
    values=values_of("endpoint", Endpoint),
)

# Deleted ones too: their ids are not given again.
_FIND = Statement("SELECT {columns}, deleted_at FROM webhook_endpoints WHERE {key}", columns=_COLUMNS, key=_KEY)

# Newest first, and by id where two have one instant, so that the order never changes.
_LIST = Statement(
    """
SELECT {columns} FROM webhook_endpoints
 WHERE tenant_id = :tenant_id AND deleted_at IS NULL
 ORDER BY created_at DESC, id DESC
""",
    columns=_COLUMNS,
)

# The row stays for its history. Deleting again keeps the first instant and reason.
_DELETE = Statement(
    """
UPDATE webhook_endpoints
   SET deleted_at = :at, is_active = false, disabled_reason = coalesce(disabled_reason, 'deleted'),
       disabled_at = coalesce(disabled_at, :at)
 WHERE {key} AND deleted_at IS NULL
""",
    key=_KEY,
)

# The row as a whole, so that two changes at once follow one another.
_CHANGE = Statement(
    """
UPDATE webhook_endpoints
   SET {assignments}, secret_sealed = :sealed.secret_sealed, headers_sealed = :sealed.headers_sealed,
       secrets_retired = :retired, secrets_retired_until = :retired_until
 WHERE tenant_id = :endpoint.tenant_id AND id = :endpoint.id
RETURNING {columns}
""",
    columns=_COLUMNS,
    assignments=", ".join(
        f"{field} = :endpoint.{field}" for field in Endpoint.__struct_fields__ if field not in IMMUTABLE
    ),
)

# With what is sealed, since whoever changes an endpoint may change that too.
_LOCK = Statement(
    """
SELECT {columns}, deleted_at, secret_sealed, secrets_retired, secrets_retired_until, headers_sealed
  FROM webhook_endpoints WHERE {key} FOR UPDATE
""",
    columns=_COLUMNS,
    key=_KEY,
)

# Everything sealed says which key sealed it, in its bytes 2 to 9.
_OUTDATED = """
 FROM webhook_endpoints
WHERE (substring(secret_sealed FROM 2 FOR 8) <> :key_id OR substring(headers_sealed FROM 2 FOR 8) <> :key_id
       OR EXISTS (SELECT FROM unnest(secrets_retired) AS retired WHERE substring(retired FROM 2 FOR 8) <> :key_id))
"""

# Page by page along the key, so that no transaction locks more than one batch.
_FIND_OUTDATED = Statement(
    """
SELECT tenant_id, id, secret_sealed, secrets_retired, headers_sealed {outdated}
   AND (tenant_id, id) > (:after_tenant, :after_endpoint)
 ORDER BY tenant_id, id LIMIT :limit FOR UPDATE
""",
    outdated=_OUTDATED,
)

# Deleted ones too: the earlier key may be removed only once nothing needs it.
_COUNT_OUTDATED = Statement("SELECT count(*) {outdated}", outdated=_OUTDATED)

# Each endpoint once, with its gate by the gate's primary key. An endpoint without one has never failed.
_HEALTH = Statement("""
SELECT CASE WHEN NOT e.is_active THEN 'disabled' WHEN g.paused_until IS NOT NULL THEN 'paused'
            WHEN g.failing_since IS NOT NULL THEN 'failing' ELSE 'healthy' END AS state, count(*) AS endpoints
  FROM webhook_endpoints AS e
  LEFT JOIN endpoint_gates AS g ON g.tenant_id = e.tenant_id AND g.endpoint_id = e.id
 WHERE e.deleted_at IS NULL GROUP BY 1
""")

# The rows are locked since they were read; only what is sealed is written.
_RESEAL = Statement("""
UPDATE webhook_endpoints
   SET secret_sealed = :sealed.secret, secrets_retired = :sealed.retired, headers_sealed = :sealed.headers
 WHERE tenant_id = :sealed.tenant_id AND id = :sealed.endpoint_id
""")

_endpoint = reader_of(Endpoint)


class SealedEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint with what only we may see of it."""

    endpoint: Endpoint
    """As its tenant sees it."""
    secret_sealed: bytes
    """The present secret."""
    retired: tuple[tuple[bytes, datetime], ...] = ()
    """Earlier secrets and until when each signs too, the newest first."""
    headers_sealed: bytes | None = None
    """The tenant's own headers."""


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


async def lock_tenant(tx: Connection, *, tenant_id: str) -> None:
    """Let the registrations of one tenant follow one another, so that its limit holds."""
    await _LOCK_TENANT.execute(tx, tenant_id=tenant_id)


async def insert(tx: Connection, sealed: SealedEndpoint) -> Endpoint:
    """Add an endpoint."""
    row = await _INSERT.fetchrow(tx, endpoint=sealed.endpoint, sealed=sealed)
    assert row is not None
    return _endpoint(row)


async def lock(tx: Connection, *, tenant_id: str, endpoint_id: UUID) -> SealedEndpoint | None:
    """Return an endpoint with its secrets and lock it; None when the tenant has none such, or no longer."""
    row = await _LOCK.fetchrow(tx, tenant_id=tenant_id, endpoint_id=endpoint_id)
    if row is None or row["deleted_at"] is not None:
        return None
    return SealedEndpoint(
        endpoint=_endpoint(row),
        secret_sealed=row["secret_sealed"],
        retired=tuple(zip(row["secrets_retired"], row["secrets_retired_until"], strict=True)),
        headers_sealed=row["headers_sealed"],
    )


async def change(tx: Connection, sealed: SealedEndpoint) -> Endpoint:
    """Write an endpoint back that was locked by `lock`."""
    row = await _CHANGE.fetchrow(
        tx,
        endpoint=sealed.endpoint,
        sealed=sealed,
        retired=[secret for secret, _ in sealed.retired],
        retired_until=[until for _, until in sealed.retired],
    )
    assert row is not None
    return _endpoint(row)


async def find(connection: Connection, *, tenant_id: str, endpoint_id: UUID) -> tuple[Endpoint, bool] | None:
    """Return an endpoint and whether it is deleted; None when the tenant never had it."""
    row = await _FIND.fetchrow(connection, tenant_id=tenant_id, endpoint_id=endpoint_id)
    return (_endpoint(row), row["deleted_at"] is not None) if row else None


async def list_of(connection: Connection, *, tenant_id: str) -> list[Endpoint]:
    """Return a tenant's endpoints that are not deleted, newest first."""
    return [_endpoint(row) for row in await _LIST.fetch(connection, tenant_id=tenant_id)]


async def delete(tx: Connection, *, tenant_id: str, endpoint_id: UUID, at: datetime) -> None:
    """Mark an endpoint as deleted; doing it again changes nothing."""
    await _DELETE.execute(tx, tenant_id=tenant_id, endpoint_id=endpoint_id, at=at)


async def outdated(tx: Connection, *, key_id: bytes, after: tuple[str, UUID], limit: int) -> list[Sealed]:
    """Lock and return endpoints, in key order, with something that another key than `key_id` sealed."""
    rows: list[asyncpg.Record] = await _FIND_OUTDATED.fetch(
        tx, key_id=key_id, after_tenant=after[0], after_endpoint=after[1], limit=limit
    )
    return [
        Sealed(
            tenant_id=row["tenant_id"],
            endpoint_id=row["id"],
            secret=row["secret_sealed"],
            retired=tuple(row["secrets_retired"]),
            headers=row["headers_sealed"],
        )
        for row in rows
    ]


async def count_outdated(connection: Connection, *, key_id: bytes) -> int:
    """Count the endpoints with something that another key than `key_id` sealed."""
    return int(await _COUNT_OUTDATED.fetchval(connection, key_id=key_id) or 0)


async def health(connection: Connection) -> dict[str, int]:
    """Count endpoints by their health: healthy, failing, paused, disabled; absent where there is none."""
    return {row["state"]: row["endpoints"] for row in await _HEALTH.fetch(connection)}


async def reseal(tx: Connection, sealed: Sequence[Sealed]) -> None:
    """Write back what `outdated` locked and what was sealed again since."""
    await _RESEAL.executemany(tx, [{"sealed": one} for one in sealed])
