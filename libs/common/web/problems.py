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
from libs.common.errors import BrokenInvariant, Forbidden, Invalid, PlatformError, Rejected, Unavailable
from libs.common.observability.correlation import current
from libs.common.observability.logging import get_logger
from libs.common.outages import FaultClass
from libs.common.web.errors import (
    BodyTooLarge,
    HttpProblem,
    MalformedRequest,
    MethodNotAllowed,
    RateLimited,
    RouteNotFound,
    RouterRefused,
    Unauthorized,
    UnsupportedMediaType,
)

log = get_logger("web.problems")

MEDIA_TYPE = "application/problem+json"

_UNEXPECTED = "an unexpected error occurred"
_TEXT_MAX = 500
"""Characters of a sentence, a path or a pointer that an answer repeats at most."""
_RETRY_AFTER_SECONDS = "1"
TITLES = {status.value: status.phrase for status in HTTPStatus} | {
    # Pinned, since Python's own phrases for these changed between versions.
    413: "Content Too Large",
    414: "URI Too Long",
    422: "Unprocessable Entity",
    499: "Client Closed Request",
}
"""The phrase of each HTTP status."""

_ROUTER_ERRORS: dict[int, type[PlatformError]] = {
    kind.status: kind
    for kind in (
        MalformedRequest,
        Unauthorized,
        Forbidden,
        RouteNotFound,
        MethodNotAllowed,
        BodyTooLarge,
        UnsupportedMediaType,
        Invalid,
        RateLimited,
        Unavailable,
    )
}
"""What each status that the framework refuses with by itself means here."""


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


def problem_of(fault: Exception, *, path: str) -> tuple[Problem, dict[str, str]]:
    """Translate any exception into the problem and the extra headers that the client gets."""
    headers: dict[str, str] = {}
    errors: tuple[tuple[str, str], ...] = ()
    permission: str | None = None
    if isinstance(fault, PlatformError):
        status, code, detail = fault.status, fault.reason, fault.detail
        errors = fault.errors if isinstance(fault, Rejected | HttpProblem) else ()
        headers = dict(fault.headers) if isinstance(fault, HttpProblem) else {}
        permission = fault.permission if isinstance(fault, Forbidden) else None
    elif isinstance(fault, LitestarValidation):
        status, code, detail = Invalid.status, Invalid.code, "the request is invalid"
        errors = _litestar_violations(fault)
    elif isinstance(fault, HTTPException):
        status = fault.status_code
        code = _ROUTER_ERRORS.get(status, RouterRefused).code
        detail = _router_detail(status, fault)
        headers = _with_head(dict(fault.headers or {}))
    elif outages.classify(fault) in {FaultClass.OUTAGE, FaultClass.CONTENTION}:
        status, code, detail = Unavailable.status, Unavailable.code, "something that this needs does not answer"
        log.warning("request.unavailable", path=path, reason=outages.cause_of(fault))
    else:
        status, code, detail = BrokenInvariant.status, BrokenInvariant.code, _UNEXPECTED
    if status == 500:
        detail = _UNEXPECTED
        log.error("request.failed", path=path, exc_info=fault)
    if status in {429, 503}:
        headers.setdefault("Retry-After", _RETRY_AFTER_SECONDS)
    problem = Problem(
        type=f"/problems/{code}",
        title=TITLES[status],
        status=status,
        detail=_shown(detail),
        instance=_shown(path),
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


__all__ = ["MEDIA_TYPE", "TITLES", "Problem", "Violation", "answer", "problem_of"]
