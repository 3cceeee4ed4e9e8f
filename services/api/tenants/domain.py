"""What the suite says of a tenant, and what is assumed where it says nothing."""

from datetime import datetime
from enum import StrEnum

import msgspec

from services.api.access.domain import TenantStatus

PLAN, REGION = "pro", "region-a"
"""What a tenant has where no event states it: the reference system's own defaults."""


class TenantEventKind(StrEnum):
    """What happened to a tenant; the last words of the routing key."""

    CREATED = "tenant.created"
    UPDATED = "tenant.updated"
    SUSPENDED = "tenant.suspended"
    REACTIVATED = "tenant.reactivated"
    DELETED = "tenant.deleted"


STATUS_BY_KIND = {
    TenantEventKind.SUSPENDED: TenantStatus.SUSPENDED,
    TenantEventKind.REACTIVATED: TenantStatus.ACTIVE,
    TenantEventKind.DELETED: TenantStatus.DELETED,
}
"""The status that an event states by its kind alone."""


class TenantStatement(msgspec.Struct, frozen=True, kw_only=True):
    """What one event states of a tenant; what it leaves out stays as it is."""

    kind: TenantEventKind
    """What happened."""
    tenant_id: str
    """1 to 64 visible characters."""
    name: str = ""
    """Its name; empty: not stated."""
    plan: str = ""
    """Its plan; empty: not stated."""
    region: str = ""
    """Its region; empty: not stated."""
    status: TenantStatus | None = None
    """Whether it may use the platform; None: not stated."""
    occurred_at: datetime | None = None
    """When it happened, if the event says so."""
    message_id: str = ""
    """The event's id, if it has one."""
    correlation_id: str = ""
    """The cause it belongs to, if it names one."""
