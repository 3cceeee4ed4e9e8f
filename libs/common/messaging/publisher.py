"""The connection that publishes, through FastStream: everything is confirmed, and what does not get through says so."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from time import monotonic
from typing import Any

import aiormq
from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq import spec
from aiormq.abc import ChannelFrame
from faststream.rabbit import Channel, ExchangeType, RabbitBroker, RabbitExchange
from yarl import URL

from libs.common import outages
from libs.common.errors import BrokenInvariant, Unavailable
from libs.common.messaging.connections import LastingConnection, close_in_time, is_open
from libs.common.messaging.driver import lost_not_cancelled, outcome_of, send_without_turns
from libs.common.messaging.frames import PublicMessage, UnwritableMessage, encode
from libs.common.messaging.silence import Silence
from libs.common.messaging.topology import dead_exchange
from libs.common.observability import metrics
from libs.common.observability.logging import get_logger
from libs.common.tasks import end_all

log = get_logger("messaging.publisher")

CONNECT_SECONDS = 5.0
HEARTBEAT_SECONDS = 3
"""How often each side of a connection must send a frame at least. The services close a connection after two of them without one, and
RabbitMQ after two or three: so long messages wait that were delivered through a connection that passes nothing any more."""
_CLOSE_SECONDS = 5.0
_PUBLISH_SECONDS = 10.0
"""Deadline of one confirmed publish."""
AT_ONCE = 32
"""Messages that may be published in one turn of the loop."""
PUBLIC_AT_ONCE = 128
"""Messages that are written at once by `publish_all`: two milliseconds of the loop."""
_PROBE_SECONDS = 2.0
_PROBE_EVERY_SECONDS = 5.0
_REPLACED_AFTER = 6
"""Probes in a row without an answer after which the connection is made anew."""


_BLOCKED: "set[Publisher]" = set()
"""Connections of this process from which the broker takes nothing."""


@asynccontextmanager
async def forgiving() -> AsyncIterator[None]:
    """Let an outage of the broker pass where there is nothing left to lose by it."""
    try:
        yield
    except Exception as fault:
        if not outages.is_outage(fault):
            raise


def named(url: str, name: str) -> str:
    """Give a connection a name that operators see, and a heartbeat where its address names none."""
    found = URL(url)
    return str(found.with_query({"heartbeat": HEARTBEAT_SECONDS, **found.query, "name": name}))


class Publisher:
    """Publishes for one service: exchanges are known by name, everything is persistent and confirmed."""

    def __init__(self, url: str, *, name: str) -> None:
        self._url = named(url, f"{name} publishes")
        self._name = name
        self._user = URL(url).user or ""
        self._broker: RabbitBroker | None = None
        self._channel: AbstractChannel | None = None
        self._exchanges: dict[str, RabbitExchange] = {}
        self._keeper: asyncio.Task[None] | None = None
        self._connection: AbstractConnection | None = None
        self._blocked = ""
        self._silence = Silence()

    @property
    def is_connected(self) -> bool:
        """Whether the first connection has been made; from then on the driver reconnects by itself."""
        return self._broker is not None

    @property
    def answers(self) -> bool:
        """Whether the connection is there, takes messages, and `publish_all` did not wait in vain for its confirms lately."""
        return self.is_open and not self._blocked and not self._silence.lasts(monotonic())

    @property
    def is_open(self) -> bool:
        """Whether the connection is there now."""
        return is_open(self._connection)

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
        made: list[LastingConnection] = []

        def make(*arguments: Any, **options: Any) -> LastingConnection:
            made.append(LastingConnection(*arguments, **options))
            return made[-1]

        broker._connection_kwargs["connection_class"] = make
        try:
            with lost_not_cancelled():
                connection = await broker.connect()
                channel = (await broker.declare_exchange(RabbitExchange())).channel
        except BaseException as fault:
            # The broker knows its connection only once it has a channel as well: without a word it would go on for ever.
            for one in made:
                async with forgiving():
                    await close_in_time(one, CONNECT_SECONDS)
            if not outages.is_outage(fault):
                raise
            raise Unavailable("RabbitMQ does not answer") from fault
        self._on_connected(connection)
        self._channel = channel
        send_without_turns(channel)
        return broker

    def _on_connected(self, connection: AbstractConnection | None, *_: Any) -> None:
        """Listen for the broker's word that it takes nothing for now: the driver only logs it."""
        self._set_blocked("")
        self._silence = Silence()
        self._connection = connection or self._connection
        underlay = connection.transport.connection if connection is not None and connection.transport else None
        if not isinstance(underlay, aiormq.Connection):
            return
        on_blocked = underlay._Connection__handle_connection_blocked  # type: ignore[attr-defined]
        on_unblocked = underlay._Connection__handle_connection_unblocked  # type: ignore[attr-defined]

        async def blocked(frame: spec.Connection.Blocked) -> None:
            self._set_blocked(frame.reason or "without a reason")
            await on_blocked(frame)

        async def unblocked(frame: spec.Connection.Unblocked) -> None:
            self._set_blocked("")
            await on_unblocked(frame)

        underlay._Connection__handle_connection_blocked = blocked  # type: ignore[attr-defined]
        underlay._Connection__handle_connection_unblocked = unblocked  # type: ignore[attr-defined]

    def _set_blocked(self, reason: str) -> None:
        if reason != self._blocked:
            log.warning("publishing.blocked" if reason else "publishing.unblocked", reason=reason)
        self._blocked = reason
        (_BLOCKED.add if reason else _BLOCKED.discard)(self)
        metrics.BROKER_BLOCKED.set(1 if _BLOCKED else 0)

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
        broker = self._ready(self._broker)
        # Around all of it: the driver waits without a deadline for a connection that is blocked or away.
        with lost_not_cancelled():
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

    async def publish_all(self, messages: Sequence[PublicMessage]) -> list[BaseException | None]:
        """Publish messages in one write and wait for the broker's confirms; `user_id` of each is this connection's user.

        Returns:
            What became of each: nothing when it was confirmed, a `DeliveryError` when a queue refused it, an
            `UnwritableMessage`, a `TimeoutError` when it was not confirmed in time, as by a queue that does nothing, or
            another outage by `outages.classify`, when the broker went away meanwhile.

        Raises:
            Unavailable: when the broker is not connected, or takes nothing for now.
            TimeoutError: when they could not even be written in time.
        """
        channel = self._ready(self._channel)
        clock = asyncio.get_running_loop().time
        deadline = clock() + _PUBLISH_SECONDS
        with lost_not_cancelled(), self._noting_silence():
            async with asyncio.timeout_at(deadline):
                underlay = await channel.get_underlay_channel()
                if not isinstance(underlay, aiormq.Channel):
                    raise BrokenInvariant("the driver's channel is not that of aiormq")
                written, outcomes = _written(messages, underlay, app_id=self._name, user_id=self._user)
                confirms = await _send(underlay, written)
            if confirms:
                # Not under the deadline above: what was confirmed must not be sent again because of what was not.
                await asyncio.wait(confirms, timeout=max(0.0, deadline - clock()))
        if not all(confirm.done() for confirm in confirms):
            self._silence.note(monotonic())
        answers = iter(confirms)
        return [outcome_of(next(answers)) if outcome is None else outcome for outcome in outcomes]

    @contextmanager
    def _noting_silence(self) -> Iterator[None]:
        """Note that the broker did not confirm in time. A probe says nothing of it: one full queue may be what keeps silent."""
        try:
            yield
        except TimeoutError:
            self._silence.note(monotonic())
            raise

    def _ready[T](self, part: T | None) -> T:
        """Return a part of the connection.

        Raises:
            Unavailable: when there is none yet, or the broker takes nothing for now.
        """
        if part is None:
            raise Unavailable("RabbitMQ is not connected yet")
        if self._blocked:
            raise Unavailable(f"RabbitMQ takes no messages for now: {self._blocked}")
        return part

    def _exchange(self, name: str) -> RabbitExchange | None:
        if not name:
            return None
        found = self._exchanges.get(name)
        if found is None:
            # Not robust: the channel could not be opened again for as long as one exchange of many is missing.
            found = self._exchanges[name] = RabbitExchange(name, type=ExchangeType.TOPIC, declare=False, robust=False)
        return found

    async def probe(self) -> None:
        """Publish a message that nobody gets, and wait for its confirm: a broker reports that it blocks only to connections that publish.

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
        _BLOCKED.discard(self)
        if self._keeper is not None:
            await end_all([self._keeper])
        await _close(self._broker)


def _written(
    messages: Sequence[PublicMessage], channel: aiormq.Channel, *, app_id: str, user_id: str
) -> tuple[list[bytes], list[BaseException | None]]:
    """Write each message as bytes; returns those that could be, and for each message why not."""
    written: list[bytes] = []
    outcomes: list[BaseException | None] = []
    for message in messages:
        try:
            body_max = channel.max_content_size
            written.append(encode(message, channel=channel.number, body_max=body_max, app_id=app_id, user_id=user_id))
            outcomes.append(None)
        except UnwritableMessage as fault:
            outcomes.append(fault)
    return written, outcomes


async def _send(channel: aiormq.Channel, written: Sequence[bytes]) -> "list[asyncio.Future[Any]]":
    """Hand messages to the driver as one write; returns the future of each one's confirm.

    As the driver's own `basic_publish` does it, a message: the channel's lock guards the order of delivery tags and writes.
    """
    async with channel.lock:
        first = channel.delivery_tag + 1
        confirms = {first + index: channel.create_future() for index in range(len(written))}
        channel.confirmations.update(confirms)
        channel.delivery_tag += len(written)
        try:
            await channel.write_queue.put(ChannelFrame(payload=b"".join(written), should_close=False))
        except BaseException:
            # The broker has not seen them: their numbers are used again.
            channel.delivery_tag -= len(written)
            for tag, confirm in confirms.items():
                del channel.confirmations[tag]
                confirm.cancel()
            raise
    return list(confirms.values())


async def _close(broker: RabbitBroker | None) -> None:
    if broker is None:
        return
    connection = broker._connection
    async with forgiving(), asyncio.timeout(_CLOSE_SECONDS):
        await broker.stop()
    if connection is not None:
        # Where the channel was not closed in time the connection is open still, and would be made again for ever.
        async with forgiving():
            await close_in_time(connection, _CLOSE_SECONDS)
