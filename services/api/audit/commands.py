"""What other services report is written into the audit log."""

from collections.abc import Sequence

from libs.common.contracts.ledger_books import InvariantBroken
from libs.common.db import Connection
from libs.common.messaging import Received
from services.api.audit.domain import AuditRecord
from services.api.audit.sql import write_lines


async def record_broken_invariants(tx: Connection, events: Sequence[Received[InvariantBroken]]) -> None:
    """Write a line for each invariant that the ledger found broken."""
    await write_lines(tx, [_line_of(event) for event in events])


def _line_of(event: Received[InvariantBroken]) -> AuditRecord:
    return AuditRecord(
        tenant_id=event.tenant_id,
        id=event.id,
        actor="ledger",
        action="ledger.invariant_broken",
        target=event.body.subject,
        outcome="failed",
        detail={"invariant": event.body.invariant, "detail": event.body.detail},
        correlation_id=event.correlation.correlation_id,
        at=event.body.found_at,
    )
