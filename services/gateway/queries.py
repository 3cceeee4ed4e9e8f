"""What we can be told: reads only."""

from uuid import UUID

from services.gateway.domain import Attempt
from services.gateway.store import AttemptStore, OpenOutcomes


class Queries:
    """Questions about attempts."""

    def __init__(self, store: AttemptStore) -> None:
        self._store = store

    async def attempts_of(self, *, tenant_id: str, payment_intent_id: UUID) -> list[Attempt]:
        """What was asked of the processor for one payment intent, oldest first; empty for somebody else's."""
        return await self._store.of_intent(tenant_id=tenant_id, payment_intent_id=payment_intent_id)

    async def open_outcomes(self) -> OpenOutcomes:
        """How many attempts have no outcome, and how many of them need a person."""
        return await self._store.count_open()
