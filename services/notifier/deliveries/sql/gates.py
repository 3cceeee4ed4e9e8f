"""What holds deliveries back: one row for each endpoint that fails, or that has a rate limit.

An endpoint that is well and unlimited has no row that anybody writes. Rows are locked in key order.
"""

from collections.abc import Iterable
from uuid import UUID

from libs.common.db import Connection
from libs.common.db.statements import Statement, columns_of, reader_of
from services.notifier.deliveries.domain import EndpointKey, Gate

_COLUMNS = columns_of(Gate)

# `failed` endpoints get a row when they have none; of the others only those that are known to fail are of interest.
_OPEN = Statement("""
INSERT INTO endpoint_gates (tenant_id, endpoint_id)
SELECT * FROM unnest(:tenant_ids::text[], :endpoint_ids::uuid[]) AS f(tenant_id, endpoint_id)
 ORDER BY tenant_id, endpoint_id
ON CONFLICT DO NOTHING
""")

# In the order of the key, so that two workers never wait for each other. A success at an endpoint without failures locks
# nothing.
_LOCK = Statement(
    """
SELECT tenant_id, endpoint_id, {columns} FROM endpoint_gates AS g
 WHERE (tenant_id, endpoint_id) IN (SELECT * FROM unnest(:tried_tenants::text[], :tried_endpoints::uuid[]))
   AND (failures > 0
        OR (tenant_id, endpoint_id) IN (SELECT * FROM unnest(:failed_tenants::text[], :failed_endpoints::uuid[])))
 ORDER BY tenant_id, endpoint_id FOR UPDATE
""",
    columns=_COLUMNS,
)

# The row was locked and judged as a whole, so it is written as a whole.
_SAVE = Statement(
    "UPDATE endpoint_gates SET {assignments} WHERE tenant_id = :tenant_id AND endpoint_id = :endpoint_id",
    assignments=", ".join(f"{field} = :gate.{field}" for field in Gate.__struct_fields__),
)

# Without a lock: for showing the health of an endpoint.
_FIND = Statement(
    "SELECT {columns} FROM endpoint_gates WHERE tenant_id = :tenant_id AND endpoint_id = :endpoint_id", columns=_COLUMNS
)

# Before the endpoint is locked, in the order in which attempts are recorded.
_HOLD = Statement("SELECT FROM endpoint_gates WHERE tenant_id = :tenant_id AND endpoint_id = :endpoint_id FOR UPDATE")

# A new rate begins now: the pace of the former one would make the first attempts wait.
_LIMIT = Statement("""
INSERT INTO endpoint_gates (tenant_id, endpoint_id, rate_limit_per_second)
VALUES (:tenant_id, :endpoint_id, :per_second)
ON CONFLICT (tenant_id, endpoint_id) DO UPDATE SET rate_limit_per_second = :per_second, paced_until = NULL
""")

_gate = reader_of(Gate)


async def lock(
    tx: Connection, *, attempted: Iterable[EndpointKey], failed: Iterable[EndpointKey]
) -> dict[EndpointKey, Gate]:
    """Lock and return the gates that attempts may change: of those that failed, and of those known to fail."""
    tried, broken = sorted(attempted), sorted(failed)
    if broken:
        await _OPEN.execute(tx, tenant_ids=[key[0] for key in broken], endpoint_ids=[key[1] for key in broken])
    rows = await _LOCK.fetch(
        tx,
        tried_tenants=[key[0] for key in tried],
        tried_endpoints=[key[1] for key in tried],
        failed_tenants=[key[0] for key in broken],
        failed_endpoints=[key[1] for key in broken],
    )
    return {(row["tenant_id"], row["endpoint_id"]): _gate(row) for row in rows}


async def save(tx: Connection, gates: Iterable[tuple[EndpointKey, Gate]]) -> None:
    """Write gates back that are locked, or whose endpoint is."""
    await _SAVE.executemany(tx, [{"tenant_id": key[0], "endpoint_id": key[1], "gate": gate} for key, gate in gates])


async def hold(tx: Connection, *, tenant_id: str, endpoint_id: UUID) -> None:
    """Lock the gate of one endpoint, which there is from now on."""
    await _OPEN.execute(tx, tenant_ids=[tenant_id], endpoint_ids=[endpoint_id])
    await _HOLD.execute(tx, tenant_id=tenant_id, endpoint_id=endpoint_id)


async def find(connection: Connection, *, tenant_id: str, endpoint_id: UUID) -> Gate:
    """Return the gate of an endpoint; one that never failed has an open one."""
    row = await _FIND.fetchrow(connection, tenant_id=tenant_id, endpoint_id=endpoint_id)
    return Gate() if row is None else _gate(row)


async def limit(tx: Connection, *, tenant_id: str, endpoint_id: UUID, per_second: int | None) -> None:
    """Set or lift the rate limit of an endpoint."""
    await _LIMIT.execute(tx, tenant_id=tenant_id, endpoint_id=endpoint_id, per_second=per_second)
