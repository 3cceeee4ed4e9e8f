"""Reads of webhook endpoints."""

from datetime import datetime

from libs.common.clock import Clock
from libs.common.contracts.notifier import EndpointHealth, EndpointList, GetEndpoint, ListEndpoints, WebhookEndpoint
from libs.common.contracts.notifier.errors import EndpointNotFound
from libs.common.db import Database
from services.notifier import deliveries
from services.notifier.deliveries import Gate, HealthPolicy, Tally, disables_at, gates
from services.notifier.endpoints import sql
from services.notifier.endpoints.domain import Endpoint
from services.notifier.endpoints.schemas import endpoint_view


async def list_endpoints(database: Database, request: ListEndpoints) -> EndpointList:
    """List a tenant's endpoints, newest first, without their secrets."""
    async with database.connection() as connection:
        endpoints = await sql.list_of(connection, tenant_id=request.tenant_id)
    return EndpointList(endpoints=[endpoint_view(endpoint) for endpoint in endpoints])


async def get_endpoint(
    database: Database, request: GetEndpoint, *, policy: HealthPolicy, clock: Clock
) -> WebhookEndpoint:
    """One endpoint with its health.

    Raises:
        EndpointNotFound: when the tenant has no such endpoint, or no longer.
    """
    tenant_id, endpoint_id = request.tenant_id, request.endpoint_id
    async with database.connection() as connection:
        existing = await sql.find(connection, tenant_id=tenant_id, endpoint_id=endpoint_id)
        if existing is None or existing[1]:
            raise EndpointNotFound("webhook endpoint not found")
        gate = await gates.find(connection, tenant_id=tenant_id, endpoint_id=endpoint_id)
        tally = await deliveries.tally(connection, tenant_id=tenant_id, endpoint_id=endpoint_id)
    return endpoint_view(existing[0], health=_health(existing[0], gate, tally, policy=policy, now=clock.now()))


def _health(endpoint: Endpoint, gate: Gate, tally: Tally, *, policy: HealthPolicy, now: datetime) -> EndpointHealth:
    if not endpoint.is_active:
        status = "disabled"
    elif gate.paused_until is not None:
        status = "paused"
    else:
        status = "failing" if gate.failures else "healthy"
    since = gate.failing_since
    return EndpointHealth(
        status=status,
        consecutive_failures=gate.failures,
        failing_since=since,
        last_error=gate.last_error,
        paused_until=gate.paused_until if endpoint.is_active else None,
        disables_at=max(now, disables_at(policy, gate, now=now)) if since is not None and endpoint.is_active else None,
        waiting=tally.waiting,
        delivered_recently=tally.delivered,
        failed_recently=tally.failed,
    )
