"""Messages that the audit log keeps."""

from collections.abc import Sequence

from libs.common.contracts.ledger_books import BooksSigned, InvariantBroken
from libs.common.db import Connection
from libs.common.messaging import Bus, Received
from services.api.audit import commands


class AuditConsumers:
    """Handles what the audit log keeps."""

    def register(self, bus: Bus) -> None:
        """Handle every message of this subject."""
        bus.handle(InvariantBroken, self.on_invariant_broken)
        bus.handle(BooksSigned, self.on_books_signed)

    async def on_invariant_broken(self, tx: Connection, events: Sequence[Received[InvariantBroken]]) -> None:
        """Write each broken invariant of the books into the log of the tenant it concerns."""
        await commands.record_broken_invariants(tx, events)

    async def on_books_signed(self, tx: Connection, events: Sequence[Received[BooksSigned]]) -> None:
        """Write where the ledger's chains ended into the log."""
        await commands.record_signed_books(tx, events)
