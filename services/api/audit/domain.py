"""A line of the audit log, and which lines a list shows."""

from datetime import datetime
from uuid import UUID

import msgspec


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the audit log."""

    tenant_id: str
    """The tenant concerned; empty where none is proven."""
    id: UUID
    """UUIDv7: in the order of time."""
    actor: str
    """Subject of the token, or the login name that was tried."""
    action: str
    """What was done: `payment_intent.create`, `authz.denied`."""
    target: str
    """To what: an id, a permission, a path."""
    outcome: str
    """`success`, `failed` or `denied`; `requested` before another service gets the request, `unknown` when it did not reply."""
    detail: dict[str, str] = {}
    """Whatever else explains it; never a secret."""
    correlation_id: str
    """The request it belongs to."""
    at: datetime
    """When."""


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which lines a list shows; None means all."""

    actor: str | None = None
    """Exactly this actor."""
    action: str | None = None
    """Exactly this action, or all that begin with it where it ends in `.`."""
    target: str | None = None
    """Exactly this target."""
    outcome: str | None = None
    """`success`, `failed`, `denied`, `requested` or `unknown`."""
    correlation_id: str | None = None
    """Of this request."""
    at_from: datetime | None = None
    """At or after this instant."""
    at_until: datetime | None = None
    """Before this instant."""
