"""What is handled of discrepancies: the requests of the api."""

from libs.common.clock import Clock
from libs.common.contracts.gateway_decisions import DECISIONS, DiscrepancyDecision
from libs.common.contracts.gateway_reconciliation import (
    DecideDiscrepancies,
    Discrepancy,
    DiscrepancyHistory,
    DiscrepancyPage,
    GetDiscrepancy,
    ListDiscrepancies,
)
from libs.common.db import Database
from libs.common.messaging import Bus
from services.gateway.reconciliation.discrepancies import commands, queries


class DiscrepancyConsumers:
    """Answers requests about discrepancies."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def register(self, bus: Bus) -> None:
        """Answer every request of this subject."""
        bus.answer(ListDiscrepancies, self.on_list_discrepancies)
        bus.answer(GetDiscrepancy, self.on_get_discrepancy)
        bus.answer(DecideDiscrepancies, self.on_decide_discrepancies)
        for kind in DECISIONS:
            bus.answer(kind, self.on_decision)

    async def on_list_discrepancies(self, request: ListDiscrepancies) -> DiscrepancyPage:
        """List what does not agree."""
        return await queries.list_page(self._database, request)

    async def on_get_discrepancy(self, request: GetDiscrepancy) -> DiscrepancyHistory:
        """Show one discrepancy with its history."""
        return await queries.show(self._database, request)

    async def on_decide_discrepancies(self, request: DecideDiscrepancies) -> DiscrepancyPage:
        """Carry out what a person decides."""
        return DiscrepancyPage(discrepancies=await commands.decide(self._database, request, clock=self._clock))

    async def on_decision(self, request: DiscrepancyDecision) -> Discrepancy:
        """Carry out what a person decides about one."""
        decided = await commands.decide(
            self._database,
            DecideDiscrepancies(
                tenant_id=request.tenant_id,
                discrepancy_ids=(request.discrepancy_id,),
                decision=DECISIONS[type(request)],
                actor=request.actor,
                assignee=request.assignee,
                reason=request.reason,
                note=request.note,
            ),
            clock=self._clock,
        )
        return decided[0]
