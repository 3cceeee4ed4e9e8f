"""Between the broker's socket and a handler nothing is forgotten: at the start, at a reconnect, at the end, in between."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from uuid import uuid4

import aio_pika
import aiormq
import pytest
from aio_pika.abc import AbstractConnection
from aiormq.abc import DeliveredMessage
from faststream import AckPolicy
from faststream.rabbit import Channel, RabbitBroker, RabbitMessage, RabbitQueue

from deploy.local.servers import Servers
from libs.common import service
from libs.common.errors import Unavailable
from libs.common.messaging import consuming
from libs.common.messaging.broker import Broker
from libs.common.messaging.connections import connect
from libs.common.messaging.delivery import Delivery
from libs.common.messaging.reader import Reader, Subscription
from libs.common.messaging.topology import Queue, Topology, topology
from libs.common.observability import metrics
from tests.support.broker import Node, go_silent
from tests.support.brokers import fresh_vhost
from tests.support.waiting import until

BACKLOG = 1_000
PREFETCH = 50


class Everybody:
    """Takes every message and acknowledges it, except those that it is to forget when they come for the first time."""

    def __init__(self, *, forgets: int = 0) -> None:
        self.taken: Counter[bytes] = Counter()
        self._forgets = forgets
        self._tasks: set[asyncio.Task[None]] = set()

    def works_on(self, message: Delivery) -> bool:
        """Nothing stays unacknowledged."""
        return False

    async def take(self, message: Delivery) -> None:
        """Take one message."""
        if self._forgets:
            self._forgets -= 1
            return
        self.taken[message.body] += 1
        task = asyncio.create_task(message.ack())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


@pytest.fixture(scope="module")
def vhost_url(servers: Servers) -> Iterator[str]:
    """A virtual host for all tests of this module: each reads a queue of its own beside the ledger's, which take a second."""
    with fresh_vhost(servers) as url:
        yield url


@pytest.fixture
def queue() -> str:
    """A queue that no other test uses."""
    return f"intake.{uuid4().hex[:12]}"


@pytest.fixture
def node(servers: Servers, vhost_url: str) -> Node:
    """The broker from inside."""
    if servers.rabbitmq.kind == "given":
        pytest.skip("the environment gives RabbitMQ: not ours to look into")
    return Node(servers, vhost_url)


@contextmanager
def eager_tasks() -> Iterator[None]:
    """Start tasks at once, as the api does."""
    restore = service._start_tasks_at_once(asyncio.get_running_loop())
    try:
        yield
    finally:
        restore()


