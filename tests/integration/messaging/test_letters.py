"""Looking at dead letters takes none of them, however often, and wherever they wait."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import aio_pika
import msgspec
import pytest

from libs.common.contracts.gateway import CapturePayment
from libs.common.ids import new_id
from libs.common.messaging import letters
from libs.common.messaging.envelope import PackedEvent, encode_pack
from libs.common.messaging.letters import DeadQueue, _read, dead_letters
from libs.common.messaging.topology import dead_exchange, declare, topology

QUEUE = "gateway.payment.capture"
SENT_AT = datetime(2028, 2, 29, tzinfo=UTC)
DEATHS: Any = [{"queue": QUEUE, "exchange": "gateway.commands", "routing-keys": [QUEUE], "time": SENT_AT}]


def body_of(event_id: UUID, *, intent: UUID | None = None) -> bytes:
    """Return a command to capture an intent, as it comes."""
    command = CapturePayment(payment_intent_id=intent or new_id(), amount_minor=100, currency="BRL", gateway_ref="ref")
    event = PackedEvent(
        id=event_id,
        occurred_at=datetime.now(UTC),
        tenant_id="t",
        correlation_id="c",
        body=msgspec.Raw(command.encode()),
    )
    return encode_pack("payment.capture", [event])


async def lose(url: str, *intents: UUID) -> None:
    """Put the commands to capture some intents among the dead letters."""
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        await declare(channel, topology("gateway"))
        for intent in intents:
            letter = aio_pika.Message(
                body_of(new_id(), intent=intent),
                message_id=str(intent),
                type="payment.capture",
                headers={"x-reason": "attempt_conflict", "x-death": DEATHS},
                timestamp=SENT_AT,
            )
            await channel.default_exchange.publish(letter, routing_key=f"{QUEUE}.dead")


async def seen(url: str, *, count: int) -> DeadQueue:
    """Read all dead letters once the broker counts so many: those that were given back are counted a moment later."""
    async with asyncio.timeout(20):
        while True:
            for queue in await dead_letters(url, "gateway", limit=10):
                if queue.count == len(queue.letters) == count:
                    return queue
            await asyncio.sleep(0.01)


async def test_dead_letters_are_read_and_stay(vhost_url: str) -> None:
    first, second, third = new_id(), new_id(), new_id()
    await lose(vhost_url, first, second, third)
    assert (await dead_letters(vhost_url, "gateway", limit=0))[0] == DeadQueue(queue=QUEUE, count=3)
    [queue] = await dead_letters(vhost_url, "gateway", limit=2)
    assert [letter.payment_intent_id for letter in queue.letters] == [str(first), str(second)]
    # More often than RabbitMQ 4 delivers a message of a quorum queue before it drops it.
    for _ in range(25):
        queue = await seen(vhost_url, count=3)
        assert queue.queue == QUEUE
        read = {(letter.payment_intent_id, letter.reason) for letter in queue.letters}
        assert read == {(str(intent), "attempt_conflict") for intent in (first, second, third)}
    async with await aio_pika.connect(vhost_url) as connection:
        channel = await connection.channel()
        source = await channel.get_queue(f"{QUEUE}.dead")
        for _ in range(3):
            message = await source.get(no_ack=True)
            assert message.message_id in {str(first), str(second), str(third)}
            assert (message.type, message.delivery_mode) == ("payment.capture", aio_pika.DeliveryMode.PERSISTENT)
            assert (message.headers["x-reason"], message.timestamp) == ("attempt_conflict", SENT_AT)
            assert message.headers["x-death"] == DEATHS
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
        queue = await seen(vhost_url, count=1)
        assert [letter.payment_intent_id for letter in queue.letters] == [str(intent)]
