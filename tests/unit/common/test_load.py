"""The bound on requests in progress: early refusal, exact counting, health apart."""

import asyncio
from typing import Any, cast

import msgspec
import pytest
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from libs.common.web.load import limit_in_flight


class App:
    """Requests that are in progress until they are let go."""

    def __init__(self) -> None:
        self.started = 0
        self.end = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.started += 1
        await self.end.wait()


async def ask(app: ASGIApp, path: str = "/v1/payments") -> list[Any]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nobody reads a body here")

    await app(cast("HTTPScope", {"type": "http", "path": path, "method": "GET", "headers": []}), receive, send)
    return sent


async def test_one_request_too_many_is_refused_at_once_and_may_come_again() -> None:
    inner = App()
    app = limit_in_flight(inner, limit=2)
    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(ask(app))
        await asyncio.sleep(0)
        start, body = await ask(app)
        inner.end.set()
    assert start["status"] == 503
    assert dict(start["headers"])[b"retry-after"] == b"1"
    problem = msgspec.json.decode(body["body"])
    assert (problem["code"], problem["status"], problem["instance"]) == ("overloaded", 503, "/v1/payments")
    assert inner.started == 2
    assert await ask(app) == []
    assert inner.started == 3


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_health_is_answered_under_load(path: str) -> None:
    inner = App()
    app = limit_in_flight(inner, limit=1)
    async with asyncio.TaskGroup() as group:
        group.create_task(ask(app))
        await asyncio.sleep(0)
        group.create_task(ask(app, path))
        await asyncio.sleep(0)
        assert inner.started == 2
        inner.end.set()


async def test_a_request_that_fails_or_leaves_gives_its_room_back() -> None:
    inner = App()
    app = limit_in_flight(inner, limit=1)
    left = asyncio.create_task(ask(app))
    await asyncio.sleep(0)
    left.cancel()
    await asyncio.gather(left, return_exceptions=True)
    inner.end.set()
    assert await ask(app) == []
