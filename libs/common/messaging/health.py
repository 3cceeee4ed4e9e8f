"""How the messages of a service go, as it answers to operators: what its outbox has, and what waits in its queues."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import msgspec
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity

from libs.common.contracts import Message
from libs.common.contracts.service_health import HEALTHS, GetServiceHealth, QueueHealth, ServiceHealth
from libs.common.db import Database
from libs.common.errors import PlatformError, Unavailable
from libs.common.messaging.claims import BACKLOG
from libs.common.messaging.connections import connected
from libs.common.messaging.topology import postponed_queue, topology
from libs.common.outages import is_outage

_SECONDS = 4.0
"""Deadline of an answer; its requester waits a little longer."""


class HealthAnswers:
    """Answers for the outbox and the queues of one service."""

    def __init__(self, *, service: str, url: str, database: Database) -> None:
        self._service = service
        self._url = url
        self._database = database
        self._foreign: list[str] = []

    def consumes(self, queue: str) -> None:
        """Answer for the queue of another team's messages, too."""
        self._foreign += [queue, postponed_queue(queue)]

    @property
    def answers(self) -> Iterator[tuple[type[Message], Callable[[Any], Awaitable[msgspec.Struct]]]]:
        """What it answers, and how."""
        if self._service in HEALTHS:
            yield HEALTHS[self._service], self.health

    async def health(self, _: GetServiceHealth) -> ServiceHealth:
        """Count what the outbox has, and what waits in each queue.

        Raises:
            Unavailable: when the database or RabbitMQ does not answer.
        """
        rows = await self._database.fetch(BACKLOG)
        pending = [row for row in rows if not row["destination"]]
        return ServiceHealth(
            outbox_pending=sum(row["pending"] for row in pending),
            outbox_oldest_seconds=max(0.0, *(float(row["oldest"] or 0) for row in pending), 0.0),
            outbox_refused=sum(row["pending"] for row in rows if row["destination"]),
            queues=await self._counted(),
        )

    async def _counted(self) -> list[QueueHealth]:
        try:
            async with (
                asyncio.timeout(_SECONDS),
                connected(self._url, timeout_seconds=_SECONDS) as connection,
            ):
                return await _counted(connection, self._queues())
        except Exception as fault:
            if isinstance(fault, PlatformError) or not is_outage(fault):
                raise
            raise Unavailable("RabbitMQ does not answer") from fault

    def _queues(self) -> list[str]:
        # Those of postponed messages are in it. Nothing consumes dead letters, nor what waits for its time.
        needed = topology(self._service)
        waiting = {name for name, _ in needed.exchanges}
        own = (queue.name for queue in needed.queues if needed.owns(queue.name))
        consumed = (name for name in own if not name.endswith(".dead") and name not in waiting)
        return sorted({*consumed, *self._foreign})


async def _counted(connection: AbstractConnection, queues: Sequence[str]) -> list[QueueHealth]:
    """Count what waits in each queue; a queue that is missing has nothing, and no consumer."""
    found, channel = [], None
    for queue in queues:
        channel = channel or await connection.channel(publisher_confirms=False)
        try:
            declared = (await channel.declare_queue(queue, passive=True)).declaration_result
        except ChannelNotFoundEntity:
            # The broker has closed the channel; the connection's end closes the last one.
            channel = None
            found.append(QueueHealth(queue=queue, waiting=0, consumers=0))
        else:
            found.append(
                QueueHealth(queue=queue, waiting=declared.message_count or 0, consumers=declared.consumer_count or 0)
            )
    return found
