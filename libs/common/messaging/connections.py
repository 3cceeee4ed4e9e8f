"""Connections of the driver that are closed where they could not be made.

The driver leaves a connection whose first attempt failed to the garbage collector, which then makes a coroutine for the
close, whether a loop runs that could await it or not.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aio_pika
from aio_pika.abc import AbstractConnection, TimeoutType
from aio_pika.connection import Connection
from aio_pika.robust_connection import RobustConnection

from libs.common.messaging.driver import lost_not_cancelled


class PlainConnection(Connection):
    """A connection that ends with its transport."""

    async def connect(self, timeout: TimeoutType = None) -> None:
        """Connect, or close."""
        try:
            await super().connect(timeout)
        except BaseException:
            await self.close()
            raise


class LastingConnection(PlainConnection, RobustConnection):
    """A connection that the driver makes again, once its first attempt has succeeded."""


def is_open(connection: AbstractConnection | None) -> bool:
    """Whether a connection has been made and is not closed, by either side."""
    return connection is not None and connection.transport is not None and not connection.transport.connection.is_closed


async def connect(url: str, *, timeout_seconds: float) -> AbstractConnection:
    """Open a plain connection."""
    return await aio_pika.connect(url, timeout=timeout_seconds, connection_class=PlainConnection)


@asynccontextmanager
async def connected(url: str, *, timeout_seconds: float) -> AsyncIterator[AbstractConnection]:
    """Open a plain connection for the length of the block; a broker that has gone silent does not hold up its end."""
    connection = await connect(url, timeout_seconds=timeout_seconds)
    try:
        with lost_not_cancelled():
            yield connection
    finally:
        await close_in_time(connection, timeout_seconds)


async def close_in_time(connection: AbstractConnection, timeout_seconds: float) -> None:
    """Close a connection, whose broker may have gone silent or away.

    Whatever is not closed in time ends with the process; what was not acknowledged goes back to its queue.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_seconds):
            await connection.close()
