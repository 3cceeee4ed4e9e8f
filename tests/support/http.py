"""A server of the platform's kind in the test's own process, and clients that send bytes as they please."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from litestar.types import ASGIApp

from libs.common.service import connection_options
from libs.common.settings import HttpSettings
from tests.support.ports import free_port

START_SECONDS = 20
ANSWER_SECONDS = 20


class RawAnswer:
    """What a server has sent as one answer."""

    def __init__(self, head: bytes, body: bytes) -> None:
        self.status = int(head.split(b" ", 2)[1])
        lines = (line.partition(b": ") for line in head.split(b"\r\n")[1:])
        self.headers = {name.lower().decode(): value.decode() for name, _, value in lines}
        self.body = body

    @property
    def code(self) -> str:
        """The code of a problem document."""
        assert self.headers["content-type"] == "application/problem+json", self.headers
        problem = json.loads(self.body)
        assert problem["status"] == self.status
        assert problem["correlation_id"] == self.headers["x-correlation-id"]
        return str(problem["code"])


class RawConnection:
    """One TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, *parts: bytes) -> None:
        """Send bytes, each part as a segment of its own as far as the network lets us."""
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()

    async def answer(self, *, has_body: bool = True) -> RawAnswer:
        """Read the next answer."""
        async with asyncio.timeout(ANSWER_SECONDS):
            head = (await self.reader.readuntil(b"\r\n\r\n")).removesuffix(b"\r\n\r\n")
            found = RawAnswer(head, b"")
            if has_body:
                found.body = await self.reader.readexactly(int(found.headers.get("content-length", "0")))
        return found

    async def closed(self) -> bytes:
        """Wait until the server closes, and return what it has sent before."""
        async with asyncio.timeout(ANSWER_SECONDS):
            return await self.reader.read()

    def reset(self) -> None:
        """Leave without a word, as a client that has crashed."""
        self.writer.transport.abort()


class RawServer:
    """A running server."""

    def __init__(self, server: uvicorn.Server, port: int) -> None:
        self.server = server
        self.port = port

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self.server.server_state.connections)

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[RawConnection]:
        """Open a connection for the length of a block."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield RawConnection(reader, writer)
        finally:
            writer.close()

    async def ask(self, *parts: bytes) -> RawAnswer:
        """Send bytes on a connection of their own, and read the first answer."""
        async with self.connect() as connection:
            await connection.send(*parts)
            return await connection.answer()


@asynccontextmanager
async def serving_raw(app: Any, http: HttpSettings) -> AsyncIterator[RawServer]:
    """Serve an ASGI application as the services are served, until the block ends."""
    port = free_port()
    options = connection_options(http)
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, lifespan="off", **options)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(START_SECONDS):
            while not server.started:
                await asyncio.sleep(0.01)
        yield RawServer(server, port)
    finally:
        server.should_exit = server.force_exit = True
        await running


def request(method: str = "GET", target: str = "/", *headers: str, body: bytes = b"") -> bytes:
    """Write a request."""
    lines = [f"{method} {target} HTTP/1.1", "Host: x", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


__all__ = ["ASGIApp", "RawAnswer", "RawConnection", "RawServer", "request", "serving_raw"]
