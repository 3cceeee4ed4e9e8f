"""What is handled of processors' events: the request of the api to list them."""

from libs.common.contracts.gateway_requests import ListProcessorEvents, ProcessorEventList
from libs.common.messaging import Bus
from services.gateway.notices import queries
from services.gateway.notices.sql import EventStore


class NoticeConsumers:
    """Answers requests about events."""

    def __init__(self, store: EventStore) -> None:
        self._store = store

    def register(self, bus: Bus) -> None:
        """Answer every request of this subject."""
        bus.answer(ListProcessorEvents, self.on_list_processor_events)

    async def on_list_processor_events(self, request: ListProcessorEvents) -> ProcessorEventList:
        """List what processors reported about a tenant's accounts."""
        return await queries.list_events(self._store, request)
