"""The connection that consumes: it is made again whenever it ends, and with it the topology and every reader.

A connection of its own: the broker stops reading from one that publishes while it is short of memory or disk, and
acknowledgements must go on then.
"""

import asyncio
from collections.abc import Callable, Sequence
from itertools import count

from aio_pika.abc import AbstractConnection
from aiormq.exceptions import AMQPChannelError

from libs.common import outages
from libs.common.errors import Unavailable
from libs.common.messaging.connections import connect, is_open
from libs.common.messaging.declaring import Declaration
from libs.common.messaging.driver import lost_not_cancelled
from libs.common.messaging.publisher import CONNECT_SECONDS, forgiving, named
from libs.common.messaging.reader import Reader, Subscription
from libs.common.messaging.topology import Topology, TopologyConflict, declare
from libs.common.observability import metrics
from libs.common.observability.logging import get_logger
from libs.common.tasks import end_all, stop_if_cancelled

log = get_logger("messaging.consuming")

_RECONNECT_SECONDS = 1.0
_LIVED_SECONDS = 10.0
"""A connection that lived for so long and ended is made again at once: the next attempt that fails is followed by a pause."""
_READ_AGAIN_SECONDS = 0.5
"""Pause before a queue is read again whose reader has ended."""
_DECLARE_SECONDS = 180.0
"""How long the topology may take name by name: some hundred answers, each with a deadline of its own, of a broker that may have just
started. What takes longer begins anew, so a shorter bound would keep a process from a slow broker for ever."""
_REPEAT_SECONDS = 30.0
"""How long it may take in one write."""
_ONE_BY_ONE_EVERY = 4
"""Of so many times that the topology is declared again, one goes name by name: the broker's answers count the consumers of each
queue, and what belongs to other services is made too where it is missing."""
_CLOSE_SECONDS = 5.0


