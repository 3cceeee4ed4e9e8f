"""What is handled of integrity: settled payments and completed refunds, and requests for what was verified."""

from collections.abc import Sequence

from libs.common.contracts import api
from libs.common.contracts.ledger_books import GetVerification, Verification
from libs.common.db import Connection
from libs.common.messaging import Bus, Received
from services.ledger.integrity.commands.reconciliation import Reconciliation
from services.ledger.integrity.commands.verification import Verifier


class IntegrityConsumers:
    """Handles what concerns the proof of the books."""

    def __init__(self, reconciliation: Reconciliation, verifier: Verifier) -> None:
        self._reconciliation = reconciliation
        self._verifier = verifier

    def register(self, bus: Bus) -> None:
        """Subscribe to what the api publishes of payments, and answer requests."""
        bus.handle(api.PaymentSettled, self.on_payment_settled)
        bus.handle(api.PaymentRefunded, self.on_payment_refunded)
        bus.answer(GetVerification, self.on_get_verification)

    async def on_payment_settled(self, tx: Connection, events: Sequence[Received[api.PaymentSettled]]) -> None:
        """Note settled payments, to compare them with their captures."""
        await self._reconciliation.expect_captures(tx, events)

    async def on_payment_refunded(self, tx: Connection, events: Sequence[Received[api.PaymentRefunded]]) -> None:
        """Note completed refunds, to compare them with their entries."""
        await self._reconciliation.expect_refunds(tx, events)

    async def on_get_verification(self, request: GetVerification) -> Verification:
        """Show how far the books were verified, and what was found."""
        return await self._verifier.show(request.tenant_id)
