"""What do we say? To merchants one body for each public event, to the api answers, and on the broker that an endpoint
fails or was switched off.

A message appears in `MESSAGES` when its contract names the notifier as who says it.
"""

from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.contracts import Message, PublicEvent, said_by
from libs.common.contracts.notifier import (
    EndpointHealth,
    Gap,
    Replay,
    WebhookEndpoint,
    WebhookEndpointDisabled,
    WebhookEndpointFailing,
)
from libs.common.ids import new_id
from libs.common.messaging import Saying
from libs.common.observability.correlation import Correlation
from services.notifier.domain import Asked, Endpoint, ReplayStatus
from services.notifier.schedule import Gate

MESSAGES: tuple[type[Message], ...] = tuple(said_by("notifier"))
"""Every message that this service may put on the broker."""


TEST_EVENT = "webhook.test"
"""The event that a tenant sends to an endpoint of its own to see whether it arrives."""


class TestData(msgspec.Struct, frozen=True, kw_only=True):
    """What a test event tells."""

    __test__ = False

    event_id: UUID
    """The event."""
    occurred_at: datetime
    """When it was asked for."""
    tenant_id: str
    """The tenant."""
    endpoint_id: UUID
    """The endpoint under test."""
    note: str = "A test: no payment changed."
    """For people."""


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
    data: PublicEvent | TestData
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


def webhook_test_body(endpoint: Endpoint, *, event_id: UUID, now: datetime) -> str:
    """Write the body of a test event."""
    body = WebhookBody(
        id=event_id,
        type=TEST_EVENT,
        timestamp=now,
        version=1,
        tenant_id=endpoint.tenant_id,
        data=TestData(event_id=event_id, occurred_at=now, tenant_id=endpoint.tenant_id, endpoint_id=endpoint.id),
    )
    return msgspec.json.encode(body).decode()


def endpoint_failing(key: tuple[str, UUID], *, url: str, gate: Gate, ends_at: datetime, now: datetime) -> Saying:
    """Warn that an endpoint keeps failing and that it is switched off at `ends_at` at the earliest."""
    correlation, event_id = _cause(key), new_id(now)
    message = WebhookEndpointFailing(
        event_id=event_id,
        occurred_at=now,
        tenant_id=key[0],
        correlation_id=correlation.correlation_id,
        endpoint_id=key[1],
        url=url,
        failing_since=gate.failing_since,
        consecutive_failures=gate.failures,
        last_error=gate.last_error,
        disables_at=ends_at,
    )
    return Saying.of(message, occurred_at=now, correlation=correlation, event_id=event_id)


def endpoint_disabled(key: tuple[str, UUID], *, url: str, gate: Gate, reason: str, now: datetime) -> Saying:
    """Tell that an endpoint was switched off."""
    correlation, event_id = _cause(key), new_id(now)
    message = WebhookEndpointDisabled(
        event_id=event_id,
        occurred_at=now,
        tenant_id=key[0],
        correlation_id=correlation.correlation_id,
        endpoint_id=key[1],
        url=url,
        failing_since=gate.failing_since,
        consecutive_failures=gate.failures,
        last_error=gate.last_error,
        reason=reason,
    )
    return Saying.of(message, occurred_at=now, correlation=correlation, event_id=event_id)


def _cause(key: tuple[str, UUID]) -> Correlation:
    # No request caused it: all that is said of one endpoint's health belongs together.
    return Correlation(correlation_id=key[1].hex, tenant_id=key[0])


def endpoint_shown(
    endpoint: Endpoint, *, secret: str | None = None, health: EndpointHealth | None = None, gap: Gap | None = None
) -> WebhookEndpoint:
    """Show an endpoint to its tenant; with its secret only when it was minted this moment."""
    return WebhookEndpoint(
        id=endpoint.id,
        url=endpoint.url,
        events=list(endpoint.events),
        is_active=endpoint.is_active,
        created_at=endpoint.created_at,
        description=endpoint.description,
        disabled_reason=endpoint.disabled_reason,
        rate_limit_per_second=endpoint.rate_limit_per_second,
        is_ordered=endpoint.is_ordered,
        header_names=endpoint.header_names,
        public_key=endpoint.public_key,
        secret=secret,
        health=health,
        gap=gap,
    )


def replay_shown(replay: Asked) -> Replay:
    """Show a replay to its tenant."""
    return Replay(
        id=None if replay.status is ReplayStatus.DRY_RUN else replay.id,
        endpoint_id=replay.endpoint_id,
        status=replay.status,
        total=replay.total,
        scheduled=replay.scheduled,
        created_at=replay.created_at,
        ended_at=replay.ended_at,
    )
