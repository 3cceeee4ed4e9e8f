"""What is handled of deliveries: every public event, and requests for their history."""

from collections.abc import Sequence
from datetime import timedelta

from libs.common.clock import Clock
from libs.common.contracts import PublicEvent, handled_by
from libs.common.contracts.notifier import DeliveryPage, ListDeliveries
from libs.common.db import Connection, Database
from libs.common.messaging import Bus, Received
from services.notifier.deliveries import commands, queries
from services.notifier.deliveries.domain import RetryPolicy


class DeliveryConsumers:
    """Handles what concerns deliveries."""

    def __init__(self, database: Database, *, policy: RetryPolicy, ordering_wait: timedelta, clock: Clock) -> None:
        self._database = database
        self._policy = policy
        self._ordering_wait = ordering_wait
        self._clock = clock

    def register(self, bus: Bus) -> None:
        """Subscribe to every public event, so that a new one needs no line here, and answer requests."""
        for kind in handled_by("notifier"):
            if issubclass(kind, PublicEvent):
                bus.handle(kind, self.on_public_event)
        bus.answer(ListDeliveries, self.on_list_deliveries)

    async def on_public_event(self, tx: Connection, events: Sequence[Received[PublicEvent]]) -> None:
        """Schedule deliveries for the endpoints that list the event."""
        await commands.schedule(tx, events, policy=self._policy, clock=self._clock, ordering_wait=self._ordering_wait)

    async def on_list_deliveries(self, request: ListDeliveries) -> DeliveryPage:
        """Show a page of the history."""
        return await queries.list_deliveries(self._database, request)
