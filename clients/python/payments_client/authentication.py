"""As whom a client asks."""

import re
import time
from collections.abc import Callable
from typing import Protocol

import msgspec

_KEY = re.compile(r"[!-~]+(?!\n)$")


class Authentication(Protocol):
    """What makes the `Authorization` of a request."""

    def authorization(self) -> str | None:
        """Return the header; None: a log-in is needed first."""

    def refused(self, authorization: str) -> bool:
        """Say whether a request that was refused with a header is to be sent again, with another one."""


class ApiKey:
    """A key of the tenant, or a token that was made elsewhere: sent as it is."""

    def __init__(self, key: str) -> None:
        """Take the key, without the spaces and line breaks around it that a file has.

        Raises:
            ValueError: when no header can hold it; the key itself is not repeated.
        """
        key = key.strip()
        if not _KEY.match(key):
            # What sends the request would refuse it in a sentence that has the whole header.
            raise ValueError("a key has visible ASCII characters only, and at least one")
        self._authorization = f"Bearer {key}"

    def authorization(self) -> str:
        """Return the header."""
        return self._authorization

    def refused(self, authorization: str) -> bool:
        """Return False of the key that there is: it would be refused again."""
        return authorization != self._authorization


class Login:
    """A person's name and password: logs in before the first request, and again before the token ends or when it is refused."""

    _EARLY_SECONDS = 30.0
    """So long before its end a token is replaced."""

    def __init__(self, email: str, password: str, *, now: Callable[[], float] = time.monotonic) -> None:
        # It has the password: nobody else reads it.
        self._body = msgspec.json.encode({"email": email, "password": password})
        self._now = now
        self._authorization: str | None = None
        self._ends = 0.0

    def authorization(self) -> str | None:
        """Return the header while its token is valid."""
        return self._authorization if self._now() < self._ends else None

    def logged_in(self, token: str, *, seconds: float) -> None:
        """Take a token that is valid for some seconds."""
        self._authorization = f"Bearer {token}"
        self._ends = self._now() + max(seconds - self._EARLY_SECONDS, seconds / 2)

    def refused(self, authorization: str) -> bool:
        """Forget the token that was refused, unless another one is there already; returns True."""
        if self._authorization == authorization:
            self._ends = 0.0
        return True
