"""What deliveries read and write of the endpoints that they go to."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from libs.common.db import Connection
from libs.common.db.statements import Statement
from services.notifier.deliveries.domain import EndpointKey, Recipient

# Inactive ones too: their events are kept as missed, for a replay.
_RECIPIENTS = Statement("""
SELECT tenant_id, id, is_active, is_ordered FROM webhook_endpoints
 WHERE tenant_id = ANY(:tenant_ids::text[]) AND deleted_at IS NULL AND events && :patterns::text[]
""")

# Only one that is active, so that its end is published once.
_DISABLE = Statement("""
UPDATE webhook_endpoints SET is_active = false, disabled_reason = :reason, disabled_at = :at
 WHERE tenant_id = :tenant_id AND id = :endpoint_id AND is_active
RETURNING url
""")

# Deleted ones too: their history stays.
_IDS = Statement("""
SELECT id FROM webhook_endpoints
 WHERE tenant_id = :tenant_id AND (:endpoint_id::uuid IS NULL OR id = :endpoint_id)
""")


async def recipients(
    tx: Connection, *, tenant_ids: Sequence[str], patterns: Sequence[str]
) -> dict[str, list[Recipient]]:
    """Find, by tenant, the endpoints whose list has one of `patterns`."""
    result: dict[str, list[Recipient]] = {}
    for row in await _RECIPIENTS.fetch(tx, tenant_ids=list(tenant_ids), patterns=list(patterns)):
        result.setdefault(row["tenant_id"], []).append(
            Recipient(id=row["id"], is_active=row["is_active"], is_ordered=row["is_ordered"])
        )
    return result


async def disable(tx: Connection, key: EndpointKey, *, reason: str, at: datetime) -> str | None:
    """Switch an endpoint off; returns its url, or None when it was off already."""
    tenant_id, endpoint_id = key
    url: str | None = await _DISABLE.fetchval(tx, tenant_id=tenant_id, endpoint_id=endpoint_id, reason=reason, at=at)
    return url


async def ids(connection: Connection, *, tenant_id: str, endpoint_id: UUID | None = None) -> list[UUID]:
    """Return every endpoint that a tenant ever had, or the one named if it ever had it."""
    return [row["id"] for row in await _IDS.fetch(connection, tenant_id=tenant_id, endpoint_id=endpoint_id)]
