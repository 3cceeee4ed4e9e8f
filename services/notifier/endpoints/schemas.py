"""How an endpoint is shown to its tenant."""

from libs.common.contracts.notifier import EndpointHealth, Gap, WebhookEndpoint
from services.notifier.endpoints.domain import Endpoint


def endpoint_view(
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
