"""What the notifier is asked: the webhook endpoints of a tenant and what was delivered to them.

And what it says: that an endpoint keeps failing, and that it was switched off.
"""

from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.contracts.base import Message, PublicEvent, event, request

_TENANT = {"tenant_id": "00000000-0000-0000-0000-000000000002"}
_ENDPOINT_ID = "0190f3a4-5b6c-7d8e-9f01-23456789abd2"


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
    """How many of the newest hundred deliveries were given up."""


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint missed while it was switched off: an offer to replay it."""

    since: datetime
    """When it began to fail, or was switched off."""
    until: datetime
    """When it was switched on again."""
    count: int
    """Events that it was not told in that time."""


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
    description: str = ""
    """What it is for, for people."""
    disabled_reason: str | None = None
    """Why deliveries are not made: `switched_off`, `gone` (it answered 410) or `failing`."""
    rate_limit_per_second: int | None = None
    """Attempts per second at most; None for no limit."""
    is_ordered: bool = False
    """Whether the events of one payment are told in order."""
    header_names: tuple[str, ...] = ()
    """Names of the tenant's own headers; their values are not shown again."""
    public_key: str | None = None
    """`whpk_` and base64: verifies its `v1a` signatures; None when it has none."""
    secret: str | None = None
    """The signing secret; only in the answer to the registration or to a rotation, never again."""
    health: EndpointHealth | None = None
    """How it does; where one endpoint is asked for."""
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
    description: str = ""
    """What it is for, up to 500 characters."""
    rate_limit_per_second: int = 0
    """Attempts per second at most; 0 for no limit."""
    is_ordered: bool = False
    """Whether the events of one payment are told in order."""
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    """Headers of the tenant's own, sent with every attempt."""
    has_public_key: bool = False
    """Whether it is signed with ed25519 (`v1a`) too."""


@request(
    "webhook_endpoints.get",
    owner="notifier",
    said_by=("api",),
    reply=WebhookEndpoint,
    example=_TENANT | {"endpoint_id": _ENDPOINT_ID},
)
class GetEndpoint(Message, frozen=True, kw_only=True):
    """How is this endpoint? Asked by the api; answered with its health."""

    tenant_id: str
    """The tenant."""
    endpoint_id: UUID
    """The endpoint."""


@request(
    "webhook_endpoints.change",
    owner="notifier",
    said_by=("api",),
    reply=WebhookEndpoint,
    example=_TENANT | {"endpoint_id": _ENDPOINT_ID, "is_active": True},
)
class ChangeEndpoint(Message, frozen=True, kw_only=True):
    """Change an endpoint; what is null stays as it is. Asked by the api."""

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
    """Switched on, the answer says what was missed; switched off, what waits is given up."""
    rate_limit_per_second: int | None = None
    """Attempts per second at most; 0 for no limit."""
    is_ordered: bool | None = None
    """Whether the events of one payment, from now on, are told in order."""
    headers: dict[str, str] | None = None
    """Replaces all headers of the tenant's own."""
    has_public_key: bool | None = None
    """Whether it is signed with ed25519 (`v1a`) too; a key is minted when there is none."""


@request(
    "webhook_endpoints.rotate_secret",
    owner="notifier",
    said_by=("api",),
    reply=WebhookEndpoint,
    example=_TENANT | {"endpoint_id": _ENDPOINT_ID, "overlap_seconds": 86_400},
)
class RotateSecret(Message, frozen=True, kw_only=True):
    """Mint a new secret, shown in the answer; the present one signs too until the overlap ends. Asked by the api."""

    tenant_id: str
    """The tenant."""
    endpoint_id: UUID
    """The endpoint."""
    overlap_seconds: int = 86_400
    """0 to seven days; 0 ends every earlier secret at once."""


class TestSent(msgspec.Struct, frozen=True, kw_only=True):
    """A test event is on its way."""

    event_id: UUID
    """The event; also the `webhook-id` header."""
    delivery_id: UUID
    """The delivery, to be found in the history."""


