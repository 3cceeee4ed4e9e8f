"""One operation, from the request to its answer, without the network: which request to send, and what an answer means.

`Client` and `AsyncClient` send what an `Exchange` makes and hand it what comes back; whether to ask again, after how long and
with which key is decided here alone.
"""

import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any, Protocol, cast
from urllib.parse import quote, urlencode, urljoin, urlsplit

import msgspec

from payments_client.errors import error_of
from payments_client.problems import ApiError, NoAnswer, Problem, UnreadableAnswer
from payments_client.values import Value, as_text, query_of, to_json

_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers after which the same request may go well."""
_IN_PROGRESS = "idempotency_in_progress"
_SAFE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
"""Methods that come to the same when they are sent twice."""
_OVERLOADED = "overloaded"
"""The code of a 503 that came before anything was done; any other may have come after, and a proxy's too."""
_NO_SEGMENT = frozenset({"", ".", ".."})
"""What is no part of a path by itself: clients and proxies leave it out, with the part before it."""
USER_AGENT = "payments-client-python/0.2.0"


class Operation[T](msgspec.Struct, frozen=True, kw_only=True):
    """One operation of the document."""

    name: str
    method: str
    path: str
    """With the names of its parameters in braces."""
    reads: Any
    """The type of the answer; None: it has no body."""
    has_key: bool = False
    """Whether it takes an `Idempotency-Key`."""
    is_harmless: bool = False
    """Whether it comes to the same when it is sent twice, whatever its method."""
    content_type: str = "application/json"
    items: str = ""
    """Of a list: the member of the answer that holds its items; empty: the answer is the list."""


class Retries(msgspec.Struct, frozen=True, kw_only=True):
    """How often and how long a request is sent again."""

    max: int = 4
    """Requests after the first."""
    base_seconds: float = 0.25
    """The bound of the first pause; each one after doubles it. Pauses are random below their bound."""
    max_seconds: float = 8.0
    total_seconds: float = 60.0
    """From the first request on: no pause goes beyond. A `Retry-After` that does is not waited for."""


class Answer(Protocol):
    """What an HTTP client hands back."""

    @property
    def status_code(self) -> int:
        """The status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Its headers, in any case."""

    @property
    def content(self) -> bytes:
        """The whole body."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """What is requested, and how."""

    path: Mapping[str, Value]
    query: Mapping[str, Value | Sequence[Value]]
    body: Any = None
    idempotency_key: str | None = None
    prefer: str | None = None


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What to send."""

    method: str
    url: str
    headers: dict[str, str]
    content: bytes | None


