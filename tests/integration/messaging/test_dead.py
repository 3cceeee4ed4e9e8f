"""What an operator sees of dead letters, and sends back: all of a service, of a queue, or one."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import aio_pika
import pytest

from libs.common.errors import NotFound
from libs.common.ids import new_id
from libs.common.messaging.topology import declare, topology
from libs.common.operating import list_dead, send_back
from libs.common.settings import BrokerSettings
from tests.integration.messaging.test_letters import QUEUE, body_of
from tests.support.waiting import until

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
OTHER = "gateway.payment.void"
FOREIGN = "payments.orders"


class Post:
    """The queues of the gateway, and one that settings name."""

    def __init__(self, url: str) -> None:
        self.broker = BrokerSettings(rabbitmq_url=url)
        self.url = url

    async def die(self, event_id: UUID, *, queue: str = QUEUE, age: timedelta = timedelta(0)) -> None:
        """Put a letter among the dead ones of a queue."""
        async with await aio_pika.connect(self.url) as connection:
            channel = await connection.channel()
            await declare(channel, topology("gateway"))
            for name in (FOREIGN, f"{FOREIGN}.dead"):
                await channel.declare_queue(name, durable=True)
            headers: dict[str, Any] = {
                "x-reason": "attempt_conflict",
                "x-detail": "with other money",
                "x-failed-at": (NOW - age).isoformat(),
            }
            letter = aio_pika.Message(
                body_of(event_id), message_id=str(event_id), type="payment.capture", headers=headers
            )
            await channel.default_exchange.publish(letter, routing_key=f"{queue}.dead")

    async def dead(self, *arguments: str) -> str:
        """List them."""
        return await list_dead("gateway", self.broker, arguments, more=[FOREIGN], now=NOW)

    async def redrive(self, *arguments: str) -> str:
        """Send them back."""
        return await send_back("gateway", self.broker, arguments, more=[FOREIGN])

    async def counts(self) -> dict[str, int]:
        """How many messages each queue has that has any."""
        async with await aio_pika.connect(self.url) as connection:
            channel = await connection.channel()
            names = [name for queue in (QUEUE, OTHER, FOREIGN) for name in (queue, f"{queue}.dead")]
            found = {}
            for name in names:
                declared = await channel.declare_queue(name, passive=True)
                found[name] = declared.declaration_result.message_count or 0
            return {name: count for name, count in found.items() if count}


@pytest.fixture
def post(vhost_url: str) -> Post:
    return Post(vhost_url)


async def test_letters_are_listed_and_go_back_one_by_one_or_all(post: Post) -> None:
    old, fresh = new_id(), new_id()
    await post.die(old, age=timedelta(hours=30))
    await post.die(fresh, queue=FOREIGN, age=timedelta(seconds=5))

    async def listed() -> bool:
        return str(fresh) in await post.dead()

    await until(listed)
    text = await post.dead()
    assert f"{QUEUE}: 1 dead letters. All of them back: just redrive gateway {QUEUE}" in text
    assert f"  {old}  1.2 d old" in text
    assert f"  {fresh}  5 s old" in text
    assert "    attempt_conflict: with other money" in text
    assert str(fresh) not in await post.dead(QUEUE)
    assert await post.dead(OTHER) == f"The {OTHER} has no dead letters."

    # One goes back once, and the others stay.
    second = new_id()
    await post.die(second)

    async def both() -> bool:
        return (await post.counts()).get(f"{QUEUE}.dead") == 2

    await until(both)
    assert f"1 dead letters went back to {QUEUE}" in await post.redrive("--id", str(second))
    with pytest.raises(NotFound, match="it may have gone back already"):
        await post.redrive(QUEUE, "--id", str(second))

    async def one_back() -> bool:
        return await post.counts() == {QUEUE: 1, f"{QUEUE}.dead": 1, f"{FOREIGN}.dead": 1}

    await until(one_back)
    assert str(old) in await post.dead(QUEUE)

    # Without a queue all of them do.
    text = await post.redrive()
    assert f"1 dead letters went back to {QUEUE}" in text
    assert f"1 dead letters went back to {FOREIGN}" in text

    async def all_back() -> bool:
        return await post.counts() == {QUEUE: 2, FOREIGN: 1}

    await until(all_back)
    assert await post.redrive() == "The gateway has no dead letters."


async def test_looking_for_one_letter_wears_none_out(post: Post) -> None:
    ids = [new_id() for _ in range(3)]
    for event_id in ids:
        await post.die(event_id, queue=OTHER)
    # More often than RabbitMQ 4 delivers a message of a quorum queue before it drops it.
    for _ in range(25):
        with pytest.raises(NotFound):
            await post.redrive(OTHER, "--id", str(new_id()))

    async def all_there() -> bool:
        return (await post.counts()).get(f"{OTHER}.dead") == 3

    await until(all_there)
    text = await post.dead(OTHER)
    assert [str(event_id) in text for event_id in ids] == [True] * 3
