"""How HTTP itself fails, by name: a header, a token, a size, a route. The tree is drawn in `libs/common/errors.py`."""

from libs.common.errors import PlatformError

LOG_IN = "Log in again and send the new token."


class HttpProblem(PlatformError):
    """A refusal that only exists in HTTP: a missing header, a missing or unusable token, a body that is not JSON."""

    def __init__(
        self,
        detail: str = "",
        *,
        headers: dict[str, str] | None = None,
        errors: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(detail)
        self.headers = headers or {}
        """Headers of the answer."""
        self.errors = errors
        """Each violation, as (JSON pointer or name, sentence)."""


class MalformedRequest(HttpProblem):
    """The request cannot be read as HTTP."""

    code = "malformed_request"
    status = 400
    remedy = "Correct the request."


class DuplicateHeader(HttpProblem):
    """A header is there twice of which only one can be meant."""

    code = "duplicate_header"
    status = 400
    remedy = "Send Authorization, X-Tenant-Id, Idempotency-Key, Host, Content-Type and Content-Length once."


class Unauthorized(HttpProblem):
    """The router does not know who asks."""

    code = "unauthorized"
    status = 401


class InvalidToken(Unauthorized):
    """The bearer token is invalid or expired."""

    code = "invalid_token"
    remedy = LOG_IN

    def __init__(self, detail: str = "Invalid token") -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"})


class RouteNotFound(HttpProblem):
    """There is no such route."""

    code = "route_not_found"
    status = 404
    remedy = "See the OpenAPI document."


class MethodNotAllowed(HttpProblem):
    """The route does not offer this method."""

    code = "method_not_allowed"
    status = 405
    remedy = "Use one of those in `Allow`."


class RequestTooSlow(HttpProblem):
    """The request did not arrive in time."""

    code = "request_too_slow"
    status = 408
    remedy = "Send it again, faster or in smaller parts."


class BodyTooLarge(HttpProblem):
    """The body is larger than is read."""

    code = "body_too_large"
    status = 413
    remedy = "Send less."


class UrlTooLong(HttpProblem):
    """The URL is longer than is read."""

    code = "url_too_long"
    status = 414
    remedy = "Send a shorter one; ids and cursors are short."


class UnsupportedMediaType(HttpProblem):
    """The router does not read bodies of this type."""

    code = "unsupported_media_type"
    status = 415


class RateLimited(HttpProblem):
    """The caller has made too many requests."""

    code = "rate_limited"
    status = 429
    remedy = "Wait for `Retry-After` seconds."


class HeadersTooLarge(HttpProblem):
    """The headers are too large or too many."""

    code = "headers_too_large"
    status = 431
    remedy = "Send smaller or fewer ones."


class ClientGone(HttpProblem):
    """The client has left before its request was complete: nothing was done, and the answer goes nowhere."""

    code = "client_gone"
    status = 499  # nginx's number, which operators know

    def __init__(self) -> None:
        super().__init__("the client closed the connection before its request was complete")


class RouterRefused(HttpProblem):
    """The router refuses with a status that nothing else here has."""

    code = "http_error"
