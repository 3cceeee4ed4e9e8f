"""Requests: those of clients, and those to other services on their behalf."""

from collections.abc import Awaitable, Callable
from typing import Any

from libs.common.contracts import Message
from services.api.http.callers import Headers
from services.api.http.errors import IdempotencyKeyRefused

type Ask = Callable[[Message], Awaitable[Any]]
"""Asks whoever owns the answer."""


def refuse_key(headers: Headers) -> None:
    """Refuse an `Idempotency-Key` where none is taken.

    Raises:
        HttpProblem: 400 when there is one.
    """
    if headers.get("idempotency-key") is not None:
        raise IdempotencyKeyRefused()
