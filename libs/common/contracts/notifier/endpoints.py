"""Requests about a tenant's webhook endpoints."""

from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.contracts.base import Message, request

EXAMPLE_TENANT: dict[str, object] = {"tenant_id": "00000000-0000-0000-0000-000000000002"}
"""The tenant of every example."""
EXAMPLE_ENDPOINT_ID = "0190f3a4-5b6c-7d8e-9f01-23456789abd2"
"""The endpoint of every example."""


class EndpointHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How an endpoint does, and what is done about it."""

    status: str
    """`healthy`, `failing` (the latest attempt failed), `paused` (the breaker is open) or `disabled`."""
    consecutive_failures: int
    """Failed attempts since the last success, over all deliveries."""
    failing_since: datetime | None
    """The first of them; None when the latest attempt succeeded."""
    last_error: str | None
    """What the latest failed attempt met: `status_503`, `timeout`; None when it succeeded."""
    paused_until: datetime | None
    """While the breaker is open: when the next single attempt is made. No waiting delivery spends an attempt meanwhile."""
    disables_at: datetime | None
    """When the endpoint is switched off at the earliest if it keeps failing; None while it does not fail."""
    waiting: int
    """Deliveries that wait, up to 10,000."""
    delivered_recently: int
    """How many of the newest hundred deliveries arrived."""
    failed_recently: int
    """How many of the newest hundred deliveries failed."""


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint missed while it was switched off: an offer to replay it."""

    since: datetime
    """When it began to fail, or was switched off."""
    until: datetime
    """When it was switched on again."""
    count: int
    """Events that were not delivered to it in that time."""


class WebhookEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a tenant receives the events of its payments."""

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
    description: str = ""
    """What it is for, for people."""
    disabled_reason: str | None = None
    """Why deliveries are not made: `switched_off`, `gone` (it answered 410) or `failing`."""
    rate_limit_per_second: int | None = None
    """Attempts per second at most; None for no limit."""
    is_ordered: bool = False
    """Whether the events of one payment are delivered in order."""
    header_names: tuple[str, ...] = ()
    """Names of the tenant's own headers; their values are not shown again."""
    public_key: str | None = None
    """`whpk_` and base64: verifies its `v1a` signatures; None when it has none."""
    secret: str | None = None
    """The signing secret; only in the answer to the registration or to a rotation, never again."""
    health: EndpointHealth | None = None
    """How it does; where one endpoint is requested."""
    gap: Gap | None = None
    """What it missed; only in the answer that switches it on again."""


