"""The whole path of a webhook, and its history, over HTTP: the api and the notifier as processes."""

import asyncio
import multiprocessing
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from time import perf_counter
from typing import cast

import asyncpg
import msgspec
import uvloop

from deploy.local.servers import Servers
from tests.support.platform import ADMIN, DEMO_TENANT, OPERATOR, Client, Platform, running_platform

HANGING_SECONDS = 30.0
"""How long a hanging endpoint takes to answer."""
INTENTS_PER_SECOND = 20
"""Few enough that no event waits for another."""
PAGES = 200
"""Pages read of each kind."""
FAILED_SHARE = 1_000
"""One delivery of the history in so many failed."""
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class _Receiving(asyncio.Protocol):
    """Answers every POST at once; those to `/hang` half a minute later."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            at = head.index(b"content-length:") + 15
            length = int(head[at:].split(b"\r", 1)[0])
            if len(self._buffer) < end + 4 + length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            if head.startswith(b"post /hang"):
                asyncio.get_running_loop().call_later(HANGING_SECONDS, self._answer)
            else:
                self._answer()

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(_ANSWER)


def _receive(pipe: Pipe) -> None:
    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(_Receiving, "127.0.0.1", 0, backlog=1024)
        pipe.send(server.sockets[0].getsockname()[1])
        await asyncio.Event().wait()

    uvloop.run(serve())


@asynccontextmanager
async def receiver() -> AsyncIterator[int]:
    """The port of receivers in a process of their own: `/ok/...` answers at once, `/hang/...` after 30 seconds."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_receive, args=(theirs,), daemon=True)
    process.start()
    try:
        yield await asyncio.to_thread(ours.recv)
    finally:
        process.terminate()
        process.join()


class WholePath(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured over HTTP."""

    first_attempt_ms: list[float]
    """From the instant of the event, taken just before its commit, to its first attempt, ascending."""
    pages_ms: dict[str, list[float]]
    """Time to read one page of 50, by kind of page, ascending."""


async def measure_path(servers: Servers, *, intents: int, history: int) -> WholePath:
    """Create intents over HTTP and see when each is delivered; then fill the history and page through it."""
    with tempfile.TemporaryDirectory() as logs:
        async with receiver() as port, running_platform(servers, Path(logs), services=("api", "notifier")) as platform:
            operator, admin = await platform.login(OPERATOR), await platform.login(ADMIN)
            made = await admin.call(
                "POST", "/v1/webhooks", {"url": f"http://127.0.0.1:{port}/ok", "events": ["payment.*"]}
            )
            assert made.status == 201, made.raw
            endpoint = made.json["id"]
            first = await _first_attempts(platform, operator, intents=intents)
            await _remember(platform, deliveries=history, of=endpoint)
            where = f"/v1/webhooks/{endpoint}/deliveries?limit=50"
            pages = {
                "a page of an endpoint": await _pages(admin, where),
                "a page of its failures": await _pages(admin, where + "&status=FAILED"),
                "a page of all endpoints": await _pages(admin, "/v1/webhook-deliveries?limit=50"),
            }
    return WholePath(first_attempt_ms=first, pages_ms=pages)


async def _first_attempts(platform: Platform, operator: Client, *, intents: int) -> list[float]:
    began = perf_counter()
    for number in range(intents):
        await operator.create()
        await asyncio.sleep(max(0.0, began + number / INTENTS_PER_SECOND - perf_counter()))
    books = await asyncpg.connect(platform.database.admin_url)
    try:
        async with asyncio.timeout(60):
            while await books.fetchval("SELECT count(*) FROM notifier.attempts") < intents:
                await asyncio.sleep(0.1)
        rows = await books.fetch(
            "SELECT extract(epoch FROM a.attempted_at - m.occurred_at)::float8 * 1000 AS late "
            "FROM notifier.attempts AS a JOIN notifier.messages AS m USING (tenant_id, event_id) WHERE a.number = 1"
        )
    finally:
        await books.close()
    return sorted(row["late"] for row in rows)


async def _remember(platform: Platform, *, deliveries: int, of: str) -> None:
    """Fill the history with deliveries that are over, each with its attempt; one in a thousand failed."""
    books = await asyncpg.connect(platform.database.admin_url, server_settings={"search_path": "notifier"})
    failed = f"n % {FAILED_SHARE} = 0"
    tables = {
        "deliveries": (
            "id, event_type, status, attempts, fence, created_at, ended_at, end_reason",
            (
                f"event_id, 'payment.settled', CASE WHEN {failed} THEN 'FAILED' ELSE 'DELIVERED' END, 1, 2, now(), now(), "
                f"CASE WHEN {failed} THEN 'exhausted' ELSE 'delivered' END"
            ),
        ),
        "attempts": ("number, attempted_at, duration_ms, status_code, response_excerpt", "1, now(), 12, 200, 'ok'"),
    }
    try:
        # One event in each two seconds back from now: the history of three weeks lies in this month and the one before.
        for table, (columns, values) in tables.items():
            for first in range(0, deliveries, 50_000):
                await books.execute(
                    f"INSERT INTO {table} (tenant_id, endpoint_id, event_id, {columns}) "
                    f"SELECT $1, $2, event_id, {values} FROM generate_series($3::int, $4::int) AS n, LATERAL (SELECT "
                    "overlay(first_id(now() - n * interval '2 seconds')::text PLACING lpad(to_hex(n), 12, '0') FROM 25)"
                    "::uuid AS event_id) AS made",
                    DEMO_TENANT,
                    of,
                    first + 1,
                    min(first + 50_000, deliveries),
                    timeout=300,
                )
        await books.execute("ANALYZE deliveries, attempts", timeout=300)
    finally:
        await books.close()


async def _pages(admin: Client, where: str) -> list[float]:
    took, cursor = [], ""
    for _ in range(PAGES):
        began = perf_counter()
        page = await admin.call("GET", where + cursor)
        took.append((perf_counter() - began) * 1000)
        assert page.status == 200, page.raw
        following = page.json["next_cursor"]
        # From the beginning again where a list ends.
        cursor = f"&cursor={following}" if following else ""
    return sorted(took)
