"""What a request can end with other than its answer.

Every answer that is not a success is an `ApiError`: of the class of its code where the client knows it (`errors.py`), else of
the class of its status.
"""

from typing import ClassVar

import msgspec


class PaymentsError(Exception):
    """Anything that this client raises by itself."""


class NoAnswer(PaymentsError):
    """The api could not be reached, or did not answer in time: the request may have taken effect.

    Send it again with the same `idempotency_key`, which the error carries: it takes effect once.
    """

    def __init__(self, message: str, *, idempotency_key: str | None) -> None:
        super().__init__(message)
        self.idempotency_key = idempotency_key


class UnreadableAnswer(PaymentsError):
    """The answer is not what the document of the api promises; of a write, it has taken effect.

    The same write with the `idempotency_key` that the error carries takes no effect again.
    """

    def __init__(self, message: str, *, idempotency_key: str | None) -> None:
        super().__init__(message)
        self.idempotency_key = idempotency_key


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong with a request."""

    pointer: str = ""
    """Where, as a JSON pointer into the body, or the name of the parameter."""
    detail: str = ""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that is not a success, as RFC 9457 has it."""

    status: int = 0
    code: str = ""
    title: str = ""
    detail: str = ""
    type: str = ""
    instance: str = ""
    correlation_id: str = ""
    errors: tuple[Violation, ...] | None = None
    permission_code: str | None = msgspec.field(default=None, name="permissionCode")


class ApiError(PaymentsError):
    """The api refused, or could not do, what was requested."""

    code: ClassVar[str] = ""
    """The code that a class stands for; empty where it stands for a status."""

    def __init__(
        self, problem: Problem, *, retry_after: float | None = None, idempotency_key: str | None = None
    ) -> None:
        super().__init__(f"{problem.status} {problem.code or problem.title}: {problem.detail}".rstrip(": "))
        self.problem = problem
        self.retry_after = retry_after
        """Seconds after which the api expects the next call; None: it names none."""
        self.idempotency_key = idempotency_key
        """The key that the request was sent with."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.problem.status

    @property
    def correlation_id(self) -> str:
        """What to quote to support."""
        return self.problem.correlation_id


class BadRequest(ApiError):
    """400: the request is malformed."""


class Unauthenticated(ApiError):
    """401: who asks is not known."""


class Forbidden(ApiError):
    """403: whoever asks may not."""


class NotFound(ApiError):
    """404: there is no such thing, or not for this tenant."""


class Conflict(ApiError):
    """409: it does not go with the present state."""


class Unprocessable(ApiError):
    """422: the request is understood, and cannot be."""


class TooManyRequests(ApiError):
    """429: too fast, or too much."""


class ServerFault(ApiError):
    """5xx: the api failed, or cannot at present."""


BY_STATUS: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    422: Unprocessable,
    429: TooManyRequests,
}
