"""What is always true of messages and deliveries."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from libs.common.ids import derived_id
from services.notifier.sending import Answer

type DeliveryKey = tuple[str, UUID, UUID]
"""Tenant, endpoint and event: the primary key of a delivery."""
type EndpointKey = tuple[str, UUID]
"""Tenant and endpoint."""


class DeliveryStatus(StrEnum):
    """How far the delivery of one event to one endpoint is."""

    PENDING = "PENDING"
    """It will be tried, now or later."""
    DELIVERED = "DELIVERED"
    """The endpoint answered 2xx."""
    FAILED = "FAILED"
    """It will not be tried again by itself; `EndReason` says why."""


class EndReason(StrEnum):
    """Why a delivery is over."""

    DELIVERED = "delivered"
    """The endpoint answered 2xx."""
    EXHAUSTED = "exhausted"
    """The last attempt of the retry schedule failed."""
    ENDPOINT_GONE = "endpoint_gone"
    """The endpoint answered 410 to this delivery."""
    ENDPOINT_DISABLED = "endpoint_disabled"
    """The endpoint was switched off while the delivery waited."""
    ENDPOINT_DELETED = "endpoint_deleted"
    """The endpoint was deleted while the delivery waited."""


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that belongs to this worker until its lease ends."""

    tenant_id: str
    """The tenant."""
    endpoint_id: UUID
    """The endpoint."""
    event_id: UUID
    """The event; the `webhook-id` of every attempt."""
    id: UUID
    """The delivery."""
    event_type: str
    """The event's name."""
    fence: int
    """The fencing token: an outcome is recorded only while the delivery still carries it."""
    attempts: int
    """Attempts recorded so far."""
    created_at: datetime
    """When it was scheduled."""
    url: str
    """Where to."""
    secret_sealed: bytes
    """The endpoint's signing secret, sealed."""
    body: str
    """Exactly what is sent, the same on every attempt."""
    is_receiving: bool
    """Whether the endpoint still exists and is active."""
    is_deleted: bool
    """Whether the endpoint was deleted."""
    attempts_before: int = 0
    """How many of the attempts were made before the latest replay."""
    secrets_retired: tuple[bytes, ...] = ()
    """Earlier secrets that still sign, sealed, the newest first."""
    headers_sealed: bytes | None = None
    """The tenant's own headers, sealed."""
    correlation_id: str = ""
    """The cause that its message belongs to; empty where it is not known."""
    traceparent: str = ""
    """W3C trace context of its message; empty where nothing is traced."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt that was made and is not yet recorded."""

    claimed: Claimed
    """The delivery, under the fence it was claimed with."""
    answer: Answer
    """What came of it."""
    attempted_at: datetime
    """When it began."""
    duration_ms: int
    """How long the exchange took."""
    chance: float
    """The random number, 0 to 1, that places a retry within its jitter."""


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint whose list of events has the one at hand."""

    id: UUID
    """The endpoint."""
    is_active: bool
    """Whether deliveries are made."""
    is_ordered: bool
    """Whether the events of one payment wait for each other."""


class Selection(msgspec.Struct, frozen=True, kw_only=True, rename={"listed_types": "wanted_types"}):
    """What is replayed. Replays keep it as JSON, under the names of its first version."""

    outcomes: tuple[str, ...]
    """`failed`, `missing`, `delivered`."""
    listed_types: tuple[str, ...] = ()
    """Events that count as missing where there is no delivery: those that the endpoint lists."""
    event_types: tuple[str, ...] = ()
    """Events of these names alone; empty for all."""
    event_ids: tuple[UUID, ...] = ()
    """These events alone; empty for all."""


def patterns_of(event: str) -> list[str]:
    """Every entry of an endpoint's list that admits `event`: `payment.captured`, `payment.*` and `*`."""
    parts = event.split(".")
    return ["*", *(".".join(parts[:depth]) + ".*" for depth in range(1, len(parts))), event]


def types_of(patterns: Sequence[str], *, known: Sequence[str]) -> tuple[str, ...]:
    """The events among `known` that an endpoint with these names, prefixes or `*` receives."""
    return tuple(event for event in known if not set(patterns).isdisjoint(patterns_of(event)))


def delivery_id(event_id: UUID, endpoint_id: UUID) -> UUID:
    """Return the id of an event's delivery to an endpoint."""
    return derived_id(event_id, f"delivery to {endpoint_id}")
