"""Calls of the API from within: the same application that clients reach, with its limits, checks and audit log, without a socket."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlencode

import msgspec
from litestar.types import ASGIApp, Message, Scope

from libs.common.errors import PlatformError
from services.api.console.operations import Operation

_REFUSED_FROM = 400


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the API answered."""

    status: int
    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes

    def json(self) -> Any:
        """Read the body; None where there is none."""
        return msgspec.json.decode(self.body) if self.body else None


class Refused(Exception):
    """The API refused; the answer is a problem document (RFC 9457)."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.status = answer.status
        try:
            problem = answer.json() or {}
        except msgspec.DecodeError:
            problem = {}
        self.problem: dict[str, Any] = problem if isinstance(problem, dict) else {}
        self.correlation_id = answer.headers.get("x-correlation-id", "")
        self.retry_after = answer.headers.get("retry-after", "")


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
        lines = {**headers, **({"content-type": kind, "content-length": str(len(sent))} if body is not None else {})}
        raw = operation.filled(path or {})
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": operation.method,
            "scheme": "http",
            "path": unquote(raw),
            "raw_path": raw.encode(),
            "root_path": "",
            "query_string": urlencode([pair for pair in query if pair[1] != ""]).encode(),
            "headers": [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in lines.items()],
            "client": client,
            "server": None,
            "state": {},
        }
        # In a task of its own, whose context does not come back: which request is at hand, and for which tenant.
        answer = await asyncio.create_task(_sent(self._app, scope, sent), name=f"console {operation.id}")
        if answer.status >= _REFUSED_FROM:
            raise Refused(answer)
        return answer


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
