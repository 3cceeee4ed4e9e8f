"""The proxy of the fault harness does to connections what it is set to, and keeps the order of bytes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.support.proxies import running_proxies
from tests.support.proxy import Proxy, running_proxy

pytestmark = pytest.mark.unit

SECONDS = 10


class Caller:
    """A client of an echo server behind a proxy."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter

    async def connect(self) -> None:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.proxy.port)

    async def echo(self, sent: bytes) -> bytes:
        self.writer.write(sent)
        async with asyncio.timeout(SECONDS):
            return await self.reader.readexactly(len(sent))

    async def receives_nothing(self, sent: bytes, *, seconds: float = 0.1) -> None:
        self.writer.write(sent)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.reader.readexactly(1)


@asynccontextmanager
async def calling() -> AsyncIterator[Caller]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while found := await reader.read(65_536):
                writer.write(found)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with running_proxy(server.sockets[0].getsockname()[1]) as proxy:
        caller = Caller(proxy)
        await caller.connect()
        assert await caller.echo(b"here") == b"here"
        yield caller
        caller.writer.close()
    server.close()


async def test_everything_comes_through_in_order() -> None:
    async with calling() as caller:
        sent = bytes(range(256)) * 20_000
        assert await caller.echo(sent) == sent


async def test_delay_is_added_in_both_directions() -> None:
    async with calling() as caller:
        caller.proxy.delay_seconds = 0.05
        began = asyncio.get_running_loop().time()
        assert await caller.echo(b"late") == b"late"
        # The loop counts in whole milliseconds.
        assert asyncio.get_running_loop().time() - began > 0.0985


async def test_what_is_sent_after_a_delay_does_not_overtake() -> None:
    async with calling() as caller:
        caller.proxy.delay_seconds = 0.05
        caller.writer.write(b"first")
        await asyncio.sleep(0.01)
        caller.proxy.delay_seconds = 0.0
        caller.writer.write(b"second")
        async with asyncio.timeout(SECONDS):
            assert await caller.reader.readexactly(11) == b"firstsecond"


async def test_what_is_held_back_comes_after_the_release() -> None:
    async with calling() as caller:
        caller.proxy.hold()
        await caller.receives_nothing(b"one")
        caller.writer.write(b"two")
        caller.proxy.release()
        async with asyncio.timeout(SECONDS):
            assert await caller.reader.readexactly(6) == b"onetwo"


async def test_reset_reaches_the_client_and_new_connections_work() -> None:
    async with calling() as caller:
        caller.proxy.reset()
        with pytest.raises(ConnectionResetError):
            await caller.reader.readexactly(1)
        await caller.connect()
        assert await caller.echo(b"again") == b"again"


async def test_forgotten_connection_stays_open_and_silent_for_ever() -> None:
    async with calling() as caller:
        caller.proxy.forget()
        await caller.receives_nothing(b"anybody")
        assert not caller.reader.at_eof()
        other = Caller(caller.proxy)
        await other.connect()
        assert await other.echo(b"new") == b"new"
        other.writer.close()


async def test_refused_client_is_reset_until_that_ends() -> None:
    async with calling() as caller:
        caller.proxy.is_refusing = True
        caller.proxy.reset()
        other = Caller(caller.proxy)
        await other.connect()
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await other.reader.readexactly(1)
        caller.proxy.is_refusing = False
        await other.connect()
        assert await other.echo(b"back") == b"back"
        other.writer.close()


async def test_end_of_a_server_ends_the_client() -> None:
    async def answer_and_go(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"bye")
        writer.close()

    server = await asyncio.start_server(answer_and_go, "127.0.0.1", 0)
    async with running_proxy(server.sockets[0].getsockname()[1]) as proxy:
        caller = Caller(proxy)
        await caller.connect()
        async with asyncio.timeout(SECONDS):
            assert await caller.reader.read() == b"bye"
        caller.writer.close()
    server.close()


async def test_server_that_is_away_resets_the_client() -> None:
    async with running_proxy(1) as proxy:
        caller = Caller(proxy)
        await caller.connect()
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await caller.reader.readexactly(1)


async def test_proxies_of_another_process_do_what_they_are_to_do() -> None:
    async with calling() as caller, running_proxies([caller.proxy.port, 1]) as (proxy, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"here")
        async with asyncio.timeout(SECONDS):
            assert await reader.readexactly(4) == b"here"
        await proxy.act("hold")
        writer.write(b"later")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await reader.readexactly(1)
        await proxy.act("release")
        async with asyncio.timeout(SECONDS):
            assert await reader.readexactly(5) == b"later"
        await proxy.act("reset")
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(1)
