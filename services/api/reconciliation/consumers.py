"""What is handled of reconciliation: what runs have found is announced to other teams and to webhooks."""

from collections.abc import Sequence

from libs.common.contracts.api import DiscrepancyFound
from libs.common.contracts.gateway_reconciliation import DiscrepanciesFound
from libs.common.db import Connection
from libs.common.ids import derived_id
from libs.common.messaging import Bus, Publication, Received, publish


class ReconciliationConsumers:
    """Handles what the gateway says of reconciliation."""

    def register(self, bus: Bus) -> None:
        """Handle every message of this subject."""
        bus.handle(DiscrepanciesFound, self.on_discrepancies_found)

    async def on_discrepancies_found(self, tx: Connection, events: Sequence[Received[DiscrepanciesFound]]) -> None:
        """Announce what runs have found, once for each run."""
        await publish(tx, [_announced(event) for event in events])


def _announced(event: Received[DiscrepanciesFound]) -> Publication:
    event_id = derived_id(event.id, "reconciliation.discrepancy_found")
    message = DiscrepancyFound(
        event_id=event_id,
        occurred_at=event.occurred_at,
        tenant_id=event.tenant_id,
        correlation_id=event.correlation.correlation_id,
        run_id=event.body.run_id,
        discrepancy_count=event.body.discrepancy_count,
        types=event.body.types,
    )
    return Publication.of(message, occurred_at=event.occurred_at, correlation=event.correlation, event_id=event_id)
