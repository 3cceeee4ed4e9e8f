"""Redrive: dead letters go back once, and none is lost in between."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aio_pika
import pytest

from libs.common.errors import NotFound, Unavailable
from libs.common.messaging.redrive import redrive
from tests.support.waiting import until

ROOT = Path(__file__).parents[3]
QUEUE = "ledger.payment.captured"


class Letters:
    """A queue and its dead letters, on a channel of the test's own."""

    def __init__(self, url: str, channel: aio_pika.abc.AbstractChannel) -> None:
        self.url, self.channel = url, channel

    async def declare(self, **arguments: Any) -> None:
        """Make the queue."""
        await self.channel.declare_queue(QUEUE, durable=True, arguments=arguments)

    async def die(self, *bodies: bytes) -> None:
        """Put letters into the dead-letter queue."""
        await self.channel.declare_queue(f"{QUEUE}.dead", durable=True)
        for body in bodies:
            letter = aio_pika.Message(
                body,
                message_id=body.decode(),
                type="payment.captured",
                headers={"x-reason": "conflict", "traceparent": "trace", "X-Correlation-Id": "c"},
            )
            await self.channel.default_exchange.publish(letter, routing_key=f"{QUEUE}.dead")

    async def take(self, queue: str) -> list[aio_pika.abc.AbstractIncomingMessage]:
        """All messages of a queue, which is empty afterwards."""
        source = await self.channel.get_queue(queue)
        found = []
        while (message := await source.get(fail=False, no_ack=True)) is not None:
            found.append(message)
        return found


@pytest.fixture
async def letters(vhost_url: str) -> AsyncIterator[Letters]:
    async with await aio_pika.connect(vhost_url) as connection:
        yield Letters(vhost_url, await connection.channel())


async def test_letters_go_back_as_if_they_were_new(letters: Letters) -> None:
    await letters.declare()
    await letters.die(b"one", b"two")
    done = await redrive(letters.url, QUEUE)
    assert (done.moved, done.returned, done.left) == (2, 0, 0)
    back = await letters.take(QUEUE)
    assert [(m.body, m.message_id, m.type, m.delivery_mode, m.content_type) for m in back] == [
        (body, body.decode(), "payment.captured", aio_pika.DeliveryMode.PERSISTENT, "application/json")
        for body in (b"one", b"two")
    ]
    assert back[0].headers == {"traceparent": "trace", "X-Correlation-Id": "c", "x-redriven": True}
    assert await letters.take(f"{QUEUE}.dead") == []


async def test_letter_that_dies_again_is_not_taken_again(letters: Letters) -> None:
    await letters.declare(
        **{"x-message-ttl": 0, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": f"{QUEUE}.dead"}
    )
    await letters.die(b"one", b"two", b"three")
    done = await redrive(letters.url, QUEUE)
    assert (done.moved, done.left) == (3, 0)
    assert 0 <= done.returned <= 3

    async def all_back() -> bool:
        queue = await letters.channel.declare_queue(f"{QUEUE}.dead", passive=True)
        return queue.declaration_result.message_count == 3

    await until(all_back)


async def test_run_is_bounded_and_says_what_is_left(letters: Letters) -> None:
    await letters.declare()
    await letters.die(b"one", b"two", b"three")
    done = await redrive(letters.url, QUEUE, limit=2)
    assert (done.moved, done.returned, done.left) == (2, 0, 1)
    assert [m.body for m in await letters.take(f"{QUEUE}.dead")] == [b"three"]


async def test_letter_stays_where_its_queue_is_missing(letters: Letters) -> None:
    await letters.die(b"one")
    with pytest.raises(Unavailable, match=QUEUE):
        await redrive(letters.url, QUEUE)
    assert [m.body for m in await letters.take(f"{QUEUE}.dead")] == [b"one"]


async def test_letter_stays_where_its_queue_is_full(letters: Letters) -> None:
    await letters.declare(**{"x-max-length": 1, "x-overflow": "reject-publish"})
    await letters.die(b"one", b"two")
    with pytest.raises(Unavailable, match=QUEUE):
        await redrive(letters.url, QUEUE)
    assert [m.body for m in await letters.take(QUEUE)] == [b"one"]
    assert [m.body for m in await letters.take(f"{QUEUE}.dead")] == [b"two"]


async def test_unknown_queue_is_one_sentence(letters: Letters) -> None:
    with pytest.raises(NotFound):
        await redrive(letters.url, "no.such.queue")
    ended = subprocess.run(  # noqa: ASYNC221 - our own program, and nothing else runs here
        [sys.executable, "-m", "services.ledger", "redrive", "no.such.queue"],
        cwd=ROOT,
        env=os.environ | {"RABBITMQ_URL": letters.url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith(
        "ledger: there is no queue 'no.such.queue.dead'; a queue is named <service>.<message>"
    )
    assert ended.stderr.count("\n") == 1


async def test_broker_that_is_away_is_one_sentence() -> None:
    with pytest.raises(Unavailable, match="RabbitMQ does not answer"):
        await redrive("amqp://guest:guest@127.0.0.1:1/", QUEUE)
