"""Reads of processors' events."""

from libs.common.contracts.gateway_requests import ListProcessorEvents, ProcessorEventList
from services.gateway.notices.sql import EventStore

EVENTS_MAX = 500
"""Events that one list has at most."""


async def list_events(store: EventStore, request: ListProcessorEvents) -> ProcessorEventList:
    """List what processors reported about a tenant's accounts, newest first."""
    limit = max(1, min(request.limit, EVENTS_MAX))
    events = await store.list(tenant_id=request.tenant_id, statuses=request.statuses, limit=limit)
    return ProcessorEventList(events=[*events])
