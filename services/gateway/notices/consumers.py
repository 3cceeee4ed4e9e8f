"""What is handled of processors' events and references: the requests of the api to list and to find."""

from libs.common.contracts.gateway_requests import (
    FindPaymentsByReference,
    ListProcessorEvents,
    PaymentsOfReference,
    ProcessorEventList,
)
from libs.common.db import Database
from libs.common.messaging import Bus
from services.gateway.notices import queries
from services.gateway.notices.sql import EventStore


class NoticeConsumers:
    """Answers requests about events and references."""

    def __init__(self, store: EventStore, *, database: Database) -> None:
        self._store = store
        self._database = database

    def register(self, bus: Bus) -> None:
        """Answer every request of this subject."""
        bus.answer(ListProcessorEvents, self.on_list_processor_events)
        bus.answer(FindPaymentsByReference, self.on_find_payments)

    async def on_list_processor_events(self, request: ListProcessorEvents) -> ProcessorEventList:
        """List what processors reported about a tenant's accounts."""
        return await queries.list_events(self._store, request)

    async def on_find_payments(self, request: FindPaymentsByReference) -> PaymentsOfReference:
        """Find the payments that a processor's reference is about."""
        return await queries.find_payments(self._database, request)
