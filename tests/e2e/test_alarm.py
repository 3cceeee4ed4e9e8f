"""RabbitMQ is short of memory or disk: it takes nothing more from whoever publishes, and everybody can see it.

Here and not among the tests of messaging, since the alarm is the whole node's, and those run beside each other.
"""

import asyncio

import pytest

from deploy.local.servers import Servers
from libs.common.errors import Unavailable
from libs.common.messaging.broker import Broker
from libs.common.messaging.delivery import Delivery
from libs.common.messaging.topology import dead_queue, topology
from libs.common.observability import metrics
from tests.support.broker import Node
from tests.support.platform import Client, Platform

pytestmark = pytest.mark.outages

QUEUE = "ledger.payment.captured"


class Hand:
    """Keeps what it takes."""

    def __init__(self) -> None:
        self.taken: asyncio.Queue[Delivery] = asyncio.Queue()

    def works_on(self, message: Delivery) -> bool:
        """Whatever it has taken."""
        return True

    async def take(self, message: Delivery) -> None:
        """Take one message."""
        self.taken.put_nowait(message)


@pytest.fixture
def node(servers: Servers, vhost_url: str) -> Node:
    """The broker from inside."""
    if servers.rabbitmq.kind == "given":
        pytest.skip("the environment gives RabbitMQ: not ours to alarm")
    return Node(servers, vhost_url)


async def _send(broker: Broker, body: bytes) -> None:
    await broker.publish(body, exchange="gateway.events", routing_key="payment.captured")


@pytest.mark.parametrize("resource", ["memory", "disk"])
async def test_in_an_alarm_deliveries_are_acknowledged_and_publishing_is_refused(
    vhost_url: str, node: Node, resource: str
) -> None:
    broker, hand = Broker(vhost_url, name="ledger"), Hand()
    broker.subscribe(QUEUE, hand, prefetch=10)
    await broker.start(topology("ledger"))
    try:
        async with asyncio.timeout(60):
            await _send(broker, b"done")
            await _send(broker, b"handed back")
            done, handed_back = await hand.taken.get(), await hand.taken.get()
            async with node.short_of(resource):
                # The broker tells nobody before he publishes: a process that has nothing to say finds out by its probe.
                with pytest.raises(Unavailable, match=f"low on {resource}"):
                    await broker.ping()
                assert broker.trouble == f"blocked: low on {resource}"
                assert metrics.BROKER_BLOCKED._value.get() == 1
                with pytest.raises(Unavailable, match=f"low on {resource}"):
                    await _send(broker, b"later")
                await done.ack()
                await handed_back.hand_back()
                again = await hand.taken.get()
                assert again.body == b"handed back"
                await again.ack()
                while QUEUE in await node.queues():
                    await asyncio.sleep(0.05)
            while broker.trouble:
                await asyncio.sleep(0.05)
            await broker.ping()
            assert metrics.BROKER_BLOCKED._value.get() == 0
            await _send(broker, b"after")
            after = await hand.taken.get()
            assert after.body == b"after"
            await after.ack()
            assert dead_queue(QUEUE) not in await node.queues()
    finally:
        await broker.stop()


async def test_in_an_alarm_services_are_not_ready_and_payments_go_on_afterwards(
    servers: Servers, platform: Platform, operator: Client
) -> None:
    if servers.rabbitmq.kind == "given":
        pytest.skip("the environment gives RabbitMQ: not ours to alarm")
    intent = await operator.create("17.00")
    async with Node(servers, platform.rabbitmq_url).short_of("memory"):
        for service in ("api", "ledger"):
            down = await platform.ready(service, status=503)
            assert down["checks"]["rabbitmq"] == "fail"
            assert down["details"]["rabbitmq"] == "blocked: low on memory"
        confirmed = await operator.confirm(intent["id"], headers={"Prefer": "respond-async"})
        assert confirmed.status == 202
    for service in ("api", "ledger"):
        await platform.ready(service)
    await operator.settled(intent["id"])
