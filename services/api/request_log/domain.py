"""A line of the log of requests, and which lines a list shows."""

from datetime import datetime
from uuid import UUID

import msgspec


class LoggedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request, as it was answered. Nothing of its body, and of its headers no secret."""

    tenant_id: str
    """For whom it was."""
    id: UUID
    """UUIDv7 of when it was answered: newest last."""
    answered_at: datetime
    """When."""
    method: str
    route: str
    """The path as the documentation has it; empty: it was refused before a route was found."""
    path: str
    """As it was sent, without its query, and not at any length."""
    status: int
    """The HTTP status."""
    code: str
    """Of a problem its code; empty: none."""
    duration_ms: int
    """From its headers to its answer."""
    actor: str
    """The subject of its token, or its API key."""
    correlation_id: str
    """The same on every line of a log and every message that it led to."""
    idempotency_key: str
    """As it was sent, not at any length; empty: none."""
    address: str
    """Where it came from."""
    user_agent: str
    """As it was sent, not at any length."""


class RequestFilter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which lines a list shows; None means all."""

    method: str | None = None
    path: str | None = None
    """Exactly this path, or all that begin with it where it ends in `/`."""
    status_class: int | None = None
    """Statuses that begin with this digit."""
    code: str | None = None
    """Problems of this code."""
    actor: str | None = None
    correlation_id: str | None = None
    answered_from: datetime | None = None
    """At or after this instant."""
    answered_until: datetime | None = None
    """Before this instant."""
