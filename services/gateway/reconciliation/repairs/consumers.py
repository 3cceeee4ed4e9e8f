"""What is handled of repairs: the request of the api."""

from libs.common.contracts.gateway_decisions import RepairDiscrepancy
from libs.common.contracts.gateway_reconciliation import Discrepancy
from libs.common.messaging import Bus
from services.gateway.reconciliation.repairs.commands import Repairing


class RepairConsumers:
    """Answers requests to repair."""

    def __init__(self, repairing: Repairing) -> None:
        self._repairing = repairing

    def register(self, bus: Bus) -> None:
        """Answer the request."""
        bus.answer(RepairDiscrepancy, self.on_repair_discrepancy)

    async def on_repair_discrepancy(self, request: RepairDiscrepancy) -> Discrepancy:
        """Do what is safe, or wait for an entry."""
        return await self._repairing.repair(request)