@request(
    "webhook_endpoints.test",
    owner="notifier",
    said_by=("api",),
    reply=TestSent,
    example=_TENANT | {"endpoint_id": _ENDPOINT_ID},
)
class SendTestEvent(Message, frozen=True, kw_only=True):
    """Send a `webhook.test` event to an endpoint, whatever events it lists. Asked by the api."""

    tenant_id: str
    """The tenant."""
    endpoint_id: UUID
    """The endpoint."""


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
    response_excerpt: str = ""
    """The beginning of the answer's body."""


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
    endpoint_id: UUID | None = None
    """The endpoint."""
    ended_at: datetime | None = None
    """When it was over; None while it is not."""
    end_reason: str | None = None
    """Why it is over: `delivered`, `exhausted`, `endpoint_gone`, `endpoint_disabled`, `endpoint_deleted`."""
    replays: int = 0
    """How often it was replayed."""


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
    """What was sent to this endpoint, or to all of a tenant's? Asked by the api."""

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
    """This event alone."""
    since: datetime | None = None
    """Events from this instant on."""
    until: datetime | None = None
    """Events before this instant."""


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """A wish to have deliveries made again, and how far it is."""

    id: UUID | None
    """The replay; None of a dry run."""
    endpoint_id: UUID
    """The endpoint that hears again."""
    status: str
    """DRY_RUN, RUNNING or DONE: done is when everything is scheduled."""
    total: int
    """Deliveries that the selection had when it was asked for."""
    scheduled: int
    """Deliveries scheduled so far."""
    created_at: datetime
    """When it was asked for."""
    ended_at: datetime | None = None
    """When everything was scheduled."""


@request(
    "replays.start",
    owner="notifier",
    said_by=("api",),
    reply=Replay,
    example=_TENANT | {"endpoint_id": _ENDPOINT_ID, "key": "0190f3a4", "outcomes": ["failed", "missing"]},
)
class StartReplay(Message, frozen=True, kw_only=True):
    """Make deliveries again: one, many, those of a time, or all that were missed. Asked by the api.

    The same key and selection again is the same replay.
    """

    tenant_id: str
    """The tenant."""
    endpoint_id: UUID
    """The endpoint."""
    key: str
    """The idempotency key; not looked at in a dry run."""
    outcomes: tuple[str, ...] = ("failed", "missing")
    """`failed`: given up; `missing`: the endpoint wanted the event and has no delivery of it; `delivered`: arrived."""
    event_ids: tuple[UUID, ...] = ()
    """These events alone, 1,000 at most; empty for all."""
    event_types: tuple[str, ...] = ()
    """Events of these names alone; empty for all."""
    since: datetime | None = None
    """Events from this instant on; by default from the endpoint's registration."""
    until: datetime | None = None
    """Events before this instant; by default until now."""
    is_dry_run: bool = False
    """Count only."""


@request(
    "replays.get",
    owner="notifier",
    said_by=("api",),
    reply=Replay,
    example=_TENANT | {"replay_id": _ENDPOINT_ID},
)
class GetReplay(Message, frozen=True, kw_only=True):
    """How far is this replay? Asked by the api."""

    tenant_id: str
    """The tenant."""
    replay_id: UUID
    """The replay."""


_TROUBLE: dict[str, object] = _TENANT | {
    "event_id": "0190f3a4-5b6c-7d8e-9f01-23456789abd3",
    "occurred_at": "2026-11-22T17:57:07.701598Z",
    "correlation_id": "4be3c5a8f0d94f0c8f3f6c6f6a3c2b10",
    "endpoint_id": _ENDPOINT_ID,
    "url": "https://merchant.example/hooks",
    "failing_since": "2026-11-20T05:57:07.701598Z",
    "consecutive_failures": 240,
    "last_error": "status_503",
}


class EndpointTrouble(PublicEvent, frozen=True, kw_only=True):
    """What every event about an endpoint in trouble names."""

    endpoint_id: UUID
    """The endpoint."""
    url: str
    """Its address."""
    failing_since: datetime | None
    """The first failed attempt since the last success."""
    consecutive_failures: int
    """Failed attempts since then."""
    last_error: str | None
    """What the latest attempt met: `status_503`, `timeout`."""


@event(
    "webhook_endpoint.failing",
    owner="notifier",
    heard_by=("notifier",),
    public=True,
    example=_TROUBLE | {"disables_at": "2026-11-25T05:57:07.701598Z"},
)
class WebhookEndpointFailing(EndpointTrouble, frozen=True, kw_only=True):
    """An endpoint has failed for half, or for four fifths, of the time after which it is switched off.

    Heard by the notifier, which tells the tenant's other endpoints, and by other teams.
    """

    disables_at: datetime
    """When it is switched off at the earliest."""


@event(
    "webhook_endpoint.disabled",
    owner="notifier",
    heard_by=("notifier",),
    public=True,
    example=_TROUBLE | {"reason": "failing"},
)
class WebhookEndpointDisabled(EndpointTrouble, frozen=True, kw_only=True):
    """An endpoint was switched off without its tenant asking for it.

    Heard by the notifier, which tells the tenant's other endpoints, and by other teams.
    """

    reason: str
    """`failing`, or `gone` when it answered 410."""
