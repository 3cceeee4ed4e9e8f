"""The SQL of tenants that the suite states."""

from datetime import datetime
from typing import Any

from libs.common.db import Connection
from libs.common.db.statements import Statement
from services.api.access import TenantOrigin, TenantStatus
from services.api.tenants.domain import PLAN, REGION, TenantStatement

_NEWER = "excluded.{0}_stated_at >= coalesce(t.{0}_stated_at, '-infinity')"
"""Whether an event states a member, and nothing later has stated it, no operator either; what only a token or a seed says was never stated."""
_DELETES = "excluded.status = 'DELETED'"

# One statement, so that of two events that are handled at the same time each finds what the other has stated. A tenant that
# is deleted stays so: an event that comes late, or again, never lets it in once more.
_STATE = Statement(
    """
INSERT INTO tenants AS t (id, name, plan, region, status, origin, created_at, updated_at,
                          name_stated_at, plan_stated_at, region_stated_at, status_stated_at)
VALUES (:id, :name, :plan, :region, :status, :origin, :at, :at, :name_at, :plan_at, :region_at, :status_at)
ON CONFLICT (id) DO UPDATE SET
    name = CASE WHEN {name} THEN excluded.name ELSE t.name END,
    plan = CASE WHEN {plan} THEN excluded.plan ELSE t.plan END,
    region = CASE WHEN {region} THEN excluded.region ELSE t.region END,
    status = CASE WHEN t.status = 'DELETED' OR {deletes} THEN 'DELETED' WHEN {status} THEN excluded.status ELSE t.status END,
    origin = excluded.origin,
    updated_at = excluded.updated_at,
    name_stated_at = greatest(t.name_stated_at, excluded.name_stated_at),
    plan_stated_at = greatest(t.plan_stated_at, excluded.plan_stated_at),
    region_stated_at = greatest(t.region_stated_at, excluded.region_stated_at),
    status_stated_at = greatest(t.status_stated_at, excluded.status_stated_at)
 WHERE {name} OR {plan} OR {region} OR {status} OR ({deletes} AND t.status <> 'DELETED')
RETURNING xmax = 0 AS is_new
""",
    name=_NEWER.format("name"),
    plan=_NEWER.format("plan"),
    region=_NEWER.format("region"),
    status=_NEWER.format("status"),
    deletes=_DELETES,
)


async def state(tx: Connection, stated: TenantStatement, *, occurred_at: datetime, at: datetime) -> bool | None:
    """Write what an event states of a tenant; returns whether the tenant is new, None when nothing has changed."""
    values: dict[str, Any] = {
        "id": stated.tenant_id,
        "name": stated.name or stated.tenant_id,
        "plan": stated.plan or PLAN,
        "region": stated.region or REGION,
        "status": (stated.status or TenantStatus.ACTIVE).value,
        "origin": TenantOrigin.SYNC.value,
        "at": at,
    }
    for member in ("name", "plan", "region", "status"):
        values[f"{member}_at"] = occurred_at if getattr(stated, member) else None
    row = await _STATE.fetchrow(tx, **values)
    return None if row is None else bool(row["is_new"])
