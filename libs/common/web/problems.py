"""Problem details (RFC 9457): with `messaging/redelivery.py` the only translator of errors.

Every answer that is not a success has this body, members at top level:
`type`, `title`, `status`, `detail`, `instance`, `code`, `correlation_id`, and `errors` for violations.
"""

from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.exceptions import ValidationException as LitestarValidation

from libs.common import outages
from libs.common.cards import mask_card_numbers
from libs.common.errors import (
    BrokenInvariant,
    Conflict,
    Declined,
    Forbidden,
    Invalid,
    NotFound,
    OutcomeUnknown,
    PlatformError,
    Rejected,
    Transient,
    Undecodable,
)
from libs.common.observability.correlation import current
from libs.common.observability.logging import get_logger
from libs.common.outages import FaultClass

log = get_logger("web.problems")

MEDIA_TYPE = "application/problem+json"

_STATUS: tuple[tuple[type[PlatformError], int], ...] = (
    (Invalid, 422),
    (Forbidden, 403),
    (NotFound, 404),
    (Conflict, 409),
    (Declined, 402),
    (Rejected, 400),
    (Transient, 503),
    (OutcomeUnknown, 503),
    (Undecodable, 400),
    (BrokenInvariant, 500),
)
_TEXT_MAX = 500
"""Characters of a sentence, a path or a pointer that an answer repeats at most."""
_RETRY_AFTER_SECONDS = "1"
TITLES = {status.value: status.phrase for status in HTTPStatus} | {
    # Pinned, since Python's own phrases for these changed between versions.
    413: "Content Too Large",
    414: "URI Too Long",
    422: "Unprocessable Entity",
}
"""The phrase of each HTTP status."""

_ROUTER_CODES = {
    400: "malformed_request",
    401: "unauthorized",
    403: "forbidden",
    404: "route_not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
    422: "invalid_request",
    429: "rate_limited",
    503: "unavailable",
}


class Violation(msgspec.Struct, frozen=True):
    """One thing that is wrong with a request body or parameter."""

    pointer: str
    """JSON pointer into the body (RFC 6901), or the name of a header or query parameter."""
    detail: str
    """What is wrong with it, as a sentence."""


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of every answer that is not a success."""

    type: str
    """Where this kind of problem is explained."""
    title: str
    """The kind of problem, in words; the same for every occurrence."""
    status: int
    """The HTTP status."""
    detail: str
    """What happened this time, as a sentence."""
    instance: str
    """The path of the request."""
    code: str
    """The kind of problem as a stable snake_case word, for programs."""
    correlation_id: str
    """Quote this to support; it is on every log line of the request."""
    errors: list[Violation] | None = None
    """Each violation, where the request was invalid."""
    permissionCode: str | None = None  # noqa: N815 - the name that clients of this API read
    """The permission that is missing, where access was denied."""


class HttpProblem(Exception):
    """A refusal that only exists in HTTP: a missing header, a missing or unusable token, a body that is not JSON."""

    def __init__(
        self,
        *,
        status: int,
        code: str,
        detail: str,
        title: str | None = None,
        instance: str | None = None,
        headers: dict[str, str] | None = None,
        errors: tuple[tuple[str, str], ...] = (),
        permission: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.title = title or TITLES[status]
        self.instance = instance
        self.headers = headers or {}
        self.errors = errors
        self.permission = permission


class ClientGone(HttpProblem):
    """The client has left before its request was complete: nothing was done, and the answer goes nowhere."""

    def __init__(self) -> None:
        super().__init__(
            status=499,  # nginx's number, which operators know
            code="client_gone",
            title="Client Closed Request",
            detail="the client closed the connection before its request was complete",
        )


def problem_of(fault: Exception, *, path: str) -> tuple[Problem, dict[str, str]]:
    """Translate any exception into the problem and the extra headers that the client gets."""
    headers: dict[str, str] = {}
    errors: tuple[tuple[str, str], ...] = ()
    permission: str | None = None
    instance = path
    if isinstance(fault, HttpProblem):
        status, code, title, detail = fault.status, fault.code, fault.title, fault.detail
        headers, errors, permission = dict(fault.headers), fault.errors, fault.permission
        instance = fault.instance or path
    elif isinstance(fault, PlatformError):
        status = next(status for kind, status in _STATUS if isinstance(fault, kind))
        code, title, detail = fault.reason, TITLES[status], fault.detail
        errors = fault.errors if isinstance(fault, Invalid) else ()
    elif isinstance(fault, LitestarValidation):
        status, code, title, detail = 422, "invalid_request", "Unprocessable Entity", "the request is invalid"
        errors = _litestar_violations(fault)
    elif isinstance(fault, HTTPException):
        status = fault.status_code
        code = _ROUTER_CODES.get(status, "http_error")
        title, detail = TITLES[status], _router_detail(status, fault)
        headers = _with_head(dict(fault.headers or {}))
    elif outages.classify(fault) in {FaultClass.OUTAGE, FaultClass.CONTENTION}:
        status, code, title, detail = 503, "unavailable", TITLES[503], "something that this needs does not answer"
        log.warning("request.unavailable", path=path, reason=outages.cause_of(fault))
    else:
        status, code, title, detail = 500, "internal_error", "Internal Server Error", "an unexpected error occurred"
    if status == 500:
        detail = "an unexpected error occurred"
        log.error("request.failed", path=path, exc_info=fault)
    if status in {429, 503}:
        headers.setdefault("Retry-After", _RETRY_AFTER_SECONDS)
    problem = Problem(
        type=f"/problems/{code}",
        title=title,
        status=status,
        detail=_shown(detail),
        instance=_shown(instance),
        code=code,
        correlation_id=current().correlation_id,
        errors=[Violation(_shown(pointer), _shown(text)) for pointer, text in errors] or None,
        permissionCode=permission,
    )
    return problem, headers


def _shown(text: str) -> str:
    """Write what may come from the client as it may be shown: not at any length, and without card numbers.

    What is cut off takes the digits before it along, or the beginning of a number would be left.
    """
    if len(text) > _TEXT_MAX:
        text = text[:_TEXT_MAX].rstrip("0123456789 -") + "..."
    return mask_card_numbers(text)


def _with_head(headers: dict[str, str]) -> dict[str, str]:
    """Name HEAD among the methods of a route that has GET."""
    return {
        name: ", ".join(sorted({*value.split(", "), "HEAD"})) if name.lower() == "allow" and "GET" in value else value
        for name, value in headers.items()
    }


def _router_detail(status: int, fault: HTTPException) -> str:
    return {
        404: "there is no such route",
        405: "this route does not offer that method",
    }.get(status, fault.detail if status < 500 else "the service cannot answer now")


def _litestar_violations(fault: LitestarValidation) -> tuple[tuple[str, str], ...]:
    extra: Any = fault.extra
    if not isinstance(extra, list):
        return (("", fault.detail),)
    return tuple((str(item.get("key", "")), str(item.get("message", ""))) for item in extra if isinstance(item, dict))


def answer(request: Request[Any, Any, Any], fault: Exception) -> Response[bytes]:
    """Litestar's exception handler for everything."""
    problem, headers = problem_of(fault, path=request.url.path)
    return Response(
        content=msgspec.json.encode(problem),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=headers,
    )


__all__ = ["MEDIA_TYPE", "TITLES", "ClientGone", "HttpProblem", "Problem", "Violation", "answer", "problem_of"]
