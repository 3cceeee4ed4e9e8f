"""What is written beside every decision: the lines of its timeline and of the audit log."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from libs.common.contracts.gateway import CaptureReported
from libs.common.ids import new_id
from libs.common.messaging import Publication, Received
from libs.common.observability.correlation import Correlation
from services.api.audit import AuditRecord
from services.api.payments.commands.reports import Report
from services.api.payments.domain import PaymentIntent, TimelineEvent


def events_of(
    intent: PaymentIntent, publications: Sequence[Publication], *, actor: str, cause_id: UUID | None
) -> list[TimelineEvent]:
    """Return a line of the timeline for each message about an intent."""
    return [
        TimelineEvent(
            tenant_id=intent.tenant_id,
            payment_intent_id=intent.id,
            id=publication.event_id,
            type=publication.message.contract.name,
            status=intent.status.value,
            actor=actor,
            cause_id=cause_id,
            correlation_id=publication.correlation.correlation_id,
            occurred_at=publication.occurred_at,
        )
        for publication in publications
    ]


def given_back_twice(intent: PaymentIntent, report: Report, *, at: datetime) -> TimelineEvent:
    """Return the line of the timeline for a refund and a dispute of the same money; no message is published about it."""
    return TimelineEvent(
        tenant_id=intent.tenant_id,
        payment_intent_id=intent.id,
        id=new_id(at),
        type="payment.given_back_twice",
        status=intent.status.value,
        actor=report.actor,
        cause_id=report.message_id,
        correlation_id=report.correlation.correlation_id,
        occurred_at=at,
    )


def audit_of(
    intent: PaymentIntent,
    action: str,
    *,
    actor: str,
    correlation: Correlation,
    at: datetime,
    detail: dict[str, str] | None = None,
) -> AuditRecord:
    """Return the line of the audit log for what a client did to an intent."""
    return AuditRecord(
        tenant_id=intent.tenant_id,
        id=new_id(at),
        actor=actor,
        action=action,
        target=str(intent.id),
        outcome="success",
        detail=detail or {},
        correlation_id=correlation.correlation_id,
        at=at,
    )


def capture_unknown(event: Received[CaptureReported], *, at: datetime) -> AuditRecord:
    """Return the line of the audit log for a capture that was published, and that the gateway's records do not have."""
    return AuditRecord(
        tenant_id=event.tenant_id,
        id=event.id,
        actor="gateway",
        action="payment.capture_unknown",
        target=str(event.body.payment_intent_id),
        outcome="failed",
        detail={"detail": "a capture was published that neither the api requested nor the gateway's records have"},
        correlation_id=event.correlation.correlation_id,
        at=at,
    )
