"""Queues at other teams' exchanges: theirs are left as they are, ours are found in order or named, and letters go back."""

import json

import msgspec
import pytest
from aio_pika import ExchangeType

from deploy.local.servers import Servers
from libs.common.contracts.foreign import TENANTS
from libs.common.messaging.foreign import EXCHANGE_HEADER, KEY_HEADER
from libs.common.messaging.redrive import redrive
from libs.common.messaging.topology import Topology, TopologyConflict, declare, topology
from tests.support.brokers import fresh_vhost
from tests.support.partners import partners_at

pytestmark = pytest.mark.integration


def of_partners() -> Topology:
    whole = topology("api", [TENANTS])
    names = {"api.dead", "api.due", *(exchange for exchange, _ in TENANTS.bindings)}
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
