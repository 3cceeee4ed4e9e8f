"""What callers change, and what other services report, is written into the audit log."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

from libs.common.contracts.ledger_books import BooksSigned, InvariantBroken
from libs.common.db import Connection
from libs.common.ids import new_id
from libs.common.messaging import Received
from services.api.audit.domain import AuditRecord
from services.api.audit.sql import write_lines, write_sealed_line
from services.api.http.callers import PLATFORM_TENANT, Caller


async def record_change(
    tx: Connection,
    caller: Caller,
    action: str,
    target: str,
    *,
    at: datetime,
    tenant_id: str = "",
    outcome: str = "success",
    **detail: str,
) -> None:
    """Write a sealed line for what a caller changed of who may do what, in the transaction of the change.

    Args:
        tx: the transaction.
        caller: who changed it.
        action: what was done.
        target: to what.
        at: when.
        tenant_id: whose log it is; empty: that of the caller's tenant.
        outcome: as in `AuditRecord`.
        detail: whatever else explains it; never a secret.
    """
    line = AuditRecord(
        tenant_id=tenant_id or caller.tenant_id,
        id=new_id(at),
        actor=caller.actor,
        action=action,
        target=target,
        outcome=outcome,
        detail=detail,
        correlation_id=caller.correlation.correlation_id,
        at=at,
    )
    await write_sealed_line(tx, line)


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
