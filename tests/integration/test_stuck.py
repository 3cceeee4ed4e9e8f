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
from libs.common.messaging.envelope import PackedEvent, encode_pack
from libs.common.messaging.letters import dead_letters
from libs.common.messaging.topology import declare, topology
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


async def lose(url: str, intent: UUID) -> None:
    """Put the command to capture an intent among the dead letters."""
    command = CapturePayment(payment_intent_id=intent, amount_minor=100, currency="BRL", gateway_ref="ref")
    event = PackedEvent(
        id=new_id(),
        occurred_at=datetime.now(UTC),
        tenant_id="t",
        correlation_id="c",
        body=msgspec.Raw(command.encode()),
    )
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        await declare(channel, topology("gateway"))
        letter = aio_pika.Message(encode_pack("payment.capture", [event]), headers={"x-reason": "attempt_conflict"})
        await channel.default_exchange.publish(letter, routing_key=f"{QUEUE}.dead")


async def test_dead_letters_are_read_and_stay(vhost_url: str) -> None:
    intent = new_id()
    await lose(vhost_url, intent)
    # More often than RabbitMQ 4 delivers a message of a quorum queue before it drops it.
    for _ in range(25):
        [queue] = await dead_letters(vhost_url, "gateway", limit=10)
        assert (queue.queue, queue.count) == (QUEUE, 1)
        [letter] = queue.letters
        assert (letter.payment_intent_id, letter.reason) == (str(intent), "attempt_conflict")
    async with await aio_pika.connect(vhost_url) as connection:
        channel = await connection.channel()
        message = await (await channel.get_queue(f"{QUEUE}.dead")).get()
        assert message is not None
        assert message.headers["x-reason"] == "attempt_conflict"
        assert 0 < int(str(message.headers["x-delivery-count"])) <= 11
    # The queues of a service that has never started do not exist, and have no dead letters.
    assert await dead_letters(vhost_url, "notifier", limit=10) == []


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
