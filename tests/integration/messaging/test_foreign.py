"""Queues at other teams' exchanges: theirs are left as they are, ours are found in order or named, and letters go back."""

import asyncio
import json

import msgspec
import pytest
from aio_pika import ExchangeType

from deploy.local.servers import Servers
from libs.common.contracts.foreign import ORDERS, TENANTS
from libs.common.messaging.foreign import EXCHANGE_HEADER, KEY_HEADER, published_at
from libs.common.messaging.redrive import redrive
from libs.common.messaging.topology import DELIVERIES_MAX, Topology, TopologyConflict, declare, topology
from tests.support.brokers import fresh_vhost
from tests.support.partners import partners_at

pytestmark = pytest.mark.integration


def of_partners(whole: Topology | None = None) -> Topology:
    whole = whole or topology("api", [TENANTS])
    names = {"api.dead", "api.due"} | {
        exchange for queue in whole.queues if queue.setting for exchange, _ in queue.bindings
    }
    return msgspec.structs.replace(
        whole,
        exchanges=tuple(pair for pair in whole.exchanges if pair[0] in names),
        queues=tuple(queue for queue in whole.queues if queue.setting),
    )


async def test_what_is_there_otherwise_is_left_or_named(servers: Servers) -> None:
    with fresh_vhost(servers) as url:
        async with partners_at(url) as partners:
            channel = partners.channel
            # A partner may have made its exchange otherwise than we would; it is theirs.
            await channel.declare_exchange("saas.other", ExchangeType.TOPIC, durable=False)
            other = msgspec.structs.replace(
                of_partners(), exchanges=(*of_partners().exchanges, ("saas.other", ExchangeType.TOPIC))
            )
            await channel.declare_queue(TENANTS.queue, durable=True)
            with pytest.raises(TopologyConflict, match=r"'payments.saas.events' exists .* another one in SAAS_QUEUE$"):
                await declare(channel, other)
            await channel.reopen()
            await channel.queue_delete(TENANTS.queue)
            assert TENANTS.queue in await declare(channel, other)


async def test_a_dead_letter_that_goes_back_means_what_it_meant(servers: Servers) -> None:
    with fresh_vhost(servers) as url:
        async with partners_at(url) as partners:
            await declare(partners.channel, of_partners())
            body = json.dumps({"aggregateId": "t1"}).encode()
            kept = {EXCHANGE_HEADER: "saas.events", KEY_HEADER: "saas.TENANT.tenant.created"}
            headers = kept | {"x-reason": "too_early", "X-Tenant-Id": "t1"}
            await partners.publish("api.dead", TENANTS.queue, body, headers=headers, message_id="m-1")
            assert (await redrive(url, TENANTS.queue)).moved == 1
            queue = await partners.channel.get_queue(TENANTS.queue, ensure=False)
            again = await queue.get(no_ack=True)
            assert again is not None
            assert (again.body, again.message_id, again.routing_key) == (body, "m-1", TENANTS.queue)
            assert again.headers.items() >= kept.items()


async def test_a_letter_of_the_broker_keeps_what_it_meant(servers: Servers) -> None:
    with fresh_vhost(servers) as url:
        async with partners_at(url) as partners:
            whole = topology("api", [ORDERS])
            await declare(partners.channel, of_partners(whole))
            await partners.order("order.confirmed", "t1", "o1", 5)
            # One of our own form, which died where postponed events wait.
            await partners.publish("api.due", f"{ORDERS.queue}.postponed", b"pack")
            for name in (ORDERS.queue, f"{ORDERS.queue}.postponed"):
                queue = await partners.channel.get_queue(name, ensure=False)
                left = DELIVERIES_MAX + 1
                async with asyncio.timeout(30):
                    while left:
                        # What was given back is not there again at once.
                        if message := await queue.get(fail=False):
                            await message.nack(requeue=True)
                            left -= 1
            async with asyncio.timeout(30):
                while (
                    await partners.channel.declare_queue(f"{ORDERS.queue}.dead", passive=True)
                ).declaration_result.message_count != 2:
                    await asyncio.sleep(0.02)
            assert (await redrive(url, ORDERS.queue)).moved == 2
            queue = await partners.channel.get_queue(ORDERS.queue, ensure=False)
            again = await queue.get(no_ack=True)
            assert again is not None
            assert published_at(again.headers, ORDERS.queue) == ("orders.x", "order.confirmed")
            postponed = await partners.channel.get_queue(f"{ORDERS.queue}.postponed", ensure=False)
            pack = await postponed.get(no_ack=True)
            assert pack is not None
            assert pack.body == b"pack"