async def send(url: str, queue: str, bodies: list[bytes]) -> None:
    """Put messages into a quorum queue, which is made where it is missing."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.declare_queue(queue, durable=True, arguments={"x-queue-type": "quorum"})
        for start in range(0, len(bodies), 200):
            await asyncio.gather(
                *(
                    channel.default_exchange.publish(aio_pika.Message(body), routing_key=queue)
                    for body in bodies[start : start + 200]
                )
            )


def topology_of(queue: str, exchange: str = "") -> Topology:
    """A topology of one queue."""
    return Topology(
        service="intake",
        exchanges=((exchange, aio_pika.ExchangeType.TOPIC),) if exchange else (),
        queues=(
            Queue(name=queue, arguments={"x-queue-type": "quorum"}, bindings=((exchange, "key"),) if exchange else ()),
        ),
    )


@asynccontextmanager
async def reading(
    url: str,
    queue: str,
    taker: Everybody,
    *,
    idle_max_seconds: float = 30.0,
    declare_every_seconds: float = 0.2,
    exchange: str = "",
) -> AsyncIterator[Broker]:
    """Read a queue inside the block."""
    broker = Broker(url, name="ledger", idle_max_seconds=idle_max_seconds, declare_every_seconds=declare_every_seconds)
    broker.subscribe(queue, taker, prefetch=PREFETCH)
    # The exchange that the probe publishes to.
    needed = topology("ledger")
    more = topology_of(queue, exchange)
    await broker.start(
        Topology(
            service="intake",
            exchanges=(*needed.exchanges, *more.exchanges),
            queues=(*needed.queues, *more.queues),
        )
    )
    try:
        yield broker
    finally:
        await broker.stop()


def bodies(count: int) -> list[bytes]:
    """So many different messages."""
    return [str(number).encode() for number in range(count)]


async def test_messages_waiting_at_the_start_reach_a_taker_whose_tasks_are_eager(
    vhost_url: str, queue: str, node: Node
) -> None:
    await send(vhost_url, queue, bodies(BACKLOG))
    taker = Everybody()
    with eager_tasks():
        async with reading(vhost_url, queue, taker):

            async def drained() -> bool:
                return len(taker.taken) == BACKLOG and queue not in await node.queues()

            await until(drained)
    assert set(taker.taken.values()) == {1}


async def test_what_arrives_while_it_stops_is_handled_or_stays_in_the_queue(
    vhost_url: str, queue: str, node: Node
) -> None:
    await send(vhost_url, queue, bodies(BACKLOG))
    taker = Everybody()
    async with reading(vhost_url, queue, taker) as broker:

        async def begun() -> bool:
            return len(taker.taken) > PREFETCH

        await until(begun)
        await broker.stop_consuming()
        taken = len(taker.taken)

        async def acknowledged() -> bool:
            return (await node.queues()).get(queue, (0, 0)) == (BACKLOG - taken, 0)

        await until(acknowledged)
    assert len(taker.taken) == taken
    assert set(taker.taken.values()) == {1}


async def test_after_the_broker_closed_its_connections_everything_is_taken(
    vhost_url: str, queue: str, node: Node
) -> None:
    await send(vhost_url, queue, bodies(BACKLOG))
    taker = Everybody()
    with eager_tasks():
        async with reading(vhost_url, queue, taker) as broker:

            async def begun() -> bool:
                return len(taker.taken) > PREFETCH

            await until(begun)
            await node.close_connections()
            await until(lambda: _says(broker, "not connected"))
            await until(lambda: _says(broker, ""))

            async def drained() -> bool:
                return len(taker.taken) == BACKLOG and queue not in await node.queues()

            await until(drained)


async def test_connection_that_ends_while_topology_is_declared_is_made_again(
    vhost_url: str, queue: str, node: Node
) -> None:
    # Its cleanup on the closed connection fails, which takes the place of the cancellation that should end it.
    async with reading(vhost_url, queue, Everybody(), declare_every_seconds=0) as broker:
        for _ in range(5):
            await node.close_connections()
            await until(lambda: _says(broker, "not connected"))
            await until(lambda: _says(broker, ""))


@pytest.mark.parametrize("silent", ["first", "second"])
async def test_connection_that_goes_silent_while_it_is_made_cancels_nobody(
    vhost_url: str, queue: str, monkeypatch: pytest.MonkeyPatch, silent: str
) -> None:
    made: list[AbstractConnection] = []
    closing: list[asyncio.Task[None]] = []

    async def connect_and_note(url: str, *, timeout_seconds: float) -> AbstractConnection:
        connection = await connect(url, timeout_seconds=timeout_seconds)
        made.append(connection)
        if len(made) == (1 if silent == "first" else 2):
            assert connection.transport is not None
            closing.append(asyncio.create_task(go_silent(connection.transport.connection)))
        return connection

    monkeypatch.setattr(consuming, "connect", connect_and_note)
    monkeypatch.setattr(consuming, "_RECONNECT_SECONDS", 0.05)
    taker = Everybody()
    reads = consuming.Consuming(vhost_url, name="ledger", idle_max_seconds=30, declare_every_seconds=30)
    reads.add(Subscription(queue=queue, name=queue, taker=taker, prefetch=PREFETCH))
    if silent == "first":
        with pytest.raises(Unavailable):
            await reads.start(topology_of(queue))
    await reads.start(topology_of(queue))
    try:
        if silent == "second":
            await made[0].close()
            await until(lambda: _is(lambda: len(made) == 3))
        await send(vhost_url, queue, [b"after"])
        await until(lambda: _has(taker, b"after"))
    finally:
        await reads.stop()
    await asyncio.gather(*closing)


async def test_forgotten_messages_are_seen_and_come_again(vhost_url: str, queue: str) -> None:
    await send(vhost_url, queue, bodies(20))
    taker = Everybody(forgets=3)
    counted = metrics.MESSAGES_FORGOTTEN.labels(queue)
    async with reading(vhost_url, queue, taker, idle_max_seconds=0.4):

        async def all_taken() -> bool:
            return len(taker.taken) == 20

        await until(all_taken)
    assert counted._value.get() == 3


async def test_a_message_that_the_driver_loses_leaves_a_hole_and_comes_again(
    vhost_url: str, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await send(vhost_url, queue, bodies(5))
    taker = Everybody()
    lost: list[bytes] = []
    on_message = Reader._on_message

    async def losing(self: Reader, message: DeliveredMessage) -> None:
        if not lost:
            lost.append(message.body)
            return
        await on_message(self, message)

    monkeypatch.setattr(Reader, "_on_message", losing)
    async with reading(vhost_url, queue, taker, idle_max_seconds=0.4):

        async def all_taken() -> bool:
            return len(taker.taken) == 5

        await until(all_taken)
    assert lost == [b"0"]


async def test_a_deleted_queue_is_made_again_and_read(vhost_url: str, queue: str) -> None:
    taker = Everybody()
    async with reading(vhost_url, queue, taker) as broker:
        await until(lambda: _says(broker, ""))
        await _administer(vhost_url, lambda channel: channel.queue_delete(queue))
        await until(lambda: _says(broker, f"no consumer on {queue}"))
        await until(lambda: _says(broker, ""))
        await broker.ping()
        await send(vhost_url, queue, [b"after"])
        await until(lambda: _has(taker, b"after"))


@pytest.mark.parametrize("lost", ["binding", "exchange"])
async def test_a_deleted_binding_or_exchange_is_made_again(vhost_url: str, queue: str, lost: str) -> None:
    taker, exchange = Everybody(), f"{queue}.events"
    async with reading(vhost_url, queue, taker, exchange=exchange) as broker:
        await until(lambda: _says(broker, ""))
        await broker.publish(b"before", exchange=exchange, routing_key="key")
        if lost == "binding":
            await _administer(vhost_url, lambda channel: channel.queue_unbind(queue, exchange, "key"))
        else:
            await _administer(vhost_url, lambda channel: channel.exchange_delete(exchange))

        async def published() -> bool:
            try:
                await broker.publish(b"after", exchange=exchange, routing_key="key")
            except Exception:  # noqa: BLE001 - refused, or its channel closed: for as long as it is missing
                return False
            return True

        await until(published)
        await until(lambda: _has(taker, b"after"))


async def test_faststream_still_forgets_what_arrives_before_it_runs(vhost_url: str, queue: str) -> None:
    """The reason for our own reader, see docs/decisions/0018. If this fails, FastStream has changed: look there again."""
    await send(vhost_url, queue, bodies(5))
    taken: list[bytes] = []

    async def take(message: RabbitMessage) -> None:
        taken.append(message.body)
        await message.ack()

    async def whole(message: RabbitMessage) -> RabbitMessage:
        return message

    broker = RabbitBroker(vhost_url, apply_types=False, logger=None)
    broker.subscriber(
        RabbitQueue(queue, declare=False),
        channel=Channel(prefetch_count=PREFETCH),
        ack_policy=AckPolicy.MANUAL,
        decoder=whole,
    )(take)
    try:
        with eager_tasks():
            await broker.start()
            await send(vhost_url, queue, [b"last"])

            async def last_taken() -> bool:
                return b"last" in taken

            await until(last_taken)
    finally:
        # It stops in a task group, which knows the usual tasks only.
        await broker.stop()
    assert taken == [b"last"]


def test_the_driver_still_has_the_hooks_that_tell_of_a_blocked_connection() -> None:
    for hook in ("_Connection__handle_connection_blocked", "_Connection__handle_connection_unblocked"):
        assert callable(getattr(aiormq.Connection, hook))


def test_a_reader_that_does_not_read_has_no_consumer() -> None:
    subscription = Subscription(queue="q", name="q", taker=Everybody(), prefetch=1)
    assert Reader(subscription).consumer == ""


async def _says(broker: Broker, trouble: str) -> bool:
    return broker.trouble == trouble


async def _is(fact: Callable[[], bool]) -> bool:
    return fact()


async def _has(taker: Everybody, body: bytes) -> bool:
    return body in taker.taken


async def _administer(url: str, command: object) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        underlay = await channel.get_underlay_channel()
        await command(underlay)  # type: ignore[operator]
