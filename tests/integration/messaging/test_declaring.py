"""What somebody deletes on the broker comes back, declared in one write; what stands in the way is found name by name."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aio_pika
import msgspec
import pytest
from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel
from aiormq.exceptions import AMQPChannelError

from deploy.local.servers import Servers
from libs.common.contracts import PUBLIC_EXCHANGE
from libs.common.messaging import consuming
from libs.common.messaging.consuming import Consuming
from libs.common.messaging.declaring import Declaration
from libs.common.messaging.delivery import Delivery
from libs.common.messaging.reader import Subscription
from libs.common.messaging.topology import PUBLIC_OWNER, Queue, Topology, declare
from tests.support.broker import Node
from tests.support.waiting import until

EXCHANGE, QUEUE, OTHERS = "declared.events", "declared.queue", "others.queue"
TOPOLOGY = Topology(
    service="declared",
    exchanges=((EXCHANGE, ExchangeType.TOPIC), ("others.events", ExchangeType.TOPIC)),
    queues=(
        Queue(name=QUEUE, arguments={"x-queue-type": "quorum"}, bindings=((EXCHANGE, "key"), (EXCHANGE, "more"))),
        Queue(name=OTHERS, arguments={"x-queue-type": "quorum"}, bindings=(("others.events", "key"),)),
    ),
)


async def _unbind(channel: AbstractChannel) -> None:
    await (await channel.get_queue(QUEUE, ensure=False)).unbind(EXCHANGE, "key")


DELETED: dict[str, Callable[[AbstractChannel], Awaitable[object]]] = {
    "nothing": lambda channel: channel.get_queue(QUEUE),
    "the queue": lambda channel: channel.queue_delete(QUEUE),
    "the exchange": lambda channel: channel.exchange_delete(EXCHANGE),
    "a binding": _unbind,
}


@asynccontextmanager
async def channel_of(url: str) -> AsyncIterator[AbstractChannel]:
    async with await aio_pika.connect(url) as connection:
        yield await connection.channel()


async def arrives(url: str) -> bool:
    """Whether a message reaches the queue by its binding."""
    async with channel_of(url) as channel:
        try:
            exchange = await channel.get_exchange(EXCHANGE)
            await exchange.publish(aio_pika.Message(b"{}"), "key")
        except (AMQPChannelError, aio_pika.exceptions.DeliveryError):
            return False
        return True


@pytest.fixture
async def declared(vhost_url: str) -> AsyncIterator[str]:
    async with channel_of(vhost_url) as channel:
        await declare(channel, TOPOLOGY)
        await channel.queue_delete(OTHERS)
    yield vhost_url
    async with channel_of(vhost_url) as channel:
        await channel.queue_delete(QUEUE)


async def test_what_is_deleted_comes_back_by_one_write(declared: str) -> None:
    declaration = Declaration(TOPOLOGY)
    async with channel_of(declared) as channel:
        for name, delete in DELETED.items():
            await delete(channel)
            await declaration.repeat(channel)
            assert await arrives(declared), name
        # On a channel of another number too.
        await channel.queue_delete(QUEUE)
        async with await aio_pika.connect(declared) as connection:
            others = [await connection.channel() for _ in range(3)]
            await declaration.repeat(others[-1])
        assert await arrives(declared)
        with pytest.raises(AMQPChannelError):
            # It belongs to another service.
            await channel.get_queue(OTHERS)


async def test_one_write_does_without_what_other_teams_have_deleted(vhost_url: str) -> None:
    ours, theirs, key = "taken.queue", "others.gone", "key"
    queue = Queue(
        name=ours,
        arguments={"x-queue-type": "quorum"},
        bindings=((theirs, key), (PUBLIC_EXCHANGE, key)),
        setting="TAKEN_QUEUE",
    )
    exchanges = ((theirs, ExchangeType.TOPIC), (PUBLIC_EXCHANGE, ExchangeType.TOPIC))
    own = Topology(service=PUBLIC_OWNER, exchanges=exchanges, queues=(queue,))
    other = Topology(service="notifier", exchanges=exchanges, queues=())
    async with channel_of(vhost_url) as channel:
        await declare(channel, own)
        for name in (theirs, PUBLIC_EXCHANGE):
            await channel.exchange_delete(name)
        # Whoever may not declare it leaves it alone.
        await Declaration(other).repeat(channel)
        with pytest.raises(AMQPChannelError):
            await channel.get_exchange(PUBLIC_EXCHANGE)
        await channel.reopen()
        await Declaration(own).repeat(channel)
        # The public one is back with its binding, that of the other team is theirs to bring back.
        await (await channel.get_exchange(PUBLIC_EXCHANGE)).publish(aio_pika.Message(b"{}"), key)
        with pytest.raises(AMQPChannelError):
            await channel.get_exchange(theirs)
        await channel.reopen()
        await channel.queue_delete(ours)


async def test_a_queue_with_other_arguments_is_refused(declared: str) -> None:
    async with channel_of(declared) as channel:
        await channel.queue_delete(QUEUE)
        await channel.declare_queue(QUEUE, durable=True)
        with pytest.raises(AMQPChannelError):
            await Declaration(TOPOLOGY).repeat(channel)


async def test_service_declares_in_one_write_and_names_what_is_refused(
    declared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consuming, "_ONE_BY_ONE_EVERY", 1_000_000)
    service = Consuming(declared, name="declared", idle_max_seconds=30, declare_every_seconds=0.05)
    await service.start(TOPOLOGY)
    try:
        async with channel_of(declared) as channel:
            await channel.exchange_delete(EXCHANGE)
            await until(lambda: arrives(declared))
            # The service may declare it first.
            for _ in range(20):
                await channel.queue_delete(QUEUE)
                try:
                    await channel.declare_queue(QUEUE, durable=True)
                except AMQPChannelError:
                    await channel.reopen()
                    continue
                break

            async def refused() -> bool:
                return QUEUE in service.trouble

            await until(refused)
            await channel.queue_delete(QUEUE)

            async def well() -> bool:
                return service.trouble == "" and await arrives(declared)

            await until(well)
    finally:
        await service.stop()


async def test_connection_that_was_lost_is_declared_in_one_write(
    servers: Servers, declared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_by_name = 0

    async def counted(channel: AbstractChannel, topology: Topology) -> dict[str, int]:
        nonlocal name_by_name
        name_by_name += 1
        return await declare(channel, topology)

    monkeypatch.setattr(consuming, "declare", counted)
    ours, others = TOPOLOGY.queues
    ours = msgspec.structs.replace(ours, bindings=(*ours.bindings, ("others.events", "key")))
    service = Consuming(declared, name="declared", idle_max_seconds=30, declare_every_seconds=3600)
    await service.start(msgspec.structs.replace(TOPOLOGY, queues=(ours, others)))
    try:
        async with channel_of(declared) as channel:
            await channel.exchange_delete(EXCHANGE)
        await Node(servers, declared).close_connections()
        await until(lambda: arrives(declared))
        assert name_by_name == 1
        # The write brings nothing of other services back: what is bound to it is declared name by name.
        async with channel_of(declared) as channel:
            await channel.exchange_delete(EXCHANGE)
            await channel.exchange_delete("others.events")
        await Node(servers, declared).close_connections()

        async def again() -> bool:
            return name_by_name == 2

        # The write had made what is ours before it failed.
        await until(again)
        await until(lambda: arrives(declared))
    finally:
        await service.stop()


class Acknowledging:
    """Takes messages, and keeps none."""

    async def take(self, message: Delivery) -> None:
        await message.ack()

    def works_on(self, _: Delivery) -> bool:
        return False


async def test_queues_are_read_again_before_all_is_declared(
    servers: Servers, declared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_declare, name_by_name = asyncio.Event(), 0
    repeat = Declaration.repeat

    async def late(self: Declaration, channel: AbstractChannel) -> None:
        await may_declare.wait()
        await repeat(self, channel)

    async def counted(channel: AbstractChannel, topology: Topology) -> dict[str, int]:
        nonlocal name_by_name
        name_by_name += 1
        return await declare(channel, topology)

    monkeypatch.setattr(Declaration, "repeat", late)
    monkeypatch.setattr(consuming, "declare", counted)
    service = Consuming(declared, name="declared", idle_max_seconds=30, declare_every_seconds=3600)
    for queue in TOPOLOGY.queues:
        service.add(Subscription(queue=queue.name, name=queue.name, taker=Acknowledging(), prefetch=10))

    async def reads() -> bool:
        return service.trouble == ""

    async def is_away() -> bool:
        return service.trouble != ""

    await service.start(TOPOLOGY)
    try:
        await until(reads)
        await Node(servers, declared).close_connections()
        await until(is_away)
        await until(reads)
        # What was deleted meanwhile is declared once, for all that wait for it.
        async with channel_of(declared) as channel:
            for each in TOPOLOGY.queues:
                await channel.queue_delete(each.name)
        may_declare.set()
        await Node(servers, declared).close_connections()
        await until(is_away)
        await until(reads)
        assert name_by_name <= 2
    finally:
        await service.stop()


async def test_process_that_starts_where_nothing_is_missing_writes_once(
    vhost_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_by_name = 0

    async def counted(channel: AbstractChannel, topology: Topology) -> dict[str, int]:
        nonlocal name_by_name
        name_by_name += 1
        return await declare(channel, topology)

    monkeypatch.setattr(consuming, "declare", counted)
    foreign = msgspec.structs.replace(TOPOLOGY.queues[0], setting="QUEUE", bindings=(("others.events", "key"),))

    async def starts(topology: Topology) -> int:
        before = name_by_name
        service = Consuming(vhost_url, name="declared", idle_max_seconds=30, declare_every_seconds=3600)
        await service.start(topology)
        await service.stop()
        return name_by_name - before

    assert await starts(TOPOLOGY) == 1
    assert await starts(TOPOLOGY) == 0
    async with channel_of(vhost_url) as channel:
        for name in (QUEUE, OTHERS):
            await channel.queue_delete(name)
            # What belongs to others is made where it is missing, as before they have started for the first time.
            assert await starts(TOPOLOGY) == (1 if name == OTHERS else 0)
            await channel.get_queue(name)
        # Another team's exchange may be missing.
        bound = msgspec.structs.replace(TOPOLOGY, exchanges=TOPOLOGY.exchanges[:1], queues=(foreign,))
        assert await starts(bound) == 0
        await channel.exchange_delete("others.events")
        assert await starts(bound) == 1
