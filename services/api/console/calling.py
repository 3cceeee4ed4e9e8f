"""Calls of the API from within: the same application that clients reach, with its limits, checks and audit log, without a socket."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Self
from urllib.parse import unquote, urlencode

import msgspec
from litestar.types import ASGIApp, Message, Scope

from libs.common.errors import PlatformError
from services.api.console.operations import Operation
from services.api.http.passages import INSIDE

_REFUSED_FROM, _FAILED_FROM = 400, 500
_UNDECIDED = frozenset({408, 409, 429, 499})
_PARTS_WAITING = 4
"""Parts of a streamed answer that wait for their reader."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the API answered."""

    status: int
    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes

    @classmethod
    def problem(cls, status: int, code: str, detail: str) -> Self:
        """Make a refusal of the console's own."""
        problem = {"title": detail, "status": status, "code": code, "detail": detail}
        return cls(status=status, headers={}, body=msgspec.json.encode(problem))

    def json(self) -> Any:
        """Read the body; None where there is none."""
        return msgspec.json.decode(self.body) if self.body else None


class Streamed(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that is read part by part."""

    headers: Mapping[str, str]
    """By name in lower case."""
    parts: AsyncGenerator[bytes]
    """Ends with an error where the answer broke off. Closing it ends the call."""


class Refused(Exception):
    """The API refused; the answer is a problem document (RFC 9457)."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.status = answer.status
        self.body = answer.body
        try:
            problem = answer.json() or {}
        except msgspec.DecodeError:
            problem = {}
        self.problem: dict[str, Any] = problem if isinstance(problem, dict) else {}
        self.correlation_id = answer.headers.get("x-correlation-id", "")
        self.retry_after = answer.headers.get("retry-after", "")

    @property
    def may_be_done(self) -> bool:
        """Whether what was refused may have been carried out, or may be yet: its key then stays its own."""
        return self.status >= _FAILED_FROM or self.status in _UNDECIDED


class Inside:
    """The way to our own application."""

    def __init__(self) -> None:
        self._app: ASGIApp | None = None

    def enclose(self, app: ASGIApp) -> ASGIApp:
        """Take the application that is called, which is everything within this shell; it is not changed."""
        self._app = app
        return app

    async def call(
        self,
        operation: Operation,
        *,
        client: tuple[str, int] | None,
        headers: Mapping[str, str],
        path: Mapping[str, str] | None = None,
        query: Sequence[tuple[str, str]] = (),
        body: Any = None,
    ) -> Answer:
        """Carry out an operation.

        Args:
            operation: what.
            client: the address of whoever is at the browser, by which strangers are counted.
            headers: those of the request, with the bearer token.
            path: the parameters of the path.
            query: the parameters of the query.
            body: the body, as bytes or as what becomes JSON; None: no body.

        Raises:
            Refused: when the answer is no success.
        """
        sent = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        lines = {**({"content-type": kind, "content-length": str(len(sent))} if body is not None else {}), **headers}
        scope = _scope(operation, client=client, headers=lines, path=path or {}, query=query)
        # In a task of its own, whose context does not come back: which request is at hand, and for which tenant.
        answer = await asyncio.create_task(_sent(self._app, scope, sent), name=f"console {operation.id}")
        if answer.status >= _REFUSED_FROM:
            raise Refused(answer)
        return answer

    async def stream(
        self,
        operation: Operation,
        *,
        client: tuple[str, int] | None,
        headers: Mapping[str, str],
        path: Mapping[str, str],
        query: Sequence[tuple[str, str]],
    ) -> Streamed:
        """Read what may be long, such as a table, part by part; no more than a few parts are in memory.

        Raises:
            Refused: when the answer is no success.
        """
        scope = _scope(operation, client=client, headers=headers, path=path, query=query)
        waiting = _Waiting()
        task = asyncio.create_task(_sent_on(self._app, scope, waiting), name=f"console {operation.id}")
        parts = _parts(task, waiting)
        try:
            start = await waiting.get()
            if start is None:
                await task
                raise PlatformError("the api ended without an answer")
            found = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in start["headers"]}
            if start["status"] >= _REFUSED_FROM:
                body = b"".join([part async for part in parts])
                raise Refused(Answer(status=start["status"], headers=found, body=body))
        except BaseException:
            task.cancel()
            raise
        return Streamed(headers=found, parts=parts)


class _Waiting:
    """Parts of an answer that wait for their reader: a few at most, and then its end."""

    def __init__(self) -> None:
        self._parts: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(_PARTS_WAITING)

    async def put(self, message: Message) -> None:
        await self._room.acquire()
        self._parts.put_nowait(dict(message))

    def end(self) -> None:
        self._parts.put_nowait(None)

    async def get(self) -> dict[str, Any] | None:
        """Return the next part; None after the last one."""
        message = await self._parts.get()
        if message is not None:
            self._room.release()
        return message


def _scope(
    operation: Operation,
    *,
    client: tuple[str, int] | None,
    headers: Mapping[str, str],
    path: Mapping[str, str],
    query: Sequence[tuple[str, str]],
) -> dict[str, Any]:
    raw = operation.filled(path)
    return {
        "type": "http",
        INSIDE: True,
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": operation.method,
        "scheme": "http",
        "path": unquote(raw),
        "raw_path": raw.encode(),
        "root_path": "",
        "query_string": urlencode([pair for pair in query if pair[1] != ""]).encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in headers.items()],
        "client": client,
        "server": None,
        "state": {},
    }


async def _parts(task: asyncio.Task[None], waiting: _Waiting) -> AsyncGenerator[bytes]:
    try:
        while (message := await waiting.get()) is not None:
            if message.get("body"):
                yield message["body"]
        # Raises what it was broken off by.
        await task
    finally:
        task.cancel()


async def _sent_on(app: ASGIApp | None, scope: dict[str, Any], waiting: _Waiting) -> None:
    """Put what the application sends into a queue, and close it when that has ended, however it has."""
    if app is None:
        raise PlatformError("the console is not part of an application")
    is_read = False

    async def receive() -> Any:
        nonlocal is_read
        if is_read:
            # Whoever goes away cancels this task.
            await asyncio.Event().wait()
        is_read = True
        return {"type": "http.request", "body": b"", "more_body": False}

    typed: Scope = scope  # type: ignore[assignment]
    try:
        await app(typed, receive, waiting.put)
    finally:
        waiting.end()


async def _sent(app: ASGIApp | None, scope: dict[str, Any], body: bytes) -> Answer:
    if app is None:
        raise PlatformError("the console is not part of an application")
    status, headers, parts, is_read = 0, {}, [], False

    async def receive() -> Any:
        nonlocal is_read
        if is_read:
            # Nobody goes away before the answer is complete; what waits for that waits until it is cancelled.
            await asyncio.Event().wait()
        is_read = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status = message["status"]
            headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in message["headers"]}
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))

    typed: Scope = scope  # type: ignore[assignment]
    await app(typed, receive, send)
    return Answer(status=status, headers=headers, body=b"".join(parts))