class EndpointList(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant's endpoints, newest first."""

    endpoints: list[WebhookEndpoint]


class Deleted(msgspec.Struct, frozen=True, kw_only=True):
    """It is gone; its history stays."""

    id: UUID


@request(
    "webhook_endpoints.register",
    owner="notifier",
    published_by=("api",),
    reply=WebhookEndpoint,
    example=EXAMPLE_TENANT
    | {"endpoint_id": EXAMPLE_ENDPOINT_ID, "url": "https://merchant.example/hooks", "events": ["payment.*"]},
)
class RegisterEndpoint(Message, frozen=True, kw_only=True):
    """Register a webhook endpoint. Requested by the api; the same id and content again is success, without the secret."""

    tenant_id: str
    """The tenant."""
    endpoint_id: UUID
    """The new endpoint's id, minted by the api."""
    url: str
    """1 to 2,048 characters; https outside local development."""
    events: list[str]
    """At least one."""
    description: str = ""
    """What it is for, up to 500 characters."""
    rate_limit_per_second: int = 0
    """Attempts per second at most; 0 for no limit."""
    is_ordered: bool = False
    """Whether the events of one payment are delivered in order."""
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    """Headers of the tenant's own, sent with every attempt."""
    has_public_key: bool = False
    """Whether it is signed with ed25519 (`v1a`) too."""


@request(
    "webhook_endpoints.get",
    owner="notifier",
    published_by=("api",),
    reply=WebhookEndpoint,
    example=EXAMPLE_TENANT | {"endpoint_id": EXAMPLE_ENDPOINT_ID},
)
class GetEndpoint(Message, frozen=True, kw_only=True):
    """How is this endpoint? Requested by the api; answered with its health."""

    tenant_id: str
    """The tenant."""
    endpoint_id: UUID
    """The endpoint."""


@request(
    "webhook_endpoints.change",
    owner="notifier",
    published_by=("api",),
    reply=WebhookEndpoint,
    example=EXAMPLE_TENANT | {"endpoint_id": EXAMPLE_ENDPOINT_ID, "is_active": True},
)
class ChangeEndpoint(Message, frozen=True, kw_only=True):
    """Change an endpoint; what is null stays as it is. Requested by the api."""

    tenant_id: str
    """The tenant."""
    endpoint_id: UUID
    """The endpoint."""
    url: str | None = None
    """1 to 2,048 characters; https outside local development."""
    events: list[str] | None = None
    """At least one."""
    description: str | None = None
    """What it is for, up to 500 characters."""
    is_active: bool | None = None
    """Switched on, the answer counts what was missed; switched off, what waits fails."""
    rate_limit_per_second: int | None = None
    """Attempts per second at most; 0 for no limit."""
    is_ordered: bool | None = None
    """Whether the events of one payment, from now on, are delivered in order."""
    headers: dict[str, str] | None = None
    """Replaces all headers of the tenant's own."""
    has_public_key: bool | None = None
    """Whether it is signed with ed25519 (`v1a`) too; a key is minted when there is none."""


@request(
    "webhook_endpoints.rotate_secret",
    owner="notifier",
    published_by=("api",),
    reply=WebhookEndpoint,
    example=EXAMPLE_TENANT | {"endpoint_id": EXAMPLE_ENDPOINT_ID, "overlap_seconds": 86_400},
)
class RotateSecret(Message, frozen=True, kw_only=True):
    """Mint a new secret, shown in the answer; the present one signs too until the overlap ends. Requested by the api."""

    tenant_id: str
    """The tenant."""
    endpoint_id: UUID
    """The endpoint."""
    overlap_seconds: int = 86_400
    """0 to seven days; 0 ends every earlier secret at once."""


class TestSent(msgspec.Struct, frozen=True, kw_only=True):
    """A test event is scheduled."""

    event_id: UUID
    """The event; also the `webhook-id` header."""
    delivery_id: UUID
    """The delivery, to be found in the history."""


@request(
    "webhook_endpoints.test",
    owner="notifier",
    published_by=("api",),
    reply=TestSent,
    example=EXAMPLE_TENANT | {"endpoint_id": EXAMPLE_ENDPOINT_ID},
)
class SendTestEvent(Message, frozen=True, kw_only=True):
    """Send a `webhook.test` event to an endpoint, whatever events it lists. Requested by the api."""

    tenant_id: str
    """The tenant."""
    endpoint_id: UUID
    """The endpoint."""
    event_id: UUID | None = None
    """The event's id, minted by the api, so that the same request again is the same event; None: a new one."""


@request("webhook_endpoints.list", owner="notifier", published_by=("api",), reply=EndpointList, example=EXAMPLE_TENANT)
class ListEndpoints(Message, frozen=True, kw_only=True):
    """Which endpoints does this tenant have? Requested by the api."""

    tenant_id: str
    """The tenant."""


@request(
    "webhook_endpoints.delete",
    owner="notifier",
    published_by=("api",),
    reply=Deleted,
    example=EXAMPLE_TENANT | {"endpoint_id": EXAMPLE_ENDPOINT_ID},
)
class DeleteEndpoint(Message, frozen=True, kw_only=True):
    """Delete an endpoint; its delivery history stays. Requested by the api."""

    tenant_id: str
    """The tenant."""
    endpoint_id: UUID
    """The endpoint."""
