"""The messages that report how disputes stand. The id of each event is derived: published again, it is the same event."""

from datetime import datetime
from typing import Any, assert_never

from libs.common.contracts.gateway import (
    DisputeLost,
    DisputeOpened,
    DisputeWon,
    InquiryClosed,
    InquiryOpened,
)
from libs.common.contracts.gateway_base import PaymentMessage
from libs.common.contracts.gateway_movements import DisputeAmountChanged
from libs.common.ids import derived_id
from libs.common.messaging import Publication
from libs.common.observability.correlation import Correlation
from services.gateway.notices.domain import Dispute
from services.gateway.processors.port import DisputeState
from services.gateway.processors.port.reading import has_statement


def dispute(
    dispute: Dispute, *, state: DisputeState, at: datetime, correlation: Correlation, reversals: int = 0
) -> Publication:
    """Report that a dispute has come to a state; a decision is the first one or one after `reversals`."""
    common: dict[str, Any] = {
        "payment_intent_id": dispute.payment_intent_id,
        "amount_minor": dispute.amount_minor,
        "currency": dispute.currency,
        "dispute_id": dispute.id,
        "gateway_ref": dispute.gateway_ref,
        "happened_at": at,
        "by_statement": has_statement(dispute.processor),
    }
    message: PaymentMessage
    match state:
        case DisputeState.OPEN:
            message = DisputeOpened(**common, reason=dispute.reason, evidence_due_at=dispute.evidence_due_at)
        case DisputeState.WON:
            message = DisputeWon(**common, reversals=reversals)
        case DisputeState.LOST:
            message = DisputeLost(**common, reversals=reversals)
        case DisputeState.INQUIRY:
            message = InquiryOpened(**common, reason=dispute.reason, evidence_due_at=dispute.evidence_due_at)
        case DisputeState.INQUIRY_CLOSED:
            message = InquiryClosed(**common)
        case _:
            assert_never(state)
    name = f"{message.contract.name}:{reversals}" if reversals else message.contract.name
    event_id = derived_id(dispute.id, f"{name}:{dispute.tenant_id}")
    return Publication(event_id=event_id, message=message, occurred_at=at, correlation=correlation)


def amount_changed(dispute: Dispute, *, was_minor: int, at: datetime, correlation: Correlation) -> Publication:
    """Report that a bank disputes another amount than before."""
    message = DisputeAmountChanged(
        payment_intent_id=dispute.payment_intent_id,
        amount_minor=dispute.amount_minor,
        currency=dispute.currency,
        dispute_id=dispute.id,
        gateway_ref=dispute.gateway_ref,
        happened_at=at,
        by_statement=has_statement(dispute.processor),
        was_minor=was_minor,
    )
    name = f"{message.contract.name}:{was_minor}:{dispute.amount_minor}:{at.isoformat()}"
    event_id = derived_id(dispute.id, f"{name}:{dispute.tenant_id}")
    return Publication(event_id=event_id, message=message, occurred_at=at, correlation=correlation)