class Consuming:
    """Reads the queues of one service until it is stopped."""

    def __init__(self, url: str, *, name: str, idle_max_seconds: float, declare_every_seconds: float) -> None:
        self._url = named(url, f"{name} consumes")
        self._idle_max_seconds = idle_max_seconds
        self._declare_every_seconds = declare_every_seconds
        self._readers: list[Reader] = []
        self._topology: Topology | None = None
        self._declaration: Declaration | None = None
        self._connection: AbstractConnection | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._declaring = asyncio.Lock()
        self._conflict = ""
        self._declared_at = 0.0
        """When the last declaration ended that the broker took, on the loop's clock."""
        self._is_stopping = False

    def add(self, subscription: Subscription) -> None:
        """Read a queue too. To be called before `start`."""
        self._readers.append(Reader(subscription))

    async def start(self, topology: Topology) -> None:
        """Connect, declare the topology and begin to read.

        Raises:
            Unavailable: when the broker does not answer.
            TopologyConflict: when the broker holds something of the same name with other arguments.
        """
        self._topology, self._declaration = topology, Declaration(topology)
        try:
            with lost_not_cancelled():
                self._connection = await connect(self._url, timeout_seconds=CONNECT_SECONDS)
                # Mostly all of it is there: name by name is some hundred answers, for half a minute of a busy broker.
                if not await self._is_declared(self._connection, is_whole=True):
                    await self._declare(self._connection)
        except TopologyConflict as conflict:
            self._conflict = conflict.detail
            await self._close()
            raise
        except Exception as fault:
            await self._close()
            if not outages.is_outage(fault):
                raise
            raise Unavailable("RabbitMQ does not answer") from fault
        self._keeper = asyncio.create_task(self._keep(), name="consume")

    @property
    def conflict(self) -> str:
        """What the broker holds with other arguments than ours, in words; empty when nothing is known."""
        return self._conflict

    @property
    def trouble(self) -> str:
        """What keeps this process from consuming, in words; empty when it consumes every queue."""
        if not is_open(self._connection):
            return "not connected"
        if self._conflict:
            return self._conflict
        deaf = sorted(reader.name for reader in self._readers if not reader.consumer)
        return f"no consumer on {', '.join(deaf)}" if deaf else ""

    async def until_reads(self, queue: str) -> None:
        """Wait until a queue is consumed, which it is a moment after the connection is made.

        Raises:
            Unavailable: when there is no connection.
        """
        if not is_open(self._connection):
            raise Unavailable("RabbitMQ is not connected")
        for reader in self._readers:
            if reader.queue == queue:
                await reader.until_it_reads()

    async def stop_reading(self) -> None:
        """Take no further message; what has arrived may still be acknowledged."""
        self._is_stopping = True
        for reader in self._readers:
            async with forgiving():
                await reader.stop()

    async def stop(self) -> None:
        """Close the channels and the connection; what was not acknowledged goes back to its queue."""
        self._is_stopping = True
        if self._keeper is not None:
            await end_all([self._keeper])
        await self._close()

    async def _close(self) -> None:
        if self._connection is None:
            return
        async with forgiving(), asyncio.timeout(_CLOSE_SECONDS):
            await self._connection.close()

    async def _keep(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            try:
                with lost_not_cancelled():
                    connection = self._connection
                    is_new = connection is None or not is_open(connection)
                    if connection is None or is_new:
                        connection = self._connection = await connect(self._url, timeout_seconds=CONNECT_SECONDS)
                        log.info("consuming.connected")
                    # What was there before mostly still is, so it is read at once, and declared meanwhile.
                    await self._session(connection, declares_at_once=is_new)
            except TopologyConflict as conflict:
                self._conflict = conflict.detail
                log.error("topology.conflict", detail=conflict.detail)
            except Exception as fault:
                if outages.is_outage(fault):
                    reason = outages.cause_of(fault)
                    log.warning("consuming.not_connected", reason=reason, seconds=_RECONNECT_SECONDS)
                else:
                    log.exception("consuming.failed")
            if self._is_stopping:
                return
            # Whatever it was: a fresh connection has no memory of it, and what this one held comes back.
            await self._close()
            if clock() - began < _LIVED_SECONDS:
                await asyncio.sleep(_RECONNECT_SECONDS)

    async def _session(self, connection: AbstractConnection, *, declares_at_once: bool) -> None:
        """Read, declare and watch for as long as a connection lives."""
        assert connection.transport is not None
        # The driver's own end of it: a plain connection of aio-pika does not tell when the other side has closed it.
        closed = connection.transport.connection.closing
        work = [
            *(
                asyncio.create_task(self._read(connection, reader), name=f"read {reader.name}")
                for reader in self._readers
            ),
            asyncio.create_task(self._declare_again(connection, at_once=declares_at_once), name="declare topology"),
            asyncio.create_task(self._watch(), name="watch messages"),
        ]
        try:
            done, _ = await asyncio.wait({closed, *work}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {closed}:
                task.result()
        finally:
            await end_all(work)

    async def _read(self, connection: AbstractConnection, reader: Reader) -> None:
        while True:
            try:
                await reader.read(connection)
                reason = "its channel or consumer has ended"
            except Exception as fault:
                stop_if_cancelled()
                if not outages.is_outage(fault):
                    raise
                reason = outages.cause_of(fault)
            if self._is_stopping:
                return await asyncio.Event().wait()  # type: ignore[return-value] # until the session ends
            lost_at = asyncio.get_running_loop().time()
            log.warning("consumer.lost", queue=reader.queue, reason=reason, seconds=_READ_AGAIN_SECONDS)
            await asyncio.sleep(_READ_AGAIN_SECONDS)
            # Its queue may be the thing that has gone.
            if not await self._is_declared(connection, is_whole=True, lost_at=lost_at):
                await self._heal(connection, lost_at=lost_at)

    async def _declare_again(self, connection: AbstractConnection, *, at_once: bool) -> None:
        if at_once and not await self._is_declared(connection):
            await self._heal(connection)
        for number in count(1):
            await asyncio.sleep(self._declare_every_seconds)
            if number % _ONE_BY_ONE_EVERY == 0 or not await self._is_declared(connection):
                await self._heal(connection)

    async def _is_declared(
        self, connection: AbstractConnection, *, is_whole: bool = False, lost_at: float | None = None
    ) -> bool:
        """Declare what is ours in one write, and look for the rest where `is_whole`; returns whether the broker took all of it.

        Nothing is written where somebody has declared since something was lost, at an instant of the loop's clock.
        """
        assert self._declaration is not None
        if self._conflict:
            return False
        try:
            async with (
                self._declaring,
                asyncio.timeout(_REPEAT_SECONDS),
                connection.channel(publisher_confirms=False) as channel,
            ):
                if lost_at is not None and self._declared_at > lost_at:
                    return True
                await (self._declaration.whole(channel) if is_whole else self._declaration.repeat(channel))
        except Exception as fault:
            stop_if_cancelled()
            if not (isinstance(fault, AMQPChannelError) or outages.is_outage(fault)):
                raise
            return False
        self._declared_at = asyncio.get_running_loop().time()
        return True

    async def _heal(self, connection: AbstractConnection, *, lost_at: float | None = None) -> None:
        """Declare name by name, where nobody has declared everything since something was lost at an instant of the loop's clock."""
        try:
            await self._declare(connection, lost_at=lost_at)
        except TopologyConflict as conflict:
            if self._conflict != conflict.detail:
                log.error("topology.conflict", detail=conflict.detail)
            self._conflict = conflict.detail
        except Exception as fault:
            stop_if_cancelled()
            if not outages.is_outage(fault):
                raise
            log.warning("topology.not_declared", reason=outages.cause_of(fault))

    async def _declare(self, connection: AbstractConnection, *, lost_at: float | None = None) -> None:
        assert self._topology is not None
        async with self._declaring, asyncio.timeout(_DECLARE_SECONDS):
            if lost_at is not None and self._declared_at > lost_at:
                return
            before = {reader.queue: reader.consumer for reader in self._readers if not reader.is_own}
            async with connection.channel(publisher_confirms=False) as channel:
                consumers = await declare(channel, self._topology)
            self._conflict = ""
            self._declared_at = asyncio.get_running_loop().time()
            for reader in self._readers:
                consumer = before.get(reader.queue)
                if consumer and consumer == reader.consumer and consumers.get(reader.queue) == 0:
                    log.warning("consumer.unknown_to_the_broker", queue=reader.queue)
                    reader.end()

    async def _watch(self) -> None:
        """Look for messages that nobody works on, and end the channels that hold them."""
        clock: Callable[[], float] = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(self._idle_max_seconds / 2)
            end_forgotten(self._readers, older_than=clock() - self._idle_max_seconds)


def end_forgotten(readers: Sequence[Reader], *, older_than: float) -> None:
    """End each reader that holds messages since before an instant of the loop's clock without anybody's work on them."""
    for reader in readers:
        forgotten = reader.forgotten(older_than=older_than)
        if forgotten:
            metrics.MESSAGES_FORGOTTEN.labels(reader.name).inc(forgotten)
            log.error("messages.forgotten", queue=reader.queue, count=forgotten, held=reader.held)
            reader.end()
