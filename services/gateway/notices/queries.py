"""Reads of processors' events."""

from libs.common.contracts.gateway_requests import (
    FindPaymentsByReference,
    ListProcessorEvents,
    PaymentsOfReference,
    ProcessorEventList,
)
from libs.common.db import Database
from services.gateway.notices.sql import EventStore
from services.gateway.notices.sql.references import payments_of_reference

EVENTS_MAX = 500
"""Events that one list has at most."""
PAYMENTS_MAX = 50
"""Payments of one reference at most; mostly it is one."""


async def list_events(store: EventStore, request: ListProcessorEvents) -> ProcessorEventList:
    """List what processors reported about a tenant's accounts, newest first."""
    limit = max(1, min(request.limit, EVENTS_MAX))
    events = await store.list(tenant_id=request.tenant_id, statuses=request.statuses, limit=limit)
    return ProcessorEventList(events=[*events])


async def find_payments(database: Database, request: FindPaymentsByReference) -> PaymentsOfReference:
    """Find the payments that a processor's reference is about."""
    found = await payments_of_reference(
        database, tenant_id=request.tenant_id, reference=request.reference, limit=PAYMENTS_MAX
    )
    return PaymentsOfReference(payment_intent_ids=found)
