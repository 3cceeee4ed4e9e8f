"""Proxies in a process of their own: what goes through them does not wait for whoever uses them.

async with running_proxies([5432, 5672]) as (database, broker):
    await database.act("delay", 0.1)
    await broker.act("reset")
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Literal

import msgspec
import uvloop

from deploy.local.layout import ROOT
from tests.support.proxy import Proxy, running_proxy

SECONDS = 30.0
"""How long the process may take to start, or to do something."""

type Act = Literal["delay", "hold", "release", "reset", "forget", "refuse", "admit"]


class Command(msgspec.Struct, array_like=True):
    """What one of the proxies is to do."""

    place: int
    act: Act
    seconds: float = 0.0


_COMMANDS = msgspec.json.Decoder(Command)


class Handle:
    """One of the proxies, seen from the process that uses it."""

    def __init__(self, process: asyncio.subprocess.Process, turn: asyncio.Lock, place: int, port: int) -> None:
        self._process = process
        self._turn = turn
        self._place = place
        self.port = port

    async def act(self, act: Act, seconds: float = 0.0) -> None:
        """Let it do something; returns when it has."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        async with self._turn, asyncio.timeout(SECONDS):
            self._process.stdin.write(msgspec.json.encode(Command(self._place, act, seconds)) + b"\n")
            if not await self._process.stdout.readline():
                raise AssertionError("the process of the proxies has ended")


@asynccontextmanager
async def running_proxies(to_ports: Sequence[int]) -> AsyncIterator[list[Handle]]:
    """Run a proxy to each port of loopback until the block ends."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.proxies", *map(str, to_ports)),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(SECONDS):
            ports = msgspec.json.decode(await process.stdout.readline(), type=list[int])
        turn = asyncio.Lock()
        yield [Handle(process, turn, place, port) for place, port in enumerate(ports)]
    finally:
        process.stdin.close()
        async with asyncio.timeout(SECONDS):
            await process.wait()


async def serve(to_ports: Sequence[int]) -> None:
    """Run proxies, and do what comes on standard input until that ends."""
    async with AsyncExitStack() as stack:
        proxies = [await stack.enter_async_context(running_proxy(port)) for port in to_ports]
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        print(msgspec.json.encode([proxy.port for proxy in proxies]).decode(), flush=True)
        while line := await reader.readline():
            command = _COMMANDS.decode(line)
            _do(proxies[command.place], command)
            print(flush=True)


def _do(proxy: Proxy, command: Command) -> None:
    match command.act:
        case "delay":
            proxy.delay_seconds = command.seconds
        case "hold":
            proxy.hold()
        case "release":
            proxy.release()
        case "reset":
            proxy.reset()
        case "forget":
            proxy.forget()
        case "refuse" | "admit":
            proxy.is_refusing = command.act == "refuse"


if __name__ == "__main__":
    uvloop.run(serve([int(port) for port in sys.argv[1:]]))
