"""What we can be told: reads only."""

from uuid import UUID

from libs.common.contracts.gateway_requests import (
    AttemptList,
    AttemptRecord,
    GatewayConfigList,
    ListAttempts,
    ListGatewayConfigs,
    ListProcessorEvents,
    ProcessorEventList,
)
from services.gateway.configs import shown
from services.gateway.domain import Attempt
from services.gateway.store import AttemptStore, ConfigStore, EventStore, OpenOutcomes, WaitingEvents

EVENTS_MAX = 500
"""Events that one list has at most."""


class Queries:
    """Questions about attempts, configurations and events."""

    def __init__(self, store: AttemptStore, *, configs: ConfigStore, events: EventStore) -> None:
        self._store = store
        self._configs = configs
        self._events = events

    async def attempts_of(self, *, tenant_id: str, payment_intent_id: UUID) -> list[Attempt]:
        """What was asked of the processor for one payment intent, oldest first; empty for somebody else's."""
        return await self._store.of_intent(tenant_id=tenant_id, payment_intent_id=payment_intent_id)

    async def attempts(self, request: ListAttempts) -> AttemptList:
        """What was asked of processors for a payment, as the api may show it."""
        found = await self.attempts_of(tenant_id=request.tenant_id, payment_intent_id=request.payment_intent_id)
        return AttemptList(attempts=[_record(attempt) for attempt in found])

    async def configs(self, request: ListGatewayConfigs) -> GatewayConfigList:
        """Through which processors a tenant charges, newest first; deleted ones are not shown."""
        found = await self._configs.of_tenant(request.tenant_id)
        return GatewayConfigList(configs=[shown(config) for config in found if config.deleted_at is None])

    async def events(self, request: ListProcessorEvents) -> ProcessorEventList:
        """What processors told about a tenant's accounts, newest first."""
        limit = max(1, min(request.limit, EVENTS_MAX))
        found = await self._events.list(tenant_id=request.tenant_id, statuses=request.statuses, limit=limit)
        return ProcessorEventList(events=[*found])

    async def open_outcomes(self) -> OpenOutcomes:
        """How many attempts have no outcome, and how many of them need a person."""
        return await self._store.count_open()

    async def waiting_events(self) -> WaitingEvents:
        """How many events wait, and how many fit nothing."""
        return await self._events.count()


def _record(attempt: Attempt) -> AttemptRecord:
    return AttemptRecord(
        id=attempt.id,
        operation=attempt.operation,
        processor=attempt.processor,
        status=attempt.status,
        amount_minor=attempt.amount_minor,
        currency=attempt.currency,
        gateway_ref=attempt.result_ref or attempt.gateway_ref,
        reason=attempt.reason,
        detail=attempt.detail,
        asks=attempt.asks,
        created_at=attempt.created_at,
        asked_at=attempt.asked_at,
        next_ask_at=attempt.next_ask_at,
        decided_at=attempt.decided_at,
    )
