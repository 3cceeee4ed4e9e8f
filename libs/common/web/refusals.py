"""Answers to what never becomes a request: written to the connection as they are, each with a problem document."""

import msgspec

from libs.common.errors import Overloaded, PlatformError
from libs.common.observability.correlation import new_correlation_id
from libs.common.web.errors import (
    BodyTooLarge,
    DuplicateHeader,
    HeadersTooLarge,
    MalformedRequest,
    RequestTooSlow,
    UrlTooLong,
)
from libs.common.web.problems import MEDIA_TYPE, TITLES, Problem


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why a connection is answered by the server itself, and closed."""

    reason: str
    """What was wrong, in a word: the label of `http_refused_total`."""
    kind: type[PlatformError]
    """The kind of problem."""
    detail: str
    """What is wrong, as a sentence."""
    retry_after_seconds: int = 0
    """When it may be tried again; 0: never as it is."""

    def encode(self) -> bytes:
        """Write the whole answer, status line and headers included."""
        problem = Problem(
            type=f"/problems/{self.kind.code}",
            title=TITLES[self.kind.status],
            status=self.kind.status,
            detail=self.detail,
            instance="",
            code=self.kind.code,
            correlation_id=new_correlation_id(),
        )
        body = msgspec.json.encode(problem)
        lines = [
            f"HTTP/1.1 {self.kind.status} {problem.title}",
            f"content-type: {MEDIA_TYPE}",
            f"content-length: {len(body)}",
            f"x-correlation-id: {problem.correlation_id}",
            "cache-control: no-store",
            "x-content-type-options: nosniff",
            "connection: close",
        ]
        if self.retry_after_seconds:
            lines.append(f"retry-after: {self.retry_after_seconds}")
        return "\r\n".join([*lines, "", ""]).encode() + body


MALFORMED = Refusal(reason="malformed", kind=MalformedRequest, detail="the request is not valid HTTP/1.1")
HOST_MISSING = Refusal(reason="host_missing", kind=MalformedRequest, detail="the request has no Host header")
UPGRADE_WITH_BODY = Refusal(
    reason="upgrade",
    kind=MalformedRequest,
    detail="this server uses HTTP/1.1 only; send a request that has a body without an Upgrade header",
)
HEAD_TIMEOUT = Refusal(reason="header_timeout", kind=RequestTooSlow, detail="the headers did not arrive in time")
BODY_TIMEOUT = Refusal(reason="body_timeout", kind=RequestTooSlow, detail="the body did not arrive in time")
TOO_MANY_CONNECTIONS = Refusal(
    reason="connections",
    kind=Overloaded,
    detail="too many connections are open; try again shortly",
    retry_after_seconds=1,
)
BODIES_TOO_MANY = Refusal(
    reason="bodies",
    kind=Overloaded,
    detail="too many large bodies are being received; try again shortly",
    retry_after_seconds=1,
)


def url_too_long(bytes_max: int) -> Refusal:
    """Refuse a URL by its length."""
    detail = f"the URL is longer than {bytes_max} bytes"
    return Refusal(reason="url_bytes", kind=UrlTooLong, detail=detail)


def headers_too_large(bytes_max: int) -> Refusal:
    """Refuse headers by their size."""
    detail = f"the headers are larger than {bytes_max} bytes"
    return Refusal(reason="header_bytes", kind=HeadersTooLarge, detail=detail)


def too_many_headers(count_max: int) -> Refusal:
    """Refuse headers by their number."""
    detail = f"there are more than {count_max} headers"
    return Refusal(reason="header_count", kind=HeadersTooLarge, detail=detail)


def body_too_large(bytes_max: int) -> Refusal:
    """Refuse a body by its size."""
    detail = f"the body is larger than {bytes_max} bytes"
    return Refusal(reason="body_bytes", kind=BodyTooLarge, detail=detail)


def duplicate_header(name: bytes) -> Refusal:
    """Refuse a header that is there twice where only one can be meant."""
    detail = f"the header {name.decode('latin-1').title()} is there more than once"
    return Refusal(reason="duplicate_header", kind=DuplicateHeader, detail=detail)
