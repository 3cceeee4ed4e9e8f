"""The body of a webhook, as merchants receive it."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from libs.common.contracts.base import PublicEvent
from libs.common.contracts.notifier.endpoints import EXAMPLE_ENDPOINT_ID, EXAMPLE_TENANT

TEST_EVENT = "webhook.test"
"""The event that a tenant sends to an endpoint of its own to see whether it arrives."""

TEST_EXAMPLE: dict[str, Any] = EXAMPLE_TENANT | {
    "event_id": "0190f3a4-5b6c-7d8e-9f01-23456789abd4",
    "occurred_at": "2026-11-22T17:57:07.701598Z",
    "endpoint_id": EXAMPLE_ENDPOINT_ID,
    "note": "A test: no payment changed.",
}
"""A test event, as plain data."""


class TestData(msgspec.Struct, frozen=True, kw_only=True):
    """What a test event tells."""

    __test__ = False

    event_id: UUID
    """The event."""
    occurred_at: datetime
    """When it was requested."""
    tenant_id: str
    """The tenant."""
    endpoint_id: UUID
    """The endpoint under test."""
    note: str = "A test: no payment changed."
    """For people."""


class WebhookBody(msgspec.Struct, frozen=True, kw_only=True):
    """What a merchant receives: `{id, type, timestamp, version, tenant_id, data}`, the shape of Standard Webhooks.

    `data` is the event exactly as other teams read it on `payments.x`, so one parser serves both.
    """

    id: UUID
    """The event, also the `webhook-id` header: the same on every attempt and at every endpoint. Dedupe by it."""
    type: str
    """The event's name: `payment.settled`."""
    timestamp: datetime
    """When it happened, RFC 3339 in UTC; not when it was sent."""
    version: int
    """Raised only when a field changes its meaning; fields may be added at any time."""
    tenant_id: str
    """The tenant it happened to."""
    data: PublicEvent | TestData
    """The event's own fields, flat, in snake_case."""


__all__ = ["TEST_EVENT", "TEST_EXAMPLE", "TestData", "WebhookBody"]
