"""The messages about a statement. The id of each event is derived: published again, it is the same event."""

from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.contracts.gateway import RefundFailed, RefundSucceeded
from libs.common.contracts.gateway_movements import (
    Direction,
    MovementAvailable,
    MovementFee,
    MovementKind,
    MovementMessage,
    MovementRecorded,
    PayoutDebited,
)
from libs.common.contracts.gateway_payouts import PayoutMessage, PayoutPaid
from libs.common.ids import derived_id
from libs.common.messaging import Publication
from libs.common.observability.correlation import Correlation
from services.gateway.movements.domain import BankChange, Opening, RecordedMovement


def recorded(movement: RecordedMovement) -> Publication:
    """Report that something moved."""
    moved = movement.moved
    message = MovementRecorded(
        movement_id=movement.movement_id,
        gateway_ref=moved.ref,
        direction=_direction(moved.amount_minor),
        amount_minor=abs(moved.amount_minor),
        currency=moved.currency,
        happened_at=moved.created_at,
        kind=moved.kind,
        source_ref=moved.source_ref,
        payment_intent_id=movement.payment_intent_id,
        refund_id=movement.refund_id,
        fees=tuple(
            MovementFee(kind=kind, direction=_direction(-amount), amount_minor=abs(amount))
            for kind, amount in moved.fees
        ),
        source_amount_minor=None if moved.source_amount_minor is None else abs(moved.source_amount_minor),
        source_currency=moved.source_currency,
        exchange_rate=moved.exchange_rate,
    )
    return _publication(message, tenant_id=movement.tenant_id)


def adopted(movement: RecordedMovement) -> Publication | None:
    """Report a refund that nobody requested from us, or that it came back; None for anything else.

    Its money has left the account: one that is still pending counts as given until it comes back.
    """
    moved = movement.moved
    if not movement.is_adopted or movement.payment_intent_id is None or movement.refund_id is None:
        return None
    named: dict[str, Any] = {
        "payment_intent_id": movement.payment_intent_id,
        "refund_id": movement.refund_id,
        "amount_minor": abs(moved.amount_minor if moved.source_amount_minor is None else moved.source_amount_minor),
        "currency": moved.source_currency or moved.currency,
        "by_statement": True,
    }
    message: RefundSucceeded | RefundFailed
    if moved.kind is MovementKind.REFUND:
        message = RefundSucceeded(**named, gateway_ref=moved.source_ref, refunded_at=moved.created_at, is_adopted=True)
    else:
        message = RefundFailed(
            **named,
            reason="processor_refused",
            detail="The refund did not reach the customer.",
            after_success=True,
            failed_at=moved.created_at,
        )
    return Publication(
        event_id=derived_id(movement.refund_id, f"{message.contract.name}:{movement.tenant_id}"),
        message=message,
        occurred_at=moved.created_at,
        correlation=Correlation(correlation_id=moved.ref, tenant_id=movement.tenant_id),
    )


def opened(opening: Opening, *, tenant_id: str, account_id: str, at: datetime) -> list[Publication]:
    """Report what stood on an account already: all of it, and how much of that can be paid out."""
    total = opening.pending_minor + opening.available_minor
    message = MovementRecorded(
        movement_id=opening.movement_id,
        gateway_ref=account_id,
        direction=_direction(total),
        amount_minor=abs(total),
        currency=opening.currency,
        happened_at=at,
        kind=MovementKind.OPENING,
        source_ref="",
    )
    can_be_paid_out = available(
        tenant_id=tenant_id,
        movement_id=opening.movement_id,
        ref=account_id,
        net_minor=opening.available_minor,
        currency=opening.currency,
        at=at,
    )
    recorded_ = [_publication(message, tenant_id=tenant_id)]
    return recorded_ if can_be_paid_out is None else [*recorded_, can_be_paid_out]


def available(
    *, tenant_id: str, movement_id: UUID, ref: str, net_minor: int, currency: str, at: datetime
) -> Publication | None:
    """Report that the processor can pay out what a movement brought; None where it brought nothing."""
    if net_minor == 0:
        return None
    message = MovementAvailable(
        movement_id=movement_id,
        gateway_ref=ref,
        direction=_direction(net_minor),
        amount_minor=abs(net_minor),
        currency=currency,
        happened_at=at,
    )
    return _publication(message, tenant_id=tenant_id)


def available_of(movement: RecordedMovement) -> Publication | None:
    """Report that the processor can pay out what a movement brought; None where it cannot yet, or it brought nothing."""
    moved = movement.moved
    if not moved.is_available:
        return None
    return available(
        tenant_id=movement.tenant_id,
        movement_id=movement.movement_id,
        ref=moved.ref,
        net_minor=moved.net_minor,
        currency=moved.currency,
        at=moved.available_at,
    )


def at_bank(
    change: BankChange,
    *,
    tenant_id: str,
    payout_id: UUID,
    ref: str,
    amount_minor: int,
    currency: str,
    at: datetime,
) -> Publication:
    """Report what happened to a payout at the bank."""
    kind: type[PayoutMessage] = PayoutPaid if change is BankChange.CREDITED else PayoutDebited
    message = kind(
        payout_id=payout_id, amount_minor=abs(amount_minor), currency=currency, gateway_ref=ref, happened_at=at
    )
    return Publication(
        event_id=derived_id(payout_id, f"{message.contract.name}:{tenant_id}"),
        message=message,
        occurred_at=at,
        correlation=Correlation(correlation_id=ref, tenant_id=tenant_id),
    )


def _publication(message: MovementMessage, *, tenant_id: str) -> Publication:
    return Publication(
        event_id=derived_id(message.movement_id, f"{message.contract.name}:{tenant_id}"),
        message=message,
        occurred_at=message.happened_at,
        correlation=Correlation(correlation_id=message.gateway_ref, tenant_id=tenant_id),
    )


def _direction(amount_minor: int) -> Direction:
    return Direction.IN if amount_minor >= 0 else Direction.OUT
