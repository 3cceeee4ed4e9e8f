"""A virtual host that one test has used is as new for the next one, or it is another one."""

import aio_pika
import pytest

from deploy.local.servers import Servers
from tests.support.kept_vhosts import declared_vhost

pytestmark = pytest.mark.integration

SERVICES = ("notifier",)
QUEUE = "notifier.payment.settled"


async def test_vhost_is_given_again_empty_and_only_as_it_was(servers: Servers) -> None:
    if servers.rabbitmq.kind == "given":
        pytest.skip("a broker that is given has one virtual host")
    with declared_vhost(servers, services=SERVICES) as (first, addresses):
        assert list(addresses) == ["notifier"]
        async with await aio_pika.connect(first) as connection:
            channel = await connection.channel()
            await channel.declare_queue("added", durable=True)
            await channel.declare_exchange("added.too")
            await channel.default_exchange.publish(aio_pika.Message(b"left"), routing_key=QUEUE)
    with declared_vhost(servers, services=SERVICES) as (again, _):
        assert again == first
        async with await aio_pika.connect(again) as connection:
            channel = await connection.channel()
            queue = await channel.get_queue(QUEUE)
            assert (queue.declaration_result.message_count, await queue.get(fail=False)) == (0, None)
            with pytest.raises(aio_pika.exceptions.ChannelNotFoundEntity):
                await channel.get_queue("added")
            channel = await connection.channel()
            with pytest.raises(aio_pika.exceptions.ChannelNotFoundEntity):
                await channel.get_exchange("added.too")
            channel = await connection.channel()
            await channel.queue_delete(QUEUE)
            await channel.declare_queue(QUEUE, durable=True)
    with declared_vhost(servers, services=SERVICES) as (other, _):
        assert other != first
