"""Requests about deliveries: one event for one endpoint, with every attempt."""

from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.contracts.base import Message, request
from libs.common.contracts.notifier.endpoints import EXAMPLE_ENDPOINT_ID, EXAMPLE_TENANT


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
    response_excerpt: str = ""
    """The beginning of the answer's body."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One event for one endpoint."""

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
    endpoint_id: UUID | None = None
    """The endpoint."""
    ended_at: datetime | None = None
    """When it was over; None while it is not."""
    end_reason: str | None = None
    """Why it is over: `delivered`, `exhausted`, `endpoint_gone`, `endpoint_disabled`, `endpoint_deleted`."""
    replays: int = 0
    """How often it was replayed."""
    body: str | None = None
    """The JSON exactly as it is sent, the same on every attempt; only where one event alone is requested."""


class DeliveryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Deliveries, newest first."""

    deliveries: list[Delivery]
    next_cursor: str | None = None
    """Continue here; None on the last page."""


@request(
    "deliveries.list",
    owner="notifier",
    published_by=("api",),
    reply=DeliveryPage,
    example=EXAMPLE_TENANT | {"endpoint_id": EXAMPLE_ENDPOINT_ID, "limit": 50},
)
class ListDeliveries(Message, frozen=True, kw_only=True):
    """What was sent to this endpoint, or to all of a tenant's? Requested by the api."""

    tenant_id: str
    """The tenant."""
    endpoint_id: UUID | None = None
    """The endpoint; None for all, deleted ones included."""
    limit: int = 50
    """1 to 200."""
    cursor: str | None = None
    """The `next_cursor` of the page before."""
    status: str | None = None
    """PENDING, DELIVERED or FAILED alone."""
    event_type: str | None = None
    """Events of this name alone."""
    event_id: UUID | None = None
    """This event alone, with the body that is sent about it."""
    since: datetime | None = None
    """Events from this instant on."""
    until: datetime | None = None
    """Events before this instant."""
