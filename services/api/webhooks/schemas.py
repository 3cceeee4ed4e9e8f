"""The shapes of webhook endpoints, deliveries and replays as clients write and read them."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from libs.common.clock import iso
from libs.common.contracts.notifier import Delivery, EndpointHealth, Replay, WebhookEndpoint

_Description = Annotated[str, msgspec.Meta(max_length=500, description="What it is for, for people.")]
_RateLimit = Annotated[
    int, msgspec.Meta(ge=1, le=10_000, description="Attempts per second at most; null for no limit.")
]
_Headers = Annotated[
    dict[str, str],
    msgspec.Meta(
        max_length=20, description="Headers of your own, sent with every attempt; their values are not shown again."
    ),
]
_Ordered = Annotated[bool, msgspec.Meta(description="Whether the events of one payment are delivered in order.")]
_PublicKey = Annotated[bool, msgspec.Meta(description="Whether webhooks are signed with ed25519 (`v1a`) too.")]


class CreateWebhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where to send which events."""

    url: Annotated[str, msgspec.Meta(min_length=1, max_length=2048, description="The address that events are sent to.")]
    events: Annotated[
        list[Annotated[str, msgspec.Meta(min_length=1, max_length=128)]],
        msgspec.Meta(min_length=1, max_length=50, description="Event names, prefixes such as `payment.*`, or `*`."),
    ]
    description: _Description = ""
    rate_limit_per_second: _RateLimit | None = None
    is_ordered: _Ordered = False
    headers: _Headers = {}
    has_public_key: _PublicKey = False


class ChangeWebhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What changes; members that are missing stay as they are."""

    url: Annotated[str, msgspec.Meta(min_length=1, max_length=2048)] | None = None
    events: (
        Annotated[
            list[Annotated[str, msgspec.Meta(min_length=1, max_length=128)]], msgspec.Meta(min_length=1, max_length=50)
        ]
        | None
    ) = None
    description: _Description | None = None
    is_active: (
        Annotated[bool, msgspec.Meta(description="Switched on again, the answer's `gap` is what was missed.")] | None
    ) = None
    rate_limit_per_second: (
        Annotated[int, msgspec.Meta(ge=0, le=10_000, description="Attempts per second at most; 0 for no limit.")] | None
    ) = None
    is_ordered: _Ordered | None = None
    headers: _Headers | None = None
    has_public_key: _PublicKey | None = None


class RotateWebhookSecret(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long the present secret goes on signing."""

    overlap_seconds: Annotated[
        int, msgspec.Meta(ge=0, le=604_800, description="0 ends every earlier secret at once; up to seven days.")
    ] = 86_400


class ReplayWebhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which deliveries are made again."""

    outcomes: Annotated[
        list[Literal["failed", "missing", "delivered"]],
        msgspec.Meta(min_length=1, description="`missing`: events that the endpoint lists and has no delivery of."),
    ] = msgspec.field(default_factory=lambda: ["failed", "missing"])
    event_ids: Annotated[
        list[UUID], msgspec.Meta(max_length=1000, description="These events alone, whenever they happened.")
    ] = []
    event_types: Annotated[list[str], msgspec.Meta(max_length=50, description="Events of these names alone.")] = []
    since: datetime | None = None
    until: datetime | None = None
    dry_run: Annotated[bool, msgspec.Meta(description="Count only; needs no `Idempotency-Key`.")] = False


class TestSentBody(msgspec.Struct, frozen=True, kw_only=True):
    """A test event is scheduled."""

    event_id: str
    delivery_id: str


class ReplayBody(msgspec.Struct, frozen=True, kw_only=True):
    """A replay and how far it is: done is when everything is scheduled, cancelled when it was stopped before."""

    id: str | None
    endpoint_id: str
    status: Literal["DRY_RUN", "RUNNING", "DONE", "CANCELLED"]
    total: int
    scheduled: int
    created_at: str
    ended_at: str | None


class HealthBody(msgspec.Struct, frozen=True, kw_only=True):
    """How an endpoint does, and what is done about it."""

    status: Literal["healthy", "failing", "paused", "disabled"]
    consecutive_failures: int
    failing_since: str | None
    last_error: str | None
    paused_until: str | None
    disables_at: str | None
    waiting: int
    delivered_recently: int
    failed_recently: int


class GapBody(msgspec.Struct, frozen=True, kw_only=True):
    """What was missed while the endpoint was switched off; `POST .../replay` with these bounds makes up for it."""

    since: str
    until: str
    count: int


class EndpointBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A webhook endpoint."""

    id: str
    url: str
    events: list[str]
    is_active: bool
    created_at: str
    description: str
    rate_limit_per_second: int | None
    is_ordered: bool
    header_names: list[str]
    public_key: str | None
    disabled_reason: str | None
    health: HealthBody | None = None
    gap: GapBody | None = None
    secret: (
        Annotated[str, msgspec.Meta(description="The signing secret: shown once, in the answer to the registration.")]
        | None
    ) = None


