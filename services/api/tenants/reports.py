"""Reading what the suite publishes of tenants: flat, or in the envelope of its outbox."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from libs.common.clock import Clock
from libs.common.contracts.foreign import ForeignMessage
from libs.common.errors import Invalid
from libs.common.messaging.loose import Loose
from services.api.access import TenantStatus
from services.api.http.callers import ANY_TENANT, PLATFORM_TENANT
from services.api.tenants.domain import STATUS_BY_KIND, TenantEventKind, TenantStatement

_TENANT = re.compile(r"[!-~]{1,64}(?!\n)$")
_NAME_MAX, _WORD_MAX = 200, 64
_AHEAD_MAX = timedelta(days=1)
"""How far ahead of our clock an event may be: what it states would be the latest for as long."""


def reader(clock: Clock) -> Callable[[ForeignMessage], TenantStatement]:
    """Return what reads an event of a tenant."""

    def read(message: ForeignMessage) -> TenantStatement:
        return read_tenant(message, at=clock.now())

    return read


def tenant_id_of(members: Loose, *names: str) -> str:
    """Read the tenant that a message of another team is about.

    Raises:
        Invalid: when it names none.
    """
    tenant_id = members.text(*names, longest=_WORD_MAX)
    if not _TENANT.match(tenant_id) or tenant_id == ANY_TENANT:
        raise Invalid(f"{names[0]} must be 1 to 64 visible characters")
    return tenant_id


def read_tenant(message: ForeignMessage, *, at: datetime) -> TenantStatement:
    """Read an event of a tenant.

    Raises:
        Undecodable: when the body is no JSON object.
        Invalid: when it states something impossible.
    """
    members = Loose(message.content)
    kind = _kind_of(message.routing_key, members)
    names = ["tenant_id", "tenantId", "aggregateId"]
    # In an envelope `id` is the event's.
    if members.is_in_payload("id") or not members.has("eventType", "aggregateType"):
        names.append("id")
    tenant_id = tenant_id_of(members, *names)
    status = STATUS_BY_KIND.get(kind) or _status_of(members)
    if tenant_id == PLATFORM_TENANT and status not in (None, TenantStatus.ACTIVE):
        raise Invalid("the tenant of the platform itself is neither suspended nor deleted")
    sent_at = datetime.fromtimestamp(message.sent_at, UTC) if message.sent_at else None
    occurred_at = members.instant("createdAt", "occurred_at", "occurredAt", "timestamp") or sent_at
    if occurred_at is not None and occurred_at > at + _AHEAD_MAX:
        raise Invalid(f"the event is of {occurred_at.isoformat()}, which is more than a day ahead")
    return TenantStatement(
        kind=kind,
        tenant_id=tenant_id,
        name=members.text("name", "tenantName", longest=_NAME_MAX),
        plan=members.text("plan", longest=_WORD_MAX),
        region=members.text("region", longest=_WORD_MAX),
        status=status,
        occurred_at=occurred_at,
        # In the envelope `id` is the event's, in a flat body nothing is.
        message_id=members.text("eventId", "id", longest=_NAME_MAX) if members.has("aggregateId") else "",
        correlation_id=members.text("correlation_id", "correlationId", longest=_NAME_MAX),
    )


def _kind_of(routing_key: str, members: Loose) -> TenantEventKind:
    words = ".".join(routing_key.split(".")[-2:])
    if words not in set(TenantEventKind):
        raise Invalid(f"'{routing_key[:200]}' is no event of a tenant that is known")
    kind = TenantEventKind(words)
    stated = members.text("eventType", longest=_NAME_MAX)
    if stated and stated != kind:
        raise Invalid(f"the routing key says {kind}, and eventType says {stated}")
    return kind


def _status_of(members: Loose) -> TenantStatus | None:
    stated = members.text("status", longest=_WORD_MAX).upper()
    if stated and stated not in set(TenantStatus):
        raise Invalid("status must be ACTIVE, SUSPENDED or DELETED")
    return TenantStatus(stated) if stated else None
