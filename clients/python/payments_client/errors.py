"""Errors by status, by code, and those of the way there."""

from payments_client.generated.codes import *  # noqa: F403 - a class for each code of the document
from payments_client.generated.codes import BY_CODE
from payments_client.problems import (
    BY_STATUS,
    ApiError,
    BadRequest,
    Conflict,
    Forbidden,
    NoAnswer,
    NotFound,
    PaymentsError,
    Problem,
    ServerFault,
    TooManyRequests,
    Unauthenticated,
    Unprocessable,
    UnreadableAnswer,
    Violation,
)

__all__ = [  # noqa: PLE0604 - the names of the codes are generated
    "BY_CODE",
    "ApiError",
    "BadRequest",
    "Conflict",
    "Forbidden",
    "NoAnswer",
    "NotFound",
    "PaymentsError",
    "Problem",
    "ServerFault",
    "TooManyRequests",
    "Unauthenticated",
    "UnreadableAnswer",
    "Unprocessable",
    "Violation",
    *(kind.__name__ for kind in BY_CODE.values()),
]


def error_of(problem: Problem, *, retry_after: float | None, idempotency_key: str | None) -> ApiError:
    """Return the error that a problem is: of its code's class, or of its status' where the code is not known."""
    kind = BY_CODE.get(problem.code) or BY_STATUS.get(problem.status)
    if kind is None:
        kind = ServerFault if problem.status >= 500 else ApiError
    return kind(problem, retry_after=retry_after, idempotency_key=idempotency_key)
