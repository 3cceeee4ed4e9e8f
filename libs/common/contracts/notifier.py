"""What the notifier is asked: the webhook endpoints of a tenant and what was delivered to them."""

from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.contracts.base import Message, request

_TENANT = {"tenant_id": "00000000-0000-0000-0000-000000000002"}
_ENDPOINT_ID = "0190f3a4-5b6c-7d8e-9f01-23456789abd2"


class WebhookEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a tenant wants to hear about its payments."""

    id: UUID
    """The endpoint."""
    url: str
    """The address that events are sent to."""
    events: list[str]
    """Event names, prefixes such as `payment.*`, or `*`."""
    is_active: bool
    """Whether deliveries are made."""
    created_at: datetime
    """When it was registered."""
    secret: str | None = None
    """The signing secret; only in the answer to the registration, never again."""


class EndpointList(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant's endpoints, newest first."""

    endpoints: list[WebhookEndpoint]


class Deleted(msgspec.Struct, frozen=True, kw_only=True):
    """It is gone; its history stays."""

    id: UUID


@request(
    "webhook_endpoints.register",
    owner="notifier",
    said_by=("api",),
    reply=WebhookEndpoint,
    example=_TENANT | {"endpoint_id": _ENDPOINT_ID, "url": "https://merchant.example/hooks", "events": ["payment.*"]},
)
class RegisterEndpoint(Message, frozen=True, kw_only=True):
    """Register a webhook endpoint. Asked by the api; the same id and content again is success, without the secret."""

    tenant_id: str
    """The tenant."""
    endpoint_id: UUID
    """The new endpoint's id, minted by the api."""
    url: str
    """1 to 2,048 characters; https outside local development."""
    events: list[str]
    """At least one."""


@request("webhook_endpoints.list", owner="notifier", said_by=("api",), reply=EndpointList, example=_TENANT)
class ListEndpoints(Message, frozen=True, kw_only=True):
    """Which endpoints does this tenant have? Asked by the api."""

    tenant_id: str
    """The tenant."""


@request(
    "webhook_endpoints.delete",
    owner="notifier",
    said_by=("api",),
    reply=Deleted,
    example=_TENANT | {"endpoint_id": _ENDPOINT_ID},
)
class DeleteEndpoint(Message, frozen=True, kw_only=True):
    """Delete an endpoint; its delivery history stays. Asked by the api."""

    tenant_id: str
    """The tenant."""
    endpoint_id: UUID
    """The endpoint."""


class DeliveryAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try at a delivery."""

    number: int
    """From 1."""
    attempted_at: datetime
    """When it began."""
    duration_ms: int
    """How long the exchange took."""
    status_code: int | None
    """What the endpoint answered; None when it did not."""
    error: str | None
    """Why there was no answer, as a snake_case word: `timeout`, `connection_failed`, `egress_blocked`."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One event on its way to one endpoint."""

    id: UUID
    """The delivery; also the `X-Webhook-Delivery-Id` header."""
    event_id: UUID
    """The event; also the `webhook-id` header."""
    event_type: str
    """The event's name."""
    status: str
    """PENDING, DELIVERED or FAILED."""
    created_at: datetime
    """When it was scheduled."""
    next_attempt_at: datetime | None
    """When it will be tried next; None when it is over."""
    attempts: list[DeliveryAttempt]
    """Every try, oldest first."""


class DeliveryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Deliveries, newest first."""

    deliveries: list[Delivery]
    next_cursor: str | None = None
    """Continue here; None on the last page."""


@request(
    "deliveries.list",
    owner="notifier",
    said_by=("api",),
    reply=DeliveryPage,
    example=_TENANT | {"endpoint_id": _ENDPOINT_ID, "limit": 50},
)
class ListDeliveries(Message, frozen=True, kw_only=True):
    """What was sent to this endpoint? Asked by the api."""

    tenant_id: str
    """The tenant."""
    endpoint_id: UUID
    """The endpoint."""
    limit: int = 50
    """1 to 200."""
    cursor: str | None = None
    """The `next_cursor` of the page before."""
