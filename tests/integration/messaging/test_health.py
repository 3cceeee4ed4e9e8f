"""What a service answers for its outbox and its queues: what waits, for how long, and who consumes it."""

from datetime import timedelta

import aio_pika
import pytest

from libs.common.contracts.service_health import GetGatewayHealth, QueueHealth
from libs.common.errors import Unavailable
from libs.common.ids import new_id
from libs.common.messaging.health import HealthAnswers
from libs.common.messaging.topology import declare, topology
from tests.integration.messaging.conftest import Pair

_ROW = "event_id, contract, tenant_id, correlation_id, traceparent, occurred_at, body"
_DUE = f"""
INSERT INTO outbox ({_ROW}, available_at) VALUES ($1, 'event.payment.captured', 't', 'c', '', now(), '{{}}', now() - $2::interval)
"""
_REFUSED = f"""
INSERT INTO outbox_refused (destination, {_ROW}, attempts, available_at)
VALUES ('payments.x', $1, 'event.payment.captured', 't', 'c', '', now(), '{{}}', 1, now())
"""


async def _left(_: aio_pika.abc.AbstractIncomingMessage) -> None:
    """Leave a message as it is."""


async def test_what_waits_is_counted_and_what_nothing_consumes(pair: Pair, vhost_url: str) -> None:
    database = await pair.database("gateway")
    answers = HealthAnswers(service="gateway", url=vhost_url, database=database)
    queue = "gateway.payment.capture"
    async with await aio_pika.connect(vhost_url) as connection:
        channel = await connection.channel(publisher_confirms=True)
        await declare(channel, topology("gateway"))
        for body in (b"1", b"2"):
            await channel.default_exchange.publish(aio_pika.Message(body), routing_key=queue)
        await (await channel.get_queue("gateway.requests.work")).consume(_left)
        await channel.queue_delete("gateway.payment.void")
        found = {each.queue: each for each in (await answers.health(GetGatewayHealth())).queues}

    assert found[queue] == QueueHealth(queue=queue, waiting=2, consumers=0)
    assert found["gateway.requests.work"].consumers == 1
    assert found["gateway.payment.void"] == QueueHealth(queue="gateway.payment.void", waiting=0, consumers=0)
    assert f"{queue}.postponed" in found
    assert not [name for name in found if name.endswith(".dead") or ".wait." in name or not name.startswith("gateway.")]


async def test_the_outbox_is_measured_by_what_is_due(pair: Pair, vhost_url: str) -> None:
    database = await pair.database("gateway")
    answers = HealthAnswers(service="gateway", url=vhost_url, database=database)
    empty = await answers.health(GetGatewayHealth())
    assert (empty.outbox_pending, empty.outbox_oldest_seconds, empty.outbox_refused) == (0, 0.0, 0)

    for ago in (90, 30):
        await database.write(_DUE, new_id(), timedelta(seconds=ago))
    await database.write(_REFUSED, new_id())
    found = await answers.health(GetGatewayHealth())
    assert (found.outbox_pending, found.outbox_refused) == (2, 1)
    assert 90 <= found.outbox_oldest_seconds < 600


async def test_a_broker_that_is_away_is_an_outage(pair: Pair) -> None:
    database = await pair.database("gateway")
    answers = HealthAnswers(service="gateway", url="amqp://guest:guest@127.0.0.1:1/", database=database)
    with pytest.raises(Unavailable):
        await answers.health(GetGatewayHealth())
