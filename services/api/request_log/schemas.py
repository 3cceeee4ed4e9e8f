"""The log of requests, as clients see it."""

from typing import Annotated

import msgspec

from libs.common.clock import iso
from services.api.request_log.domain import LoggedRequest


class RequestLine(msgspec.Struct, frozen=True, kw_only=True):
    """One request, as it was answered."""

    id: str
    at: Annotated[str, msgspec.Meta(description="When it was answered.")]
    method: str
    route: Annotated[
        str, msgspec.Meta(description="The path as it is documented; empty: it was refused before a route was found.")
    ]
    path: Annotated[str, msgspec.Meta(description="As it was sent, without its query.")]
    status: int
    code: Annotated[str, msgspec.Meta(description="The code of the problem that was answered; empty: none.")]
    duration_ms: int
    actor: Annotated[str, msgspec.Meta(description="The subject of the token, or the API key.")]
    correlation_id: str
    idempotency_key: Annotated[str, msgspec.Meta(description="Empty: none was sent.")]
    address: str
    user_agent: str


class RequestLines(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the log of requests."""

    data: list[RequestLine]
    next_cursor: str | None


def request_line(line: LoggedRequest) -> RequestLine:
    """Show a line."""
    return RequestLine(
        id=str(line.id),
        at=iso(line.answered_at),
        method=line.method,
        route=line.route,
        path=line.path,
        status=line.status,
        code=line.code,
        duration_ms=line.duration_ms,
        actor=line.actor,
        correlation_id=line.correlation_id,
        idempotency_key=line.idempotency_key,
        address=line.address,
        user_agent=line.user_agent,
    )
