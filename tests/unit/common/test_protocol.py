"""Bytes as they arrive at a real server: what is too large, too slow, too many or unclear is refused, and freed."""

import asyncio
import json
from collections.abc import Callable

import pytest
from litestar.enums import ScopeType
from litestar.types import Receive, Scope, Send
from prometheus_client import REGISTRY

from libs.common.precedence import Precedence, precedence
from libs.common.settings import HttpSettings
from tests.support.http import request, serving_raw

BODY_MAX, HEADERS_MAX, COUNT_MAX, URL_MAX = 1000, 8192, 20, 500
SHORT = 0.3
"""Seconds of a limit that a test waits for."""
SMALL = HttpSettings(
    http_body_bytes_max=BODY_MAX,
    http_header_bytes_max=HEADERS_MAX,
    http_header_count_max=COUNT_MAX,
    http_url_bytes_max=URL_MAX,
)
HASTY = HttpSettings(http_header_seconds=SHORT, http_body_seconds=SHORT, http_write_seconds=SHORT)
CHUNKED = "Transfer-Encoding: chunked"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with what was received: the path, the names of the headers, the length of the body."""
    assert scope["type"] == ScopeType.HTTP
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return
        size += len(message["body"])
        if not message["more_body"]:
            break
    names = [name.decode() for name, _ in scope["headers"]]
    body = json.dumps({"path": scope["path"], "headers": names, "size": size}).encode()
    length = str(len(body)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def refused(reason: str) -> float:
    """How many connections were refused for a reason."""
    return REGISTRY.get_sample_value("http_refused_total", {"reason": reason}) or 0.0


async def until(holds: Callable[[], bool]) -> None:
    """Wait for a fact."""
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.01)


MALFORMED = (
    b"hello\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost : x\r\nA\x00B: 1\r\n\r\n",
    b"GET / HTTP/1.1\r\nNoHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n folded: x\r\n\r\n",
    b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 1\r\n\r\nx",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\nx",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\nx",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 4\r\n\r\nGET ",
)


async def test_what_is_not_http_is_refused_in_a_problem_document() -> None:
    async with serving_raw(echo, SMALL) as server:
        before = refused("malformed")
        for raw in MALFORMED:
            async with server.connect() as connection:
                await connection.send(raw)
                answer = await connection.answer()
                assert (answer.status, answer.code) == (400, "malformed_request"), raw
                assert answer.headers["connection"] == "close"
                assert await connection.closed() == b"", raw
        assert refused("malformed") > before
        await until(lambda: server.connections == 0)


@pytest.mark.parametrize("name", ["Authorization", "X-Tenant-Id", "Idempotency-Key", "Host", "Content-Type"])
async def test_header_that_is_there_twice_is_refused_by_name(name: str) -> None:
    async with serving_raw(echo, SMALL) as server:
        answer = await server.ask(request("GET", "/", f"{name}: a", f"{name.lower()}: a"))
    assert (answer.status, answer.code) == (400, "duplicate_header")
    assert name in json.loads(answer.body)["detail"]


LARGE = (
    (request("GET", "/" + "a" * URL_MAX), 414, "url_too_long"),
    (request("GET", "/", "A: " + "a" * HEADERS_MAX), 431, "headers_too_large"),
    (request("GET", "/", *[f"A{n}: {'a' * 1000}" for n in range(9)]), 431, "headers_too_large"),
    (request("GET", "/", *[f"A{n}: " for n in range(COUNT_MAX)]), 431, "headers_too_large"),
    (request("POST", "/", f"Content-Length: {BODY_MAX + 1}"), 413, "body_too_large"),
    (request("POST", "/", CHUNKED) + b"3e9\r\n" + b"a" * 1001 + b"\r\n0\r\n\r\n", 413, "body_too_large"),
    (request("POST", "/", CHUNKED) + b"1\r\na\r\n" * 1001 + b"0\r\n\r\n", 413, "body_too_large"),
    (request("POST", "/", CHUNKED) + b"0\r\n" + b"A: b\r\n" * 21 + b"\r\n", 431, "headers_too_large"),
)


@pytest.mark.parametrize("pieces", [1, 7])
async def test_what_is_too_large_is_refused_however_it_is_sent(pieces: int) -> None:
    async with serving_raw(echo, SMALL) as server:
        for raw, status, code in LARGE:
            step = -(-len(raw) // pieces)
            answer = await server.ask(*(raw[at : at + step] for at in range(0, len(raw), step)))
            assert (answer.status, answer.code) == (status, code), raw[:100]


@pytest.mark.parametrize("start", [b"GET /", b"GET / HTTP/1.1\r\nHost: x\r\nA: ", b"GET / HTTP/1.1\r\nA"])
async def test_head_without_end_is_refused_at_its_bound(start: bytes) -> None:
    async with serving_raw(echo, SMALL) as server, server.connect() as connection:
        await connection.send(start)
        for _ in range(2000):
            await connection.send(b"a" * 1000)
            if connection.reader._buffer:  # type: ignore[attr-defined]
                break
        answer = await connection.answer()
    assert answer.status in {414, 431}


async def test_what_is_just_within_bounds_is_taken() -> None:
    async with serving_raw(echo, SMALL) as server:
        headers = [f"A{n}: {'a' * 380}" for n in range(COUNT_MAX - 2)]
        full = request("POST", "/" + "a" * (URL_MAX - 1), *headers, body=b"b" * BODY_MAX)
        answer = await server.ask(full)
        assert (answer.status, json.loads(answer.body)["size"]) == (200, BODY_MAX)


async def test_headers_behind_a_body_are_read_by_nobody() -> None:
    async with serving_raw(echo, SMALL) as server:
        raw = request("POST", "/", CHUNKED)
        answer = await server.ask(raw, b"1\r\na\r\n0\r\nX-Tenant-Id: other\r\n\r\n")
    assert json.loads(answer.body)["headers"] == ["host", "transfer-encoding"]


async def test_body_of_a_get_is_not_the_next_request() -> None:
    async with serving_raw(echo, SMALL) as server, server.connect() as connection:
        await connection.send(
            request("GET", "/first", body=b"GET /smuggled HTTP/1.1\r\n\r\n") + request("GET", "/next")
        )
        assert json.loads((await connection.answer()).body)["path"] == "/first"
        assert json.loads((await connection.answer()).body)["path"] == "/next"


async def test_offer_to_upgrade_is_ignored() -> None:
    async with serving_raw(echo, SMALL) as server, server.connect() as connection:
        offer = request("GET", "/first", "Connection: Upgrade", "Upgrade: websocket")
        await connection.send(offer + request("GET", "/next"))
        assert json.loads((await connection.answer()).body)["path"] == "/first"
        assert json.loads((await connection.answer()).body)["path"] == "/next"


async def test_pipelined_requests_are_answered_in_order_and_bounded() -> None:
    async with serving_raw(echo, SMALL) as server:
        async with server.connect() as connection:
            await connection.send(b"".join(request("GET", f"/{n}") for n in range(10)))
            paths = [json.loads((await connection.answer()).body)["path"] for _ in range(10)]
            assert paths == [f"/{n}" for n in range(10)]
        async with server.connect() as connection:
            await connection.send(b"".join(request("GET", f"/{n}") for n in range(5000)))
            sent = await connection.closed()
        assert sent.count(b"HTTP/1.1 200 OK") == 16


async def test_a_pipelined_request_begins_with_nothing_of_the_one_before() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == ScopeType.HTTP
        body = precedence.get().name.encode()
        precedence.set(Precedence.BEGUN)
        length = str(len(body)).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async with serving_raw(app, SMALL) as server, server.connect() as connection:
        await connection.send(request("POST", "/v1/begun") + request("GET", "/healthz"))
        assert [(await connection.answer()).body for _ in range(2)] == [b"ACCEPTED"] * 2


async def test_refusal_never_stands_in_for_an_earlier_answer() -> None:
    released = asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await released.wait()
        await echo(scope, receive, send)

    async with serving_raw(slow, SMALL) as server:
        for wrong in (b"garbage\r\n\r\n", LARGE[0][0], LARGE[4][0], LARGE[5][0]):
            released.clear()
            async with server.connect() as connection:
                before = sum(refused(reason) for reason in ("malformed", "url_bytes", "body_bytes"))
                await connection.send(request("GET", "/first") + wrong)
                await until(lambda b=before: sum(map(refused, ("malformed", "url_bytes", "body_bytes"))) > b)  # type: ignore[misc]
                released.set()
                assert json.loads((await connection.answer()).body)["path"] == "/first"
                assert await connection.closed() == b""


async def test_nothing_follows_a_request_that_closes() -> None:
    async with serving_raw(echo, SMALL) as server, server.connect() as connection:
        await connection.send(request("GET", "/first", "Connection: close") + request("GET", "/next"))
        sent = await connection.closed()
    assert sent.count(b"HTTP/1.1 200 OK") == 1


@pytest.mark.parametrize(
    "start", [b"GET / HTTP/1.1\r\nHost", b"G", request("GET", "/") + b"GET / HTTP/1.1\r\nA: ", b"\r\nGET"]
)
async def test_headers_that_do_not_arrive_in_time_are_refused(start: bytes) -> None:
    async with serving_raw(echo, HASTY) as server, server.connect() as connection:
        await connection.send(start)
        answer = await connection.answer()
        if answer.status == 200:
            answer = await connection.answer()
        assert (answer.status, answer.code) == (408, "request_too_slow")
        assert await connection.closed() == b""


@pytest.mark.parametrize("start", [b"", b"\r\n", b"\r\n\r\n\r\n"])
async def test_connection_that_says_nothing_is_closed(start: bytes) -> None:
    async with serving_raw(echo, HASTY) as server, server.connect() as connection:
        await connection.send(start)
        assert await connection.closed() == b""
        await until(lambda: server.connections == 0)


@pytest.mark.parametrize("framing", ["Content-Length: 10", CHUNKED])
async def test_body_that_does_not_arrive_in_time_is_refused(framing: str) -> None:
    async with serving_raw(echo, HASTY) as server, server.connect() as connection:
        await connection.send(request("POST", "/", framing) + b"5")
        answer = await connection.answer()
        assert (answer.status, answer.code) == (408, "request_too_slow")
        assert await connection.closed() == b""


async def test_body_that_nobody_reads_does_not_keep_a_connection() -> None:
    async def hasty(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async with serving_raw(hasty, HASTY) as server, server.connect() as connection:
        await connection.send(request("POST", "/", "Content-Length: 100") + b"a")
        assert (await connection.answer()).status == 404
        assert await connection.closed() == b""


async def test_idle_connection_is_closed_in_its_time() -> None:
    keep = HttpSettings(http_keep_alive_seconds=1)
    async with serving_raw(echo, keep) as server, server.connect() as connection:
        await connection.send(request())
        assert (await connection.answer()).status == 200
        await connection.send(request("POST", "/", body=b"a"))
        assert (await connection.answer()).status == 200
        assert await connection.closed() == b""


@pytest.mark.parametrize("last", [False, True])
async def test_client_that_does_not_read_is_left(last: bool) -> None:
    async def large(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(0 if last else 256):
            await send({"type": "http.response.body", "body": b"a" * 65536, "more_body": True})
        await send({"type": "http.response.body", "body": b"a" * 16_777_216, "more_body": False})

    async with serving_raw(large, HASTY) as server, server.connect() as connection:
        connection.writer.transport.pause_reading()  # type: ignore[attr-defined]
        before = refused("write_timeout")
        await connection.send(request("GET", "/", "Connection: close" if last else "A: b"))
        await until(lambda: refused("write_timeout") > before)
        connection.reset()
        server.server.server_state.tasks.clear()
