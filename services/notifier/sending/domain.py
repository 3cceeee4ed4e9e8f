"""What one attempt to send a webhook may come to."""

from enum import StrEnum

import msgspec


class AttemptError(StrEnum):
    """Why an attempt got no complete answer. Words for the tenant: none of them tells an address."""

    TIMEOUT = "timeout"
    """The exchange was not over at its deadline."""
    NAME_NOT_RESOLVED = "name_not_resolved"
    """The host has no address."""
    CONNECTION_FAILED = "connection_failed"
    """The host refused the connection or broke it off."""
    TLS_FAILED = "tls_failed"
    """The certificate or the handshake was not acceptable."""
    EGRESS_BLOCKED = "egress_blocked"
    """The host has an address that webhooks must never reach."""
    INVALID_RESPONSE = "invalid_response"
    """What came back was not HTTP."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one attempt."""

    status_code: int | None = None
    """The HTTP status; None when there was none."""
    error: AttemptError | None = None
    """Why there is no complete answer."""
    retry_after: str | None = None
    """The `Retry-After` header as the endpoint wrote it."""
    excerpt: str = ""
    """The beginning of the answer's body, as text, for people."""
