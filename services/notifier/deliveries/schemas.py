"""What merchants receive about an event, and how a delivery is shown to its tenant."""

from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from libs.common.contracts import PublicEvent
from libs.common.contracts.notifier import TEST_EVENT, Delivery, DeliveryAttempt, TestData, WebhookBody


def webhook_body(event: PublicEvent) -> str:
    """Write the body that merchants receive about `event`."""
    body = WebhookBody(
        id=event.event_id,
        type=event.contract.name,
        timestamp=event.occurred_at,
        version=event.version,
        tenant_id=event.tenant_id,
        data=event,
    )
    return msgspec.json.encode(body).decode()


def webhook_test_body(*, tenant_id: str, endpoint_id: UUID, event_id: UUID, now: datetime) -> str:
    """Write the body of a test event."""
    body = WebhookBody(
        id=event_id,
        type=TEST_EVENT,
        timestamp=now,
        version=1,
        tenant_id=tenant_id,
        data=TestData(event_id=event_id, occurred_at=now, tenant_id=tenant_id, endpoint_id=endpoint_id),
    )
    return msgspec.json.encode(body).decode()


def delivery_view(row: asyncpg.Record, attempts: list[DeliveryAttempt], *, body: str | None = None) -> Delivery:
    """Show a delivery with its attempts, and with what is sent where that was read."""
    return Delivery(
        id=row["id"],
        endpoint_id=row["endpoint_id"],
        event_id=row["event_id"],
        event_type=row["event_type"],
        status=row["status"],
        created_at=row["created_at"],
        next_attempt_at=row["next_attempt_at"],
        ended_at=row["ended_at"],
        end_reason=row["end_reason"],
        replays=row["replays"],
        attempts=attempts,
        body=body,
    )


def attempt_view(row: asyncpg.Record) -> DeliveryAttempt:
    """Show one attempt."""
    return DeliveryAttempt(
        number=row["number"],
        attempted_at=row["attempted_at"],
        duration_ms=row["duration_ms"],
        status_code=row["status_code"],
        error=row["error"],
        response_excerpt=row["response_excerpt"],
    )
