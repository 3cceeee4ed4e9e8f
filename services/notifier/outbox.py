"""What do we say? To merchants one body for each public event, to the api answers, and on the broker nothing unasked.

A message appears in `MESSAGES` when its contract names the notifier as who says it.
"""

from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.contracts import Message, PublicEvent, said_by
from libs.common.contracts.notifier import WebhookEndpoint
from services.notifier.domain import Endpoint

MESSAGES: tuple[type[Message], ...] = tuple(said_by("notifier"))
"""Every message that this service may put on the broker."""


class WebhookBody(msgspec.Struct, frozen=True, kw_only=True):
    """What a merchant receives: `{id, type, timestamp, version, tenant_id, data}`, the shape of Standard Webhooks.

    `data` is the event exactly as other teams read it on `payments.x`, so one parser serves both.
    """

    id: UUID
    """The event, also the `webhook-id` header: the same on every attempt and at every endpoint. Dedupe by it."""
    type: str
    """The event's name: `payment.settled`."""
    timestamp: datetime
    """When it happened, RFC 3339 in UTC; not when it was sent."""
    version: int
    """Raised only when a field changes its meaning; fields may be added at any time."""
    tenant_id: str
    """The tenant it happened to."""
    data: PublicEvent
    """The event's own fields, flat, in snake_case."""


def webhook_body(event: PublicEvent) -> str:
    """Write the body that merchants receive about `event`."""
    body = WebhookBody(
        id=event.event_id,
        type=event.contract.name,
        timestamp=event.occurred_at,
        version=event.version,
        tenant_id=event.tenant_id,
        data=event,
    )
    return msgspec.json.encode(body).decode()


def endpoint_shown(endpoint: Endpoint, *, secret: str | None = None) -> WebhookEndpoint:
    """Show an endpoint to its tenant; with its secret only when it was minted this moment."""
    return WebhookEndpoint(
        id=endpoint.id,
        url=endpoint.url,
        events=list(endpoint.events),
        is_active=endpoint.is_active,
        created_at=endpoint.created_at,
        secret=secret,
    )
