"""Connections through which nothing comes any more, though both ends take them for open, as after a firewall lost its table."""

import asyncio
import time
from collections.abc import Sequence
from functools import partial

import aio_pika
import aiormq
import pytest
from aio_pika import ExchangeType
from yarl import URL

from libs.common.contracts import gateway
from libs.common.db import Connection
from libs.common.messaging import Received
from libs.common.messaging.connections import connect, is_open
from libs.common.messaging.consuming import Consuming
from libs.common.messaging.delivery import Delivery
from libs.common.messaging.publisher import HEARTBEAT_SECONDS, named
from libs.common.messaging.reader import Subscription
from libs.common.messaging.topology import Topology
from tests.integration.messaging.buses import complete_gateway, complete_ledger
from tests.integration.messaging.conftest import Pair, captured, publish_together, record
from tests.support.proxies import running_proxies
from tests.support.waiting import until

SHORT = 1
"""The shortest heartbeat, so that a test waits for as little as possible."""
SECONDS = 15.0
"""How long two connections may take that are lost one after the other: three seconds each, and a busy machine."""


def through(url: str, port: int, *, heartbeat: int = SHORT) -> str:
    return str(URL(url).with_port(port).update_query(heartbeat=heartbeat))


async def test_messages_go_both_ways_again_after_connections_went_dead(pair: Pair) -> None:
    source, target = await pair.database("gateway"), await pair.database("ledger")
    url = pair.vhost_url
    async with running_proxies([URL(url).port or 5672] * 2) as (of_publisher, of_subscriber):
        pair.vhost_url = through(url, of_publisher.port)
        publisher = await pair.bus("gateway", source)
        pair.vhost_url = through(url, of_subscriber.port)
        subscriber = await pair.bus("ledger", target)
        complete_gateway(publisher)
        complete_ledger(subscriber)

        async def on_captured(transaction: Connection, events: Sequence[Received[gateway.PaymentCaptured]]) -> None:
            await record(transaction, list(events))

        subscriber.handle(gateway.PaymentCaptured, on_captured)

        async def handled() -> int:
            row = await target.fetchrow("SELECT count(DISTINCT event_id) AS n FROM effects")
            return 0 if row is None else int(row["n"])

        async def is_published() -> bool:
            row = await source.fetchrow("SELECT count(*) AS n FROM outbox")
            return row is not None and row["n"] == 0

        async with pair.running(publisher, subscriber):
            await publish_together(source, [captured()])
            await until(handled)
            await of_subscriber.act("forget")
            # The broker pushes it into the dead connection, and gives it back once it notices.
            await publish_together(source, [captured()])
            await until(is_published)
            await of_publisher.act("forget")
            await publish_together(source, [captured()])

            async def all_handled() -> bool:
                return await handled() == 3

            await until(all_handled, seconds=SECONDS)


class Acknowledging:
    """Takes messages, and keeps none."""

    def __init__(self) -> None:
        self.taken = asyncio.Event()

    async def take(self, message: Delivery) -> None:
        await message.ack()
        self.taken.set()

    def works_on(self, _: Delivery) -> bool:
        return False


async def test_own_queue_does_not_wait_for_the_end_of_the_one_before(vhost_url: str) -> None:
    exchange, own, key = "test.replies", "test.replies.own", "to me"
    taker = Acknowledging()
    async with running_proxies([URL(vhost_url).port or 5672]) as (proxy,):
        url = through(vhost_url, proxy.port, heartbeat=600)
        service = Consuming(url, name="test", idle_max_seconds=30, declare_every_seconds=3600)
        service.add(Subscription(queue=own, name=own, taker=taker, prefetch=1, is_own=True, binding=(exchange, key)))
        topology = Topology(service="test", exchanges=((exchange, ExchangeType.DIRECT),), queues=())
        await service.start(topology)
        await service.until_reads(own)
        assert service._connection is not None
        assert service._connection.transport is not None
        # The broker takes it for open for twenty minutes, and its queue belongs to it.
        await proxy.act("forget")
        driver = service._connection.transport.connection
        driver._reader_task.cancel()  # type: ignore[attr-defined]
        async with asyncio.timeout(SECONDS):
            await asyncio.wait([driver.closing])
            await until(partial(_reads, service))
            async with await aio_pika.connect(vhost_url) as connection:
                channel = await connection.channel()
                to = await channel.get_exchange(exchange)
                await to.publish(aio_pika.Message(b"{}"), key)
                await taker.taken.wait()
        await service.stop()


async def _reads(service: Consuming) -> bool:
    return service.trouble == ""


async def test_connection_survives_a_loop_that_is_blocked_for_a_while(vhost_url: str) -> None:
    connection = await connect(named(vhost_url, "test"), timeout_seconds=5)
    assert connection.transport is not None
    assert isinstance(connection.transport.connection, aiormq.Connection)
    assert connection.transport.connection.heartbeat_timeout == HEARTBEAT_SECONDS
    time.sleep(HEARTBEAT_SECONDS)  # noqa: ASYNC251 - what a busy process does
    async with connection.channel() as channel:
        await channel.declare_queue("test.blocked", exclusive=True)
    assert is_open(connection)
    await connection.close()


@pytest.mark.parametrize(("given", "used"), [("", HEARTBEAT_SECONDS), ("?heartbeat=20", 20), ("?heartbeat=0", 0)])
def test_heartbeat_of_the_address_is_used_where_there_is_one(given: str, used: int) -> None:
    address = URL(named(f"amqp://me:secret@localhost:5672/%2F{given}", "api publishes"))
    assert (int(address.query["heartbeat"]), address.query["name"]) == (used, "api publishes")
    assert address.raw_path == "/%2F"
