"""What the notifier says: that an endpoint keeps failing, and that it was switched off."""

from datetime import datetime
from uuid import UUID

from libs.common.contracts.base import PublicEvent, event
from libs.common.contracts.notifier.endpoints import EXAMPLE_ENDPOINT_ID, EXAMPLE_TENANT

_TROUBLE: dict[str, object] = EXAMPLE_TENANT | {
    "event_id": "0190f3a4-5b6c-7d8e-9f01-23456789abd3",
    "occurred_at": "2026-11-22T17:57:07.701598Z",
    "correlation_id": "4be3c5a8f0d94f0c8f3f6c6f6a3c2b10",
    "endpoint_id": EXAMPLE_ENDPOINT_ID,
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
    handled_by=("notifier",),
    public=True,
    example=_TROUBLE | {"disables_at": "2026-11-25T05:57:07.701598Z"},
)
class WebhookEndpointFailing(EndpointTrouble, frozen=True, kw_only=True):
    """An endpoint has failed for half, or for four fifths, of the time after which it is switched off.

    Handled by the notifier, which delivers it to the tenant's other endpoints, and by other teams.
    """

    disables_at: datetime
    """When it is switched off at the earliest."""


@event(
    "webhook_endpoint.disabled",
    owner="notifier",
    handled_by=("notifier",),
    public=True,
    example=_TROUBLE | {"reason": "failing"},
)
class WebhookEndpointDisabled(EndpointTrouble, frozen=True, kw_only=True):
    """An endpoint was switched off without its tenant asking for it.

    Handled by the notifier, which delivers it to the tenant's other endpoints, and by other teams.
    """

    reason: str
    """`failing`, or `gone` when it answered 410."""