class DeliveryAttemptBody(msgspec.Struct, frozen=True, kw_only=True):
    """One try at a delivery."""

    number: int
    attempted_at: str
    duration_ms: int
    status_code: int | None
    error: str | None
    response_excerpt: str


class DeliveryBody(msgspec.Struct, frozen=True, kw_only=True):
    """One event to be delivered to one endpoint."""

    id: str
    endpoint_id: str | None
    event_id: str
    event_type: str
    status: str
    created_at: str
    next_attempt_at: str | None
    ended_at: str | None
    end_reason: str | None
    replays: int
    attempts: list[DeliveryAttemptBody]
    body: (
        Annotated[
            str,
            msgspec.Meta(
                description="The JSON exactly as it is sent, the same on every attempt; only with the filter `event_id`."
            ),
        ]
        | None
    ) = None


class DeliveryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Deliveries, newest first."""

    data: list[DeliveryBody]
    next_cursor: str | None


def endpoint_body(endpoint: WebhookEndpoint) -> EndpointBody:
    """Show an endpoint as clients see it."""
    return EndpointBody(
        id=str(endpoint.id),
        url=endpoint.url,
        events=endpoint.events,
        is_active=endpoint.is_active,
        created_at=iso(endpoint.created_at),
        description=endpoint.description,
        rate_limit_per_second=endpoint.rate_limit_per_second,
        is_ordered=endpoint.is_ordered,
        header_names=list(endpoint.header_names),
        public_key=endpoint.public_key,
        disabled_reason=endpoint.disabled_reason,
        health=None if endpoint.health is None else _health(endpoint.health),
        gap=None
        if endpoint.gap is None
        else GapBody(since=iso(endpoint.gap.since), until=iso(endpoint.gap.until), count=endpoint.gap.count),
        secret=endpoint.secret,
    )


def _health(health: EndpointHealth) -> HealthBody:
    return msgspec.convert(
        {
            **msgspec.structs.asdict(health),
            "failing_since": _instant(health.failing_since),
            "paused_until": _instant(health.paused_until),
            "disables_at": _instant(health.disables_at),
        },
        HealthBody,
    )


def _instant(at: datetime | None) -> str | None:
    return None if at is None else iso(at)


def replay_body(replay: Replay) -> ReplayBody:
    """Show a replay as clients see it."""
    return msgspec.convert(
        {
            **msgspec.structs.asdict(replay),
            "id": None if replay.id is None else str(replay.id),
            "endpoint_id": str(replay.endpoint_id),
            "created_at": iso(replay.created_at),
            "ended_at": _instant(replay.ended_at),
        },
        ReplayBody,
    )


def delivery_body(delivery: Delivery) -> DeliveryBody:
    """Show a delivery as clients see it."""
    return DeliveryBody(
        id=str(delivery.id),
        endpoint_id=None if delivery.endpoint_id is None else str(delivery.endpoint_id),
        event_id=str(delivery.event_id),
        event_type=delivery.event_type,
        status=delivery.status,
        created_at=iso(delivery.created_at),
        next_attempt_at=_instant(delivery.next_attempt_at),
        ended_at=_instant(delivery.ended_at),
        end_reason=delivery.end_reason,
        replays=delivery.replays,
        attempts=[
            DeliveryAttemptBody(
                number=attempt.number,
                attempted_at=iso(attempt.attempted_at),
                duration_ms=attempt.duration_ms,
                status_code=attempt.status_code,
                error=attempt.error,
                response_excerpt=attempt.response_excerpt,
            )
            for attempt in delivery.attempts
        ],
        body=delivery.body,
    )
