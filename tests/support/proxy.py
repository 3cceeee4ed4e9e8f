"""A TCP proxy that delays, holds back, cuts and forgets what goes through it.

    async with running_proxy(5432) as proxy:
        proxy.delay_seconds = 0.1
        proxy.reset()

Bytes keep their order, whatever changes meanwhile. `forget` leaves connections open to both ends, through which nothing comes
any more, as after a firewall has lost its table; new ones work.
"""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

_LINGER_NONE = struct.pack("ii", 1, 0)
"""A socket that is closed with this sends RST instead of FIN."""


class _End(asyncio.Protocol):
    """One end of a connection: what it receives goes to the other one."""

    def __init__(self, connection: "_Connection") -> None:
        self._connection = connection
        self.other: _End | None = None
        self.transport: asyncio.Transport | None = None
        self._waiting: deque[tuple[float, bytes | None]] = deque()
        """What this end is to send, and when; None ends it."""
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._connection.made(self)

    def data_received(self, data: bytes) -> None:
        if self.other is not None and not self._connection.is_forgotten:
            self.other.send(data)

    def eof_received(self) -> bool:
        if self.other is not None and not self._connection.is_forgotten:
            self.other.send(None)
        return True

    def connection_lost(self, _: Exception | None) -> None:
        self._connection.lost(self)

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()

    def send(self, data: bytes | None) -> None:
        """Send what the other end has received, in time and in order."""
        proxy = self._connection.proxy
        if not self._waiting and not proxy.delay_seconds and not proxy.is_holding and self.transport is not None:
            self._write(data)
            return
        self._waiting.append((asyncio.get_running_loop().time() + proxy.delay_seconds, data))
        self.flush()

    def flush(self) -> None:
        """Send what is due."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        loop = asyncio.get_running_loop()
        while self._waiting and self.transport is not None and not self._connection.proxy.is_holding:
            due, data = self._waiting[0]
            if due > loop.time():
                self._timer = loop.call_at(due, self.flush)
                return
            self._waiting.popleft()
            self._write(data)

    def _write(self, data: bytes | None) -> None:
        assert self.transport is not None
        if self.transport.is_closing():
            return
        if data is not None:
            self.transport.write(data)
        elif self.transport.can_write_eof():
            self.transport.write_eof()

    def close(self, *, is_reset: bool) -> None:
        """Close it, with RST where it is to be reset."""
        self._waiting.clear()
        if self.transport is None or self.transport.is_closing():
            return
        if is_reset:
            found: socket.socket = self.transport.get_extra_info("socket")
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
            self.transport.abort()
        else:
            self.transport.close()


class _Connection:
    """A client's connection and ours to the server behind."""

    def __init__(self, proxy: "Proxy") -> None:
        self.proxy = proxy
        self.is_forgotten = False
        self.near, self.far = _End(self), _End(self)
        self.near.other, self.far.other = self.far, self.near

    def made(self, end: _End) -> None:
        """Connect to the server as soon as a client has come."""
        if end is self.near:
            self.proxy.connections.add(self)
            self.proxy.start(self)
        else:
            end.flush()

    def lost(self, end: _End) -> None:
        """End the other side too, once all that came has been sent; who is forgotten learns nothing of it."""
        other = self.far if end is self.near else self.near
        if not self.is_forgotten:
            other.flush()
            other.close(is_reset=False)
        if all(each.transport is None or each.transport.is_closing() for each in (self.near, self.far)):
            self.proxy.connections.discard(self)

    def close(self, *, is_reset: bool) -> None:
        """Close both ends."""
        for end in (self.near, self.far):
            end.close(is_reset=is_reset)
        self.proxy.connections.discard(self)


class Proxy:
    """Listens on `port`, and connects to a port of loopback."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self.port = 0
        self.delay_seconds = 0.0
        """How late everything comes, in both directions."""
        self.is_refusing = False
        """Whether new connections are reset at once."""
        self.is_holding = False
        self.connections: set[_Connection] = set()
        self._starting: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server

    async def open(self) -> None:
        """Listen on a free port of loopback."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self).near, "127.0.0.1", 0, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening, and close all connections."""
        self._server.close()
        self.reset()
        for task in self._starting:
            task.cancel()
        await asyncio.gather(*self._starting, return_exceptions=True)
        await self._server.wait_closed()

    def start(self, connection: _Connection) -> None:
        """Connect a client that has come to the server."""
        task = asyncio.get_running_loop().create_task(self._connect(connection))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def _connect(self, connection: _Connection) -> None:
        if self.is_refusing:
            connection.close(is_reset=True)
            return
        try:
            await asyncio.get_running_loop().create_connection(lambda: connection.far, "127.0.0.1", self._to_port)
        except OSError:
            connection.close(is_reset=True)
            return
        if connection not in self.connections:
            # It was closed meanwhile.
            connection.far.close(is_reset=True)

    def hold(self) -> None:
        """Hold back what comes from now on, until `release`."""
        self.is_holding = True

    def release(self) -> None:
        """Send what was held back, in order."""
        self.is_holding = False
        for connection in self.connections:
            connection.near.flush()
            connection.far.flush()

    def reset(self) -> None:
        """Reset all connections."""
        for connection in list(self.connections):
            connection.close(is_reset=True)

    def forget(self) -> None:
        """Let nothing come through the present connections any more, and leave them open."""
        for connection in self.connections:
            connection.is_forgotten = True


@asynccontextmanager
async def running_proxy(to_port: int) -> AsyncIterator[Proxy]:
    """Run a proxy to a port of loopback until the block ends."""
    proxy = Proxy(to_port)
    await proxy.open()
    try:
        yield proxy
    finally:
        await proxy.close()
