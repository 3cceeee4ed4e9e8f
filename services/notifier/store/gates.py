"""How we remember what holds deliveries back: one row for each endpoint that fails, or that has a rate limit.

An endpoint that is well and unlimited has no row that anybody writes. Rows are locked in key order.
"""

from collections.abc import Iterable
from uuid import UUID

import asyncpg

from libs.common.db import Connection
from services.notifier.schedule import Gate

type EndpointKey = tuple[str, UUID]
"""Tenant and endpoint."""

_COLUMNS = "tenant_id, endpoint_id, failures, failing_since, last_error, warnings, warned_at, pauses, paused_until, pause_began_at"

# `failed` endpoints get a row when they have none; of the others only those that are known to fail are of interest.
_OPEN = """
INSERT INTO endpoint_gates (tenant_id, endpoint_id)
SELECT * FROM unnest($1::text[], $2::uuid[]) AS f(tenant_id, endpoint_id) ORDER BY tenant_id, endpoint_id
ON CONFLICT DO NOTHING
"""
_LOCK = f"""
SELECT {_COLUMNS} FROM endpoint_gates AS g
 WHERE (tenant_id, endpoint_id) IN (SELECT * FROM unnest($1::text[], $2::uuid[]))
   AND (failures > 0 OR (tenant_id, endpoint_id) IN (SELECT * FROM unnest($3::text[], $4::uuid[])))
 ORDER BY tenant_id, endpoint_id FOR UPDATE
"""  # noqa: S608 - no input
_SAVE = """
UPDATE endpoint_gates
   SET failures = $3, failing_since = $4, last_error = $5, warnings = $6, pauses = $7, paused_until = $8,
       pause_began_at = $9, warned_at = $10
 WHERE tenant_id = $1 AND endpoint_id = $2
"""
_FIND = f"SELECT {_COLUMNS} FROM endpoint_gates WHERE tenant_id = $1 AND endpoint_id = $2"  # noqa: S608
_HOLD = "SELECT FROM endpoint_gates WHERE tenant_id = $1 AND endpoint_id = $2 FOR UPDATE"
_LIMIT = """
INSERT INTO endpoint_gates (tenant_id, endpoint_id, rate_limit_per_second) VALUES ($1, $2, $3)
ON CONFLICT (tenant_id, endpoint_id) DO UPDATE SET rate_limit_per_second = $3, paced_until = NULL
"""


async def locked(
    tx: Connection, *, attempted: Iterable[EndpointKey], failed: Iterable[EndpointKey]
) -> dict[EndpointKey, Gate]:
    """Lock and return the gates that attempts may change: of those that failed, and of those known to fail."""
    tried, broken = sorted(attempted), sorted(failed)
    if broken:
        await tx.execute(_OPEN, [t for t, _ in broken], [e for _, e in broken])
    rows = await tx.fetch(
        _LOCK, [t for t, _ in tried], [e for _, e in tried], [t for t, _ in broken], [e for _, e in broken]
    )
    return {(row["tenant_id"], row["endpoint_id"]): _gate(row) for row in rows}


async def save(tx: Connection, gates: Iterable[tuple[EndpointKey, Gate]]) -> None:
    """Write gates back that are locked, or whose endpoint is."""
    await tx.executemany(
        _SAVE,
        [
            (
                *key,
                gate.failures,
                gate.failing_since,
                gate.last_error,
                gate.warnings,
                gate.pauses,
                gate.paused_until,
                gate.pause_began_at,
                gate.warned_at,
            )
            for key, gate in gates
        ],
    )


async def hold(tx: Connection, *, tenant_id: str, endpoint_id: UUID) -> None:
    """Lock the gate of one endpoint, which there is from now on."""
    await tx.execute(_OPEN, [tenant_id], [endpoint_id])
    await tx.execute(_HOLD, tenant_id, endpoint_id)


async def find(connection: Connection, *, tenant_id: str, endpoint_id: UUID) -> Gate:
    """Return the gate of an endpoint; one that never failed has an open one."""
    row = await connection.fetchrow(_FIND, tenant_id, endpoint_id)
    return Gate() if row is None else _gate(row)


async def limit(tx: Connection, *, tenant_id: str, endpoint_id: UUID, per_second: int | None) -> None:
    """Set or lift the rate limit of an endpoint."""
    await tx.execute(_LIMIT, tenant_id, endpoint_id, per_second)


def _gate(row: asyncpg.Record) -> Gate:
    return Gate(
        failures=row["failures"],
        failing_since=row["failing_since"],
        last_error=row["last_error"],
        warnings=row["warnings"],
        warned_at=row["warned_at"],
        pauses=row["pauses"],
        paused_until=row["paused_until"],
        pause_began_at=row["pause_began_at"],
    )
