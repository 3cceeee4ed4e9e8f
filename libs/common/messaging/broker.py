"""The connection of one service to RabbitMQ, through FastStream: publish with confirms, subscribe with manual acks."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aio_pika.abc import AbstractChannel
from faststream import AckPolicy
from faststream.rabbit import Channel, ExchangeType, RabbitBroker, RabbitExchange, RabbitMessage, RabbitQueue

from libs.common import outages
from libs.common.errors import Unavailable
from libs.common.messaging.topology import Topology, declare
from libs.common.observability.logging import get_logger

log = get_logger("messaging.broker")

_CONNECT_SECONDS = 5.0
_PUBLISH_SECONDS = 10.0
"""Deadline of one confirmed publish."""

type Intake = Callable[[RabbitMessage], Awaitable[None]]


class Broker:
    """One process's connection: exchanges are known by name, everything is persistent and confirmed."""

    def __init__(self, url: str, *, name: str) -> None:
        self._url = url
        self._name = name
        self._broker = self._new_broker()
        self._topology_channel: AbstractChannel | None = None
        self._subscriptions: list[tuple[str, int, Intake, bool, tuple[str, str] | None]] = []
        self._exchanges: dict[str, RabbitExchange] = {}
        self._started = asyncio.Event()

    def _new_broker(self) -> RabbitBroker:
        return RabbitBroker(
            self._url,
            apply_types=False,
            logger=None,
            timeout=_CONNECT_SECONDS,
            reconnect_interval=1.0,
            graceful_timeout=None,
            app_id=self._name,
            default_channel=Channel(publisher_confirms=True, on_return_raises=True),
        )

    @property
    def is_started(self) -> bool:
        """Whether the first connection has been made; from then on the driver reconnects by itself."""
        return self._started.is_set()

    def subscribe(
        self,
        queue: str,
        intake: Intake,
        *,
        prefetch: int,
        exclusive: bool = False,
        binding: tuple[str, str] | None = None,
    ) -> None:
        """Give every message of `queue` to `intake`, which must acknowledge it. To be called before `start`.

        An `exclusive` queue is this process's own and goes with it; `binding` is the exchange and routing key it hears.
        """
        self._subscriptions.append((queue, prefetch, intake, exclusive, binding))

    async def start(self, wanted: Topology) -> None:
        """Connect, declare the topology and begin to consume.

        Raises:
            Unavailable: when the broker does not answer.
            TopologyConflict: when the broker holds something of the same name with other arguments.
        """
        try:
            connection = await self._broker.connect()
            # A channel of its own, kept open: after a reconnect the driver declares everything on it again.
            self._topology_channel = await connection.channel()
            await declare(self._topology_channel, wanted)
            for queue, prefetch, intake, exclusive, binding in self._subscriptions:
                self._broker.subscriber(
                    RabbitQueue(
                        queue,
                        declare=exclusive,
                        durable=not exclusive,
                        exclusive=exclusive,
                        auto_delete=exclusive,
                        arguments={"x-max-length": 10_000} if exclusive else None,
                        routing_key=binding[1] if binding else "",
                    ),
                    self._exchange(binding[0]) if binding else None,
                    channel=Channel(prefetch_count=prefetch),
                    ack_policy=AckPolicy.MANUAL,
                    no_reply=True,
                    decoder=_whole_message,
                )(intake)
            await self._broker.start()
        except Exception as fault:
            async with forgiving():
                await self._broker.stop()
            self._broker = self._new_broker()
            if not outages.is_outage(fault):
                raise
            raise Unavailable("RabbitMQ does not answer") from fault
        self._started.set()

    async def stop_consuming(self) -> None:
        """Take no further message; what has arrived may still be acknowledged."""
        for subscriber in self._broker.subscribers:
            async with forgiving():
                await subscriber.stop()

    async def stop(self) -> None:
        """Close the connection; what was not acknowledged goes back to its queue."""
        async with forgiving(), asyncio.timeout(5):
            await self._broker.stop()

    async def publish(
        self,
        body: bytes,
        *,
        exchange: str,
        routing_key: str,
        mandatory: bool = True,
        persist: bool = True,
        **properties: Any,
    ) -> None:
        """Publish one message and wait for the broker's confirm.

        Raises:
            aio_pika.exceptions.DeliveryError: when a mandatory message has no queue, or the queue refused it.
            Unavailable: when the broker does not answer.
        """
        if not self._started.is_set():
            raise Unavailable("RabbitMQ is not connected yet")
        await self._broker.publish(
            body,
            exchange=self._exchange(exchange),
            routing_key=routing_key,
            mandatory=mandatory,
            persist=persist,
            content_type="application/json",
            timeout=_PUBLISH_SECONDS,
            **properties,
        )

    def _exchange(self, name: str) -> RabbitExchange | None:
        if not name:
            return None
        found = self._exchanges.get(name)
        if found is None:
            found = self._exchanges[name] = RabbitExchange(name, type=ExchangeType.TOPIC, durable=True, declare=False)
        return found

    async def ping(self) -> None:
        """Ask for a sign of life.

        Raises:
            Unavailable: when there is none.
        """
        if not self._started.is_set() or not await self._broker.ping(timeout=2.0):
            raise Unavailable("RabbitMQ does not answer")


@asynccontextmanager
async def forgiving() -> AsyncIterator[None]:
    """Let an outage of the broker pass where there is nothing left to lose by it."""
    try:
        yield
    except Exception as fault:
        if not outages.is_outage(fault):
            raise


async def _whole_message(message: RabbitMessage) -> RabbitMessage:
    """Decode nothing: whoever consumes needs the headers and the acknowledgement as well as the body."""
    return message
