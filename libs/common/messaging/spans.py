"""The spans of messages: one where a message is sent, one where each of its events is handled. Used only where traces are on."""

from collections.abc import Mapping, Sequence
from time import time, time_ns
from typing import Any
from uuid import UUID

from libs.common.messaging.envelope import Received
from libs.common.messaging.shipments import Shipment
from libs.common.observability import tracing
from libs.common.observability.tracing import SpanKind


def handled(events: Sequence[Received[Any]], *, queue: str, started_ns: int, outcome: str, reason: str = "") -> None:
    """Record the handling of events that were handled together, of each in its own trace; `reason` is why it failed."""
    ended_ns = time_ns()
    for event in events:
        if not tracing.is_sampled(event.correlation.traceparent):
            continue
        tracing.record(
            f"process {queue}",
            kind=SpanKind.CONSUMER,
            traceparent=event.correlation.traceparent,
            parent=event.parent,
            started_ns=started_ns,
            ended_ns=ended_ns,
            attributes={
                "messaging.destination.name": queue,
                "messaging.message.id": str(event.id),
                "messaging.batch.message_count": len(events),
                "attempt": event.attempt,
                "outcome": outcome,
                "correlation_id": event.correlation.correlation_id,
                "tenant_id": event.tenant_id,
                **_payment(getattr(event.body, "payment_intent_id", None)),
            },
            error=reason,
        )


def _payment(payment_intent_id: UUID | None) -> Mapping[str, str]:
    return {} if payment_intent_id is None else {"payment_intent_id": str(payment_intent_id)}


def begin_sending(plan: Sequence[Shipment]) -> list[Shipment]:
    """Give each event of each message a span of its own, below that of whoever published it."""
    return [shipment.traced({row["event_id"]: _sent(row["traceparent"]) for row in shipment.rows}) for shipment in plan]


def _sent(traceparent: str) -> str:
    # What was published without a trace begins one where it is handled.
    return tracing.child_traceparent(traceparent) if traceparent else ""


def sent(shipment: Shipment, *, started_ns: int) -> None:
    """Record that a message was sent and confirmed, for each of its events in its own trace."""
    ended_ns, now = time_ns(), time()
    for row in shipment.rows:
        traceparent = shipment.traceparent_of(row)
        if not tracing.is_sampled(traceparent):
            continue
        tracing.record(
            f"send {shipment.contract.name}",
            kind=SpanKind.PRODUCER,
            traceparent=traceparent,
            parent=row["traceparent"],
            started_ns=started_ns,
            ended_ns=ended_ns,
            attributes={
                "messaging.destination.name": shipment.destination,
                "messaging.message.id": str(row["event_id"]),
                "messaging.batch.message_count": len(shipment.rows),
                "outbox.age_ms": max(0, round((now - row["occurred_at"].timestamp()) * 1000)),
                "correlation_id": row["correlation_id"],
                "tenant_id": row["tenant_id"],
            },
        )
