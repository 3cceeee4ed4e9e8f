"""What other services report is written into the audit log."""

from collections.abc import Sequence
from hashlib import sha256

from libs.common.contracts.ledger_books import BooksSigned, InvariantBroken
from libs.common.db import Connection
from libs.common.messaging import Received
from services.api.audit.domain import AuditRecord
from services.api.audit.sql import write_lines
from services.api.http.callers import PLATFORM_TENANT


async def record_broken_invariants(tx: Connection, events: Sequence[Received[InvariantBroken]]) -> None:
    """Write a line for each invariant that the ledger found broken."""
    await write_lines(tx, [_line_of(event) for event in events])


async def record_signed_books(tx: Connection, events: Sequence[Received[BooksSigned]]) -> None:
    """Write a line for each statement of where the ledger's chains end: a copy that the ledger's roles cannot change.

    In the log of the platform's own tenant, whose operators read it.
    """
    await write_lines(tx, [_signed_line_of(event) for event in events])


def _signed_line_of(event: Received[BooksSigned]) -> AuditRecord:
    return AuditRecord(
        tenant_id=PLATFORM_TENANT,
        id=event.id,
        actor="ledger",
        action="ledger.books_signed",
        target=str(event.body.number),
        outcome="success",
        detail={
            "sha256": sha256(event.body.statement.encode()).hexdigest(),
            **{f"signature_{key_id}": signature for key_id, signature in event.body.signatures.items()},
        },
        correlation_id=event.correlation.correlation_id,
        at=event.body.signed_at,
    )


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
