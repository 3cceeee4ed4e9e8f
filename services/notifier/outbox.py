"""The closed list of what the notifier publishes: that an endpoint fails, or was switched off."""

from datetime import datetime
from uuid import UUID

from libs.common.contracts import Message, published_by
from libs.common.contracts.notifier import WebhookEndpointDisabled, WebhookEndpointFailing
from libs.common.ids import new_id
from libs.common.messaging import Publication
from libs.common.observability.correlation import Correlation

MESSAGES: tuple[type[Message], ...] = tuple(published_by("notifier"))
"""Every message that this service may put on the broker."""


def endpoint_failing(
    *,
    tenant_id: str,
    endpoint_id: UUID,
    url: str,
    failing_since: datetime | None,
    consecutive_failures: int,
    last_error: str | None,
    disables_at: datetime,
    now: datetime,
) -> Publication:
    """Warn that an endpoint keeps failing and that it is switched off at `disables_at` at the earliest."""
    correlation, event_id = _cause(tenant_id, endpoint_id), new_id(now)
    message = WebhookEndpointFailing(
        event_id=event_id,
        occurred_at=now,
        tenant_id=tenant_id,
        correlation_id=correlation.correlation_id,
        endpoint_id=endpoint_id,
        url=url,
        failing_since=failing_since,
        consecutive_failures=consecutive_failures,
        last_error=last_error,
        disables_at=disables_at,
    )
    return Publication.of(message, occurred_at=now, correlation=correlation, event_id=event_id)


def endpoint_disabled(
    *,
    tenant_id: str,
    endpoint_id: UUID,
    url: str,
    failing_since: datetime | None,
    consecutive_failures: int,
    last_error: str | None,
    reason: str,
    now: datetime,
) -> Publication:
    """Say that an endpoint was switched off."""
    correlation, event_id = _cause(tenant_id, endpoint_id), new_id(now)
    message = WebhookEndpointDisabled(
        event_id=event_id,
        occurred_at=now,
        tenant_id=tenant_id,
        correlation_id=correlation.correlation_id,
        endpoint_id=endpoint_id,
        url=url,
        failing_since=failing_since,
        consecutive_failures=consecutive_failures,
        last_error=last_error,
        reason=reason,
    )
    return Publication.of(message, occurred_at=now, correlation=correlation, event_id=event_id)


def _cause(tenant_id: str, endpoint_id: UUID) -> Correlation:
    # No request caused it: all that is published about one endpoint's health belongs together.
    return Correlation(correlation_id=endpoint_id.hex, tenant_id=tenant_id)
