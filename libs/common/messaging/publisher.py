"""The connection that publishes, through FastStream: everything is confirmed, and what does not get through says so."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aiormq
from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq import spec
from faststream.rabbit import Channel, ExchangeType, RabbitBroker, RabbitExchange
from yarl import URL

from libs.common import outages
from libs.common.errors import Unavailable
from libs.common.messaging.topology import dead_exchange
from libs.common.observability import metrics
from libs.common.observability.logging import get_logger
from libs.common.tasks import end_all

log = get_logger("messaging.publisher")

CONNECT_SECONDS = 5.0
_PUBLISH_SECONDS = 10.0
"""Deadline of one confirmed publish."""
AT_ONCE = 32
"""Messages that may be published in one turn of the loop: the driver has room for so many frames. More would wait for each
other one by one, a turn or two each, and in a busy process a turn takes milliseconds."""
aiormq.Connection.FRAME_BUFFER_SIZE = AT_ONCE + 8
_PROBE_SECONDS = 2.0
_PROBE_EVERY_SECONDS = 5.0
_REPLACED_AFTER = 6
"""Probes in a row without an answer after which the connection is made anew."""


@asynccontextmanager
async def forgiving() -> AsyncIterator[None]:
    """Let an outage of the broker pass where there is nothing left to lose by it."""
    try:
        yield
    except Exception as fault:
        if not outages.is_outage(fault):
            raise


def named(url: str, name: str) -> str:
    """Give a connection a name that operators see."""
    return str(URL(url).update_query(name=name))


def send_without_turns(channel: AbstractChannel) -> None:
    """Let publishes of one channel follow each other without a turn of the loop each.

    The driver holds the channel's lock until the frame it has queued is written, which takes two or three turns of the
    loop a message: a busy process published 300 messages a second and had half of its core to spare. Without that wait,
    the driver's queue of frames is the bound, and every message is still confirmed by the broker.
    """
    opened = channel.get_underlay_channel

    async def underlay() -> aiormq.abc.AbstractChannel:
        found = await opened()
        if isinstance(found, aiormq.Channel) and "basic_publish" not in vars(found):
            found.basic_publish = partial(found.basic_publish, wait=False)  # type: ignore[method-assign]
        return found

    channel.get_underlay_channel = underlay  # type: ignore[method-assign]


class Publisher:
    """Publishes for one service: exchanges are known by name, everything is persistent and confirmed."""

    def __init__(self, url: str, *, name: str) -> None:
        self._url = named(url, f"{name} publishes")
        self._name = name
        self._broker: RabbitBroker | None = None
        self._exchanges: dict[str, RabbitExchange] = {}
        self._keeper: asyncio.Task[None] | None = None
        self._blocked = ""

    @property
    def is_connected(self) -> bool:
        """Whether the first connection has been made; from then on the driver reconnects by itself."""
        return self._broker is not None

    @property
    def blocked(self) -> str:
        """Why the broker takes nothing from this connection, in its own words; empty when it does."""
        return self._blocked

    async def start(self) -> None:
        """Connect.

        Raises:
            Unavailable: when the broker does not answer.
        """
        self._broker = await self._connect()
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep(), name="watch publishing")

    async def _connect(self) -> RabbitBroker:
        broker = RabbitBroker(
            self._url,
            apply_types=False,
            logger=None,
            timeout=CONNECT_SECONDS,
            reconnect_interval=1.0,
            graceful_timeout=None,
            app_id=self._name,
            default_channel=Channel(publisher_confirms=True, on_return_raises=True),
            on_reconnected=[self._on_connected],
        )
        try:
            connection = await broker.connect()
        except Exception as fault:
            async with forgiving():
                await broker.stop()
            if not outages.is_outage(fault):
                raise
            raise Unavailable("RabbitMQ does not answer") from fault
        self._on_connected(connection)
        send_without_turns((await broker.declare_exchange(RabbitExchange())).channel)
        return broker

    def _on_connected(self, connection: AbstractConnection | None, *_: Any) -> None:
        """Listen for the broker's word that it takes nothing for now: the driver only logs it."""
        self._set_blocked("")
        underlay = connection.transport.connection if connection is not None and connection.transport else None
        if not isinstance(underlay, aiormq.Connection):
            return
        said_blocked = underlay._Connection__handle_connection_blocked  # type: ignore[attr-defined]
        said_unblocked = underlay._Connection__handle_connection_unblocked  # type: ignore[attr-defined]

        async def blocked(frame: spec.Connection.Blocked) -> None:
            self._set_blocked(frame.reason or "without a reason")
            await said_blocked(frame)

        async def unblocked(frame: spec.Connection.Unblocked) -> None:
            self._set_blocked("")
            await said_unblocked(frame)

        underlay._Connection__handle_connection_blocked = blocked  # type: ignore[attr-defined]
        underlay._Connection__handle_connection_unblocked = unblocked  # type: ignore[attr-defined]

    def _set_blocked(self, reason: str) -> None:
        if reason != self._blocked:
            log.warning("publishing.blocked" if reason else "publishing.unblocked", reason=reason)
        self._blocked = reason
        metrics.BROKER_BLOCKED.set(1 if reason else 0)

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
            Unavailable: when the broker is not connected, or takes nothing for now.
            Exception: an outage by `outages.classify`, when it goes away meanwhile.
        """
        broker = self._broker
        if broker is None:
            raise Unavailable("RabbitMQ is not connected yet")
        if self._blocked:
            raise Unavailable(f"RabbitMQ takes no messages for now: {self._blocked}")
        # Around all of it: the driver waits without a deadline for a connection that is blocked or away.
        async with asyncio.timeout(_PUBLISH_SECONDS):
            await broker.publish(
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
            # Not robust: the channel could not be opened again for as long as one exchange of many is missing.
            found = self._exchanges[name] = RabbitExchange(
                name, type=ExchangeType.TOPIC, durable=True, declare=False, robust=False
            )
        return found

    async def probe(self) -> None:
        """Publish a message that nobody gets, and wait for its confirm: what is blocked is told only to who publishes.

        Raises:
            Unavailable: when it is not confirmed.
        """
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                await self.publish(
                    b"{}",
                    exchange=dead_exchange(self._name),
                    routing_key="probe",
                    mandatory=False,
                    persist=False,
                )
        except Exception as fault:
            if not outages.is_outage(fault):
                raise
            if self._blocked:
                raise Unavailable(f"RabbitMQ takes no messages for now: {self._blocked}") from fault
            raise Unavailable("RabbitMQ does not confirm what is published") from fault

    async def _keep(self) -> None:
        """Probe for the life of the process; a connection that stays silent for long is replaced."""
        silent = 0
        while True:
            await asyncio.sleep(_PROBE_EVERY_SECONDS)
            try:
                await self.probe()
                silent = 0
            except Unavailable as fault:
                silent = 0 if self._blocked else silent + 1
                log.warning("publishing.not_possible", reason=fault.detail)
            if silent >= _REPLACED_AFTER:
                silent = 0
                with contextlib.suppress(Unavailable):
                    await self._replace()

    async def _replace(self) -> None:
        old, self._broker = self._broker, await self._connect()
        log.warning("publishing.connection_replaced")
        await _close(old)

    async def stop(self) -> None:
        """Close the connection."""
        if self._keeper is not None:
            await end_all([self._keeper])
        await _close(self._broker)


async def _close(broker: RabbitBroker | None) -> None:
    if broker is not None:
        async with forgiving(), asyncio.timeout(5):
            await broker.stop()