class Exchange[T]:
    """One operation in progress."""

    def __init__(
        self,
        operation: Operation[T],
        call: Call,
        *,
        base_url: str,
        headers: Mapping[str, str],
        retries: Retries,
        began: float,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Prepare it; `began` is now, in seconds of a monotonic clock.

        Raises:
            TypeError: when a parameter or the body cannot be sent.
            ValueError: when a parameter of the path would name another path.
        """
        self.operation = operation
        # An empty key is sent as it is, and refused: one of our own in its place would not hold over processes.
        given = str(uuid.uuid4()) if call.idempotency_key is None else call.idempotency_key
        self.key = given if operation.has_key else None
        path = operation.path
        for name, value in call.path.items():
            text = as_text(value)
            if text in _NO_SEGMENT:
                raise ValueError(f"{name} is {text!r}, which names another path")
            path = path.replace(f"{{{name}}}", quote(text, safe=""))
        query = query_of(call.query)
        self._url = base_url.rstrip("/") + path + (f"?{urlencode(query)}" if query else "")
        self._origin = urlsplit(base_url)[:2]
        self._content = call.body if call.body is None or isinstance(call.body, bytes) else to_json(call.body)
        self._headers = {"Accept": "application/json", "User-Agent": USER_AGENT, **headers}
        if self._content is not None:
            self._headers["Content-Type"] = operation.content_type
        if self.key is not None:
            self._headers["Idempotency-Key"] = self.key
        if call.prefer is not None:
            self._headers["Prefer"] = call.prefer
        self._retries = retries
        self._ends = began + retries.total_seconds
        self._chance = chance
        self._sent = 0
        self._has_logged_in_again = False

    def request(self, authorization: str | None) -> Request:
        """Return what to send now; None: as nobody."""
        self._sent += 1
        headers = self._headers if authorization is None else {**self._headers, "Authorization": authorization}
        return Request(method=self.operation.method, url=self._url, headers=headers, content=self._content)

    def failed(self, error: Exception, *, now: float, was_sent: bool) -> float:
        """Return after how many seconds to send it again.

        Args:
            error: what the HTTP client says.
            now: the present, in seconds.
            was_sent: whether it may have reached the api; False when no connection was made.

        Raises:
            NoAnswer: when it is not sent again.
        """
        pause = self._pause(None, now=now) if not was_sent or self._is_repeatable else None
        if pause is None:
            message = (
                f"{self.operation.name} had no answer after {self._sent} requests: {error or type(error).__name__}"
            )
            raise NoAnswer(message, idempotency_key=self.key) from error
        return pause

    def broken_off(self, error: Exception) -> NoAnswer:
        """Return what is raised where an answer began, and did not come to its end."""
        message = f"{self.operation.name} broke off, what has come is not the whole: {error or type(error).__name__}"
        return NoAnswer(message, idempotency_key=self.key)

    def refused(self, answer: Answer, *, may_log_in: bool, now: float) -> float | None:
        """Return None of a success, else after how many seconds to send it again.

        Raises:
            ApiError: when it is not sent again.
        """
        if 200 <= answer.status_code < 300:
            return None
        error = self._error(answer)
        if answer.status_code == 401 and may_log_in and not self._has_logged_in_again:
            self._has_logged_in_again = True
            return 0.0
        is_passing = answer.status_code in _AGAIN or error.problem.code == _IN_PROGRESS
        was_taken = answer.status_code != 429 and (answer.status_code, error.problem.code) != (503, _OVERLOADED)
        pause = (
            self._pause(error.retry_after, now=now) if is_passing and (self._is_repeatable or not was_taken) else None
        )
        if pause is None:
            raise error
        return pause

    def read(self, answer: Answer) -> T:
        """Return what a success says.

        Raises:
            UnreadableAnswer: when it is not what the document promises.
        """
        if self.operation.reads is None:
            return cast(T, None)
        if self.operation.reads is bytes:
            return cast(T, answer.content)
        try:
            read: T = msgspec.json.decode(answer.content, type=self.operation.reads)
        except msgspec.MsgspecError as error:
            message = f"{self.operation.name} answered something else: {error}"
            raise UnreadableAnswer(message, idempotency_key=self.key) from error
        return read

    def follow(self, answer: Answer) -> bool:
        """Go to the next page of a list; returns False where this was the last.

        Raises:
            UnreadableAnswer: when the next page is named elsewhere, where no token is sent to.
        """
        following = next_link(answer.headers.get("Link", ""))
        if not following:
            return False
        url = urljoin(self._url, following)
        if urlsplit(url)[:2] != self._origin:
            message = f"{self.operation.name} has its next page at another host"
            raise UnreadableAnswer(message, idempotency_key=self.key)
        # Each page is a request of its own: a token may be replaced once for each.
        self._url, self._sent, self._has_logged_in_again = url, 0, False
        return True

    def again(self, now: float) -> None:
        """Give the next page the time that the first one had."""
        self._ends = now + self._retries.total_seconds

    @property
    def _is_repeatable(self) -> bool:
        return self.key is not None or self.operation.is_harmless or self.operation.method in _SAFE

    def _pause(self, retry_after: float | None, *, now: float) -> float | None:
        if self._sent > self._retries.max:
            return None
        bound = min(self._retries.base_seconds * 2 ** (self._sent - 1), self._retries.max_seconds)
        pause = max(retry_after or 0.0, bound * self._chance())
        return pause if now + pause <= self._ends else None

    def _error(self, answer: Answer) -> ApiError:
        try:
            problem = msgspec.json.decode(answer.content, type=Problem)
        except msgspec.MsgspecError:
            # Of something in between, a proxy for example.
            problem = Problem(title="no problem details", detail=answer.content[:200].decode(errors="replace"))
        problem = msgspec.structs.replace(problem, status=answer.status_code)
        retry_after = seconds_of(answer.headers.get("Retry-After", ""), answer.headers.get("Date", ""))
        return error_of(problem, retry_after=retry_after, idempotency_key=self.key)


def seconds_of(retry_after: str, date: str) -> float | None:
    """Read a `Retry-After`: seconds, or an instant beside the `Date` of the answer; None of anything else."""
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after)
    try:
        return max(0.0, (parsedate_to_datetime(retry_after) - parsedate_to_datetime(date)).total_seconds())
    except (TypeError, ValueError):
        # `TypeError`: one of the two does not say its zone.
        return None


def next_link(link: str) -> str:
    """Return where the next page is, as RFC 8288 has it; empty: there is none."""
    for part in link.split(","):
        target, _, parameters = part.strip().partition(">")
        relations = [each.strip().partition("=") for each in parameters.split(";")]
        if target.startswith("<") and any(name == "rel" and value.strip('"') == "next" for name, _, value in relations):
            return target[1:]
    return ""
