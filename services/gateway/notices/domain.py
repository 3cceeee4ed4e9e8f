"""What is always true of a dispute."""

from datetime import datetime
from uuid import UUID

import msgspec

from services.gateway.processors.port import DisputeState


class Dispute(msgspec.Struct, frozen=True, kw_only=True):
    """A dispute, as we remember it."""

    tenant_id: str
    """Whose payment it is."""
    id: UUID
    """Derived from the processor's reference: the same dispute, reported again, is the same."""
    payment_intent_id: UUID
    """The payment."""
    processor: str
    """Who reported it."""
    gateway_ref: str
    """The processor's reference of it."""
    state: DisputeState
    """How far it is."""
    amount_minor: int
    """The disputed amount, in minor units."""
    currency: str
    """ISO 4217 code, upper case."""
    reason: str
    """The bank's reason, as a word."""
    opened_at: datetime
    """When, in the processor's words."""
    evidence_due_at: datetime | None
    """Until when the merchant may answer, where the processor names it."""
    decided_at: datetime | None
    """When it was won or lost, by the last decision."""
    reversals: int = 0
    """How often the bank has reversed its decision."""

    @property
    def decisions(self) -> list[DisputeState]:
        """All decisions of the bank, in their order: each is the opposite of the one before."""
        if self.state is DisputeState.OPEN:
            return []
        other = DisputeState.LOST if self.state is DisputeState.WON else DisputeState.WON
        return [self.state if (self.reversals - n) % 2 == 0 else other for n in range(self.reversals + 1)]
