"""Connections and bodies of one server are bounded, free again, and let go when they end."""

import gc
import logging
import weakref

import pytest
from litestar import Litestar, Request, get, post
from litestar.types import Receive, Scope, Send
from prometheus_client import REGISTRY

from libs.common.settings import HttpSettings
from libs.common.web import connections, problems
from libs.common.web.correlation import correlate
from tests.support.http import RawServer, request, serving_raw
from tests.unit.common.test_protocol import CHUNKED, echo, until


async def test_connections_are_bounded_and_free_again() -> None:
    async with serving_raw(echo, HttpSettings(http_connections_max=2)) as server:
        async with server.connect() as first, server.connect() as second:
            await first.send(request())
            await second.send(request())
            assert (await first.answer()).status == (await second.answer()).status == 200
            async with server.connect() as third:
                await third.send(request())
                answer = await third.answer()
                assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "overloaded", "1")
                assert await third.closed() == b""
            await first.send(request())
            assert (await first.answer()).status == 200
        await until(lambda: server.connections == 0)
        assert (await server.ask(request())).status == 200


async def test_bodies_are_bounded_in_total_and_free_again() -> None:
    room, free = 40_000, 16_384
    http = HttpSettings(http_bodies_bytes_max=room, http_body_bytes_max=room)
    half = free + room // 2

    def held() -> float:
        return REGISTRY.get_sample_value("http_body_bytes") or 0.0

    async with serving_raw(echo, http) as server, server.connect() as first, server.connect() as second:
        for connection, framing in ((first, f"Content-Length: {half}"), (second, CHUNKED)):
            await connection.send(request("POST", "/", framing))
        await first.send(b"x" * (half - 1))
        await second.send(b"%x\r\n" % half + b"x" * half + b"\r\n")
        await until(lambda: held() == room - 1)
        for parts in (
            (request("POST", "/", f"Content-Length: {free + 2}"),),
            (request("POST", "/", CHUNKED), b"%x\r\n" % (free + 2) + b"x" * (free + 2) + b"\r\n0\r\n\r\n"),
        ):
            async with server.connect() as third:
                await third.send(*parts)
                answer = await third.answer()
                assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "overloaded", "1")
            await until(lambda: held() == room - 1)
        # A small body finds room at any time, on a connection with many of them too.
        for _ in range(3):
            assert (await server.ask(request("POST", "/", body=b"x" * free))).status == 200
        await first.send(b"x")
        assert (await first.answer()).status == 200
        await until(lambda: held() == room // 2)
        assert (await server.ask(request("POST", "/", body=b"x" * half))).status == 200
        second.reset()
        await until(lambda: held() == 0)


async def test_slow_large_bodies_leave_room_for_all_others() -> None:
    large = connections.LARGE_BODY_BYTES + 1
    # Two of these fit the part of large ones, a third does not.
    http = HttpSettings(http_body_bytes_max=large, http_bodies_bytes_max=3 * large)

    async with serving_raw(echo, http) as server, server.connect() as first, server.connect() as second:
        held = (1 + 1) * (large - 16_384)
        # One announces its body and sends nothing of it; how long the other becomes is unknown.
        await first.send(request("POST", "/", f"Content-Length: {large}"))
        await second.send(request("POST", "/", CHUNKED), b"%x\r\n" % large + b"x" * large + b"\r\n")
        await until(lambda: REGISTRY.get_sample_value("http_body_bytes") == held)
        for _ in range(3):
            for framing in (f"Content-Length: {large}", CHUNKED):
                async with server.connect() as third:
                    await third.send(request("POST", "/", framing))
                    if framing is CHUNKED:
                        await third.send(b"%x\r\n" % large + b"x" * large + b"\r\n")
                    answer = await third.answer()
                    assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "overloaded", "1")
            await until(lambda: REGISTRY.get_sample_value("http_body_bytes") == held)
            # The largest of the ordinary ones, while the large ones are still arriving.
            assert (await server.ask(request("POST", "/", body=b"x" * (large - 1)))).status == 200
        await first.send(b"x" * large)
        assert (await first.answer()).status == 200
        assert (await server.ask(request("POST", "/", body=b"x" * large))).status == 200
        second.reset()
        await until(lambda: REGISTRY.get_sample_value("http_body_bytes") == 0)


async def test_pipelined_bodies_are_given_back_one_by_one() -> None:
    size = 16_384 + 1000
    async with serving_raw(echo, HttpSettings(http_bodies_bytes_max=16_384, http_body_bytes_max=size)) as server:
        async with server.connect() as connection:
            for _ in range(10):
                await connection.send(request("POST", "/", body=b"x" * size) * 3)
                assert [(await connection.answer()).status for _ in range(3)] == [200] * 3
        await until(lambda: REGISTRY.get_sample_value("http_body_bytes") == 0)


async def test_idle_connections_make_room_where_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_CROWDED_IDLE_SECONDS", 0.1)
    async with serving_raw(echo, HttpSettings(http_connections_max=2)) as server:
        async with server.connect() as first, server.connect() as second:
            for each in (first, second):
                await each.send(request())
                assert (await each.answer()).status == 200
            assert await first.closed() == await second.closed() == b""
        async with server.connect() as alone:
            await alone.send(request())
            assert (await alone.answer()).status == 200


async def test_reset_connections_are_freed() -> None:
    async def waiting(scope: Scope, receive: Receive, send: Send) -> None:
        # Whoever listens for the client's leaving learns of it.
        while (await receive())["type"] != "http.disconnect":
            pass
        await echo(scope, receive, send)

    seen: list[weakref.ref[object]] = []
    for app, raw in (
        (echo, request()),
        (echo, b"GET / HT"),
        (echo, request("POST", "/", "Content-Length: 100") + b"a"),
        (waiting, request()),
        (waiting, request() + request()),
    ):
        async with serving_raw(app, HttpSettings()) as server:
            async with server.connect() as connection:
                await connection.send(raw)
                if app is echo and raw == request():
                    await connection.answer()
                await until(lambda s=server: s.connections == 1)  # type: ignore[misc]
                seen += map(weakref.ref, server.server.server_state.connections)
                connection.reset()
            await until(lambda s=server: s.connections == 0 and not s.server.server_state.tasks)  # type: ignore[misc]
    gc.collect()
    assert len(seen) == 5
    assert [each() for each in seen] == [None] * 5


async def test_client_that_leaves_in_its_body_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    @post("/")
    async def take(request: Request) -> None:  # type: ignore[type-arg]
        await request.body()

    @get("/", sync_to_thread=False)
    def index() -> str:
        return "ok"

    app = correlate(Litestar([index, take], openapi_config=None, exception_handlers={Exception: problems.answer}))

    def gone() -> float:
        labels = {"method": "POST", "path": "/", "status": "499"}
        return REGISTRY.get_sample_value("http_requests_total", labels) or 0.0

    async def leave(server: RawServer, raw: bytes, *, is_reset: bool) -> None:
        before = gone()
        async with server.connect() as connection:
            await connection.send(raw)
            await until(lambda: bool(server.server.server_state.tasks))
            if is_reset:
                connection.reset()
            else:
                connection.writer.close()
            await until(lambda: gone() > before)

    with caplog.at_level(logging.INFO):
        async with serving_raw(app, HttpSettings()) as server:
            for raw in (request("POST", "/", "Content-Length: 9") + b"a", request("POST", "/", CHUNKED) + b"5\r\na"):
                await leave(server, raw, is_reset=True)
                await leave(server, raw, is_reset=False)
            assert (await server.ask(request())).status == 200
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
