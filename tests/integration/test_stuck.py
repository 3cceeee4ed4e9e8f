"""`just stuck` on real servers: each service reads its own schema and its own dead letters, and takes none of them."""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import aio_pika
import asyncpg
import msgspec
import pytest

from deploy.local.servers import Servers
from deploy.local.stuck import stuck
from libs.common.contracts.gateway import CapturePayment
from libs.common.ids import new_id
from libs.common.messaging import letters
from libs.common.messaging.envelope import PackedEvent, encode_pack
from libs.common.messaging.letters import DeadQueue, _read, dead_letters
from libs.common.messaging.topology import dead_exchange, declare, topology
from tests.support.brokers import fresh_vhost
from tests.support.databases import TestDatabase

QUEUE = "gateway.payment.capture"
_INTENT = """
INSERT INTO api.payment_intents (tenant_id, id, amount_minor, currency, status, customer_ref, metadata, version, created_at,
    updated_at) VALUES ('t', $1, 100, 'BRL', $2, 'c', '{}', 2, $3, $3)
"""


@pytest.fixture
def vhost_url(servers: Servers) -> Iterator[str]:
    with fresh_vhost(servers) as url:
        yield url


async def lose(url: str, *intents: UUID) -> None:
    """Put the commands to capture some intents among the dead letters."""
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        await declare(channel, topology("gateway"))
        for intent in intents:
            command = CapturePayment(payment_intent_id=intent, amount_minor=100, currency="BRL", gateway_ref="ref")
            event = PackedEvent(
                id=new_id(),
                occurred_at=datetime.now(UTC),
                tenant_id="t",
                correlation_id="c",
                body=msgspec.Raw(command.encode()),
            )
            letter = aio_pika.Message(
                encode_pack("payment.capture", [event]),
                message_id=str(intent),
                type="payment.capture",
                headers={"x-reason": "attempt_conflict"},
            )
            await channel.default_exchange.publish(letter, routing_key=f"{QUEUE}.dead")


async def test_dead_letters_are_read_and_stay(vhost_url: str) -> None:
    first, second, third = new_id(), new_id(), new_id()
    await lose(vhost_url, first, second, third)
    assert (await dead_letters(vhost_url, "gateway", limit=0))[0] == DeadQueue(queue=QUEUE, count=3)
    [queue] = await dead_letters(vhost_url, "gateway", limit=2)
    assert [letter.payment_intent_id for letter in queue.letters] == [str(first), str(second)]
    # More often than RabbitMQ 4 delivers a message of a quorum queue before it drops it.
    for _ in range(25):
        [queue] = await dead_letters(vhost_url, "gateway", limit=10)
        assert (queue.queue, queue.count) == (QUEUE, 3)
        read = {(letter.payment_intent_id, letter.reason) for letter in queue.letters}
        assert read == {(str(intent), "attempt_conflict") for intent in (first, second, third)}
    async with await aio_pika.connect(vhost_url) as connection:
        channel = await connection.channel()
        source = await channel.get_queue(f"{QUEUE}.dead")
        for _ in range(3):
            message = await source.get(no_ack=True)
            assert message.message_id in {str(first), str(second), str(third)}
            assert (message.type, message.delivery_mode) == ("payment.capture", aio_pika.DeliveryMode.PERSISTENT)
            assert message.headers["x-reason"] == "attempt_conflict"
            assert 0 < int(str(message.headers["x-delivery-count"])) <= 11
        # What was counted may be gone when it is read.
        assert await _read(channel, "gateway", f"{QUEUE}.dead", limit=3) == []
    # The queues of a service that has never started do not exist, and have no dead letters.
    assert await dead_letters(vhost_url, "notifier", limit=10) == []


async def test_dead_letter_is_not_lost_where_its_queue_takes_no_copy(
    vhost_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letters, "_LOOKS_MAX", 1)
    intent = new_id()
    await lose(vhost_url, intent)
    async with await aio_pika.connect(vhost_url) as connection:
        channel = await connection.channel()
        source = await channel.get_queue(f"{QUEUE}.dead")
        await source.unbind(dead_exchange("gateway"), QUEUE)
    for _ in range(4):
        [queue] = await dead_letters(vhost_url, "gateway", limit=1)
        assert [letter.payment_intent_id for letter in queue.letters] == [str(intent)]


async def test_payments_that_wait_are_listed_with_reason_and_next_step(
    make_database: Callable[..., AbstractAsyncContextManager[TestDatabase]], vhost_url: str
) -> None:
    lost, unheard, fresh = new_id(), new_id(), new_id()
    now = datetime.now(UTC)
    async with make_database("api", "gateway", "ledger", "notifier") as database:
        admin = await asyncpg.connect(database.admin_url)
        await admin.execute(_INTENT, lost, "AUTHORIZED", now - timedelta(hours=2))
        await admin.execute(_INTENT, unheard, "PROCESSING", now - timedelta(hours=1))
        await admin.execute(_INTENT, fresh, "PROCESSING", now)
        await admin.close()
        await lose(vhost_url, lost)
        env = os.environ | {
            "APP_ENV": "local",
            "LOG_LEVEL": "WARNING",
            "RABBITMQ_URL": vhost_url,
            **{
                f"{name.upper()}_DATABASE_URL": database.url(f"{name}_app")
                for name in ("api", "gateway", "ledger", "notifier")
            },
        }
        text = await asyncio.to_thread(stuck, env)
    assert f"payment {lost} (tenant t): authorized automatic since" in text
    assert f"a dead letter waits in {QUEUE}: attempt_conflict" in text
    assert f"just redrive gateway {QUEUE}" in text
    assert f"payment {unheard} (tenant t): processing since" in text
    assert "no attempt at the gateway: the command to authorize has not arrived" in text
    assert str(fresh) not in text
