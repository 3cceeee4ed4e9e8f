"""Requests to servers of others: to no forbidden address, along no redirect, and never longer or larger than agreed."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from libs.common.egress import EVERYWHERE, LOCAL_NETWORKS, EgressGuard
from services.api.outside import Outside, Unreachable


class Server:
    """Counts who reaches it, and answers as the test wants."""

    def __init__(self) -> None:
        self.base = ""
        self.forms: list[dict[str, str]] = []
        self.requests = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        match request.path:
            case "/moved":
                return web.Response(status=302, headers={"Location": f"{self.base}/document"})
            case "/large":
                return web.Response(body=b"x" * 300_000)
            case "/endless":
                response = web.StreamResponse()
                await response.prepare(request)
                while True:
                    await response.write(b"x" * 1_000)
            case "/slow":
                await asyncio.Event().wait()
            case "/broken":
                assert request.transport is not None
                request.transport.abort()
        self.forms.append({name: str(value) for name, value in (await request.post()).items()})
        return web.Response(body=b'{"a": 1}', headers={"Set-Cookie": "a=b"})


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


@asynccontextmanager
async def opened(guard: EgressGuard, *, timeout_seconds: float = 20.0) -> AsyncIterator[Outside]:
    outside = Outside(guard, timeout_seconds=timeout_seconds)
    try:
        yield outside
    finally:
        await outside.close()


async def test_a_document_is_read_and_a_form_is_sent() -> None:
    async with serving() as server, opened(EgressGuard(allowed=LOCAL_NETWORKS)) as outside:
        assert await outside.read(f"{server.base}/document") == b'{"a": 1}'
        reply = await outside.request(f"{server.base}/token", form={"code": "a b&c"})
        assert (reply.status, reply.body) == (200, b'{"a": 1}')
        assert server.forms == [{}, {"code": "a b&c"}]


async def test_redirects_are_not_followed() -> None:
    async with serving() as server, opened(EgressGuard(allowed=LOCAL_NETWORKS)) as outside:
        with pytest.raises(Unreachable, match="status 302"):
            await outside.read(f"{server.base}/moved")
        assert (await outside.request(f"{server.base}/moved", form={})).status == 302
        assert server.requests == 2


@pytest.mark.parametrize(
    ("path", "reason"),
    [("large", "larger"), ("endless", "larger"), ("slow", "in time"), ("broken", "no complete answer")],
)
async def test_size_and_time_of_an_answer_are_bounded(path: str, reason: str) -> None:
    async with serving() as server, opened(EgressGuard(allowed=LOCAL_NETWORKS), timeout_seconds=2.0) as outside:
        with pytest.raises(Unreachable, match=reason):
            await outside.request(f"{server.base}/{path}")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "127.1"])
async def test_our_own_network_is_not_reached(host: str) -> None:
    async with serving() as server, opened(EgressGuard()) as outside:
        with pytest.raises(Unreachable):
            await outside.read(server.base.replace("127.0.0.1", host))
        assert server.requests == 0


async def test_a_name_that_resolves_to_our_network_later_is_not_reached() -> None:
    answers = iter(["93.184.216.34", "127.0.0.1"])

    async def lookup(_: str, __: int) -> list[tuple[int, str]]:
        return [(socket.AF_INET, next(answers))]

    async with serving() as server:
        port = server.base.rpartition(":")[2]
        outside = Outside(EgressGuard(denied=["93.184.216.34"]), lookup)
        for _ in range(2):
            with pytest.raises(Unreachable, match="forbidden"):
                await outside.read(f"http://provider.example:{port}/document")
        await outside.close()
        assert server.requests == 0


async def test_what_the_operator_names_may_be_in_our_network() -> None:
    async with serving() as server, opened(EgressGuard(allowed=EVERYWHERE)) as outside:
        assert await outside.read(f"{server.base}/document") == b'{"a": 1}'


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://[", "ftp://example.com/", "/keys", "http://a b/"])
async def test_what_is_no_address_or_has_no_server_is_unreachable(url: str) -> None:
    async with opened(EgressGuard(allowed=EVERYWHERE)) as outside:
        with pytest.raises(Unreachable):
            await outside.read(url)
