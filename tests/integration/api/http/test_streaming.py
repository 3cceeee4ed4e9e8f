"""Tables of any length over real HTTP: never a part for the whole, and a deadline between parts, not for all of them."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

import aiohttp
import pytest
import uvicorn
from litestar import Litestar, get
from litestar.response import Stream

from libs.common.errors import Unavailable
from libs.common.settings import HttpSettings
from libs.common.web import problems
from libs.common.web.head import answer_head
from services.api.http.callers import BeforeLooking, Principal
from services.api.http.edge import Edge
from services.api.http.errors import MissingToken
from services.api.http.tables import csv_answer
from services.api.rate_limit import RateLimiter, Store
from services.api.settings import EdgeSettings, RateSettings, RedisSettings
from tests.support.ports import free_port

TIMEOUT_SECONDS = 0.5
PAGES = 5

type Pages = AsyncIterator[Iterable[Sequence[str]]]


async def pages(*, pause_seconds: float = 0, breaks_at: int | None = None) -> Pages:
    for number in range(PAGES):
        await asyncio.sleep(pause_seconds)
        if number == breaks_at:
            raise Unavailable("the ledger service does not answer")
        yield [[str(number), "x" * 100]] * 100


@get("/whole", sync_to_thread=False)
def whole() -> Stream:
    return csv_answer("table", ["number", "text"], pages())


@get("/slow", sync_to_thread=False)
def slow() -> Stream:
    # Longer than a request may take, and each part in time.
    return csv_answer("table", ["number", "text"], pages(pause_seconds=TIMEOUT_SECONDS / 2))


@get("/stuck", sync_to_thread=False)
def stuck() -> Stream:
    return csv_answer("table", ["number", "text"], pages(pause_seconds=TIMEOUT_SECONDS * 4))


@get("/broken", sync_to_thread=False)
def broken() -> Stream:
    return csv_answer("table", ["number", "text"], pages(breaks_at=3))


class Nobody:
    """Knows no bearer."""

    async def verify(self, authorization: str | None, before_looking: BeforeLooking | None = None) -> Principal:
        raise MissingToken()


@asynccontextmanager
async def served() -> AsyncIterator[str]:
    """Serve the routes above behind the api's own edge."""
    store = Store(RedisSettings())
    edge = Edge(
        bearers=Nobody(),
        limiter=RateLimiter(store),
        chaos=None,
        settings=EdgeSettings(http_timeout_seconds=TIMEOUT_SECONDS),
        rates=RateSettings(),
        http=HttpSettings(),
        is_local=True,
    )
    app = Litestar([whole, slow, stuck, broken], exception_handlers={Exception: problems.answer}, openapi_config=None)
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(edge.wrap(answer_head(app)), host="127.0.0.1", port=port, log_config=None))
    running = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(60):
            while not server.started:
                await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await running
        await store.close()


@pytest.mark.parametrize("path", ["whole", "slow"])
async def test_every_page_arrives_however_long_all_of_them_take(path: str) -> None:
    async with served() as base, aiohttp.ClientSession() as http, http.get(f"{base}/{path}") as answer:
        assert answer.headers["content-disposition"] == 'attachment; filename="table.csv"'
        assert len((await answer.text()).splitlines()) == 1 + PAGES * 100


@pytest.mark.parametrize("path", ["broken", "stuck"])
async def test_a_page_that_cannot_be_had_breaks_the_file_off(path: str) -> None:
    async with served() as base, aiohttp.ClientSession() as http, http.get(f"{base}/{path}") as answer:
        assert answer.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()


async def test_a_reader_who_leaves_ends_the_stream_and_a_head_needs_no_page(caplog: pytest.LogCaptureFixture) -> None:
    async with served() as base, aiohttp.ClientSession() as http:
        async with http.head(f"{base}/whole") as head:
            assert (head.status, await head.read()) == (200, b"")
            assert head.headers["content-disposition"] == 'attachment; filename="table.csv"'
        async with http.get(f"{base}/slow") as left:
            await left.content.readany()
            left.close()
        async with http.get(f"{base}/whole") as whole:
            assert len((await whole.text()).splitlines()) == 1 + PAGES * 100
    assert not [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}]
