"""The ledger as a whole: captures arrive over RabbitMQ, postings leave over RabbitMQ, questions are answered there."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from uuid import UUID

import aio_pika
import msgspec
import pytest
from litestar.testing import AsyncTestClient

from libs.common.contracts.gateway import PaymentCaptured
from libs.common.contracts.ledger import JournalEntryPosted
from libs.common.ids import derived_id, new_id
from libs.common.messaging.envelope import Pack, PackedEvent, encode_pack
from libs.common.settings import BrokerSettings
from services.ledger.app import build
from services.ledger.settings import LedgerHttpSettings, Settings
from tests.integration.ledger.conftest import audit
from tests.support.databases import TestDatabase

WAIT_SECONDS = 60


class Neighbours:
    """The gateway's and the api's side: publishes captures, receives postings, looks into the dead-letter queue."""

    def __init__(self, channel: aio_pika.abc.AbstractChannel) -> None:
        self.channel = channel
        self.posted: asyncio.Queue[JournalEntryPosted] = asyncio.Queue()

    async def listen(self) -> None:
        """Bind a queue of our own to what the ledger publishes."""
        queue = await self.channel.declare_queue(exclusive=True)
        await queue.bind("ledger.events", routing_key="#")
        await queue.consume(self._take, no_ack=True)

    async def _take(self, message: aio_pika.abc.AbstractIncomingMessage) -> None:
        for event in msgspec.json.decode(message.body, type=Pack).events:
            self.posted.put_nowait(msgspec.json.decode(event.body, type=JournalEntryPosted))

    async def publish(self, tenant_id: str, bodies: Sequence[bytes]) -> None:
        """Publish captures as one pack."""
        events = [
            PackedEvent(
                id=new_id(),
                occurred_at=datetime.now(UTC),
                tenant_id=tenant_id,
                correlation_id="corr-1",
                body=msgspec.Raw(body),
            )
            for body in bodies
        ]
        exchange = await self.channel.get_exchange("gateway.events")
        await exchange.publish(
            aio_pika.Message(encode_pack("payment.captured", events)), routing_key="payment.captured"
        )

    async def dead_lettered(self) -> aio_pika.abc.AbstractIncomingMessage:
        """Wait for a dead letter of the ledger."""
        queue = await self.channel.get_queue("ledger.payment.captured.dead")
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                if (found := await queue.get(no_ack=True, fail=False)) is not None:
                    return found
                await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
async def neighbours(ledger_database: TestDatabase, vhost_url: str) -> AsyncIterator[Neighbours]:
    """A running ledger, seen from its neighbours."""
    settings = Settings(
        database=ledger_database.settings("ledger"),
        broker=BrokerSettings(rabbitmq_url=vhost_url),
        http=LedgerHttpSettings(shutdown_timeout_seconds=5),
    )
    async with AsyncTestClient(build(settings).app) as client:
        async with asyncio.timeout(WAIT_SECONDS):
            while (await client.get("/readyz")).status_code != 200:
                await asyncio.sleep(0.05)
            connection = await aio_pika.connect(vhost_url)
        async with connection:
            found = Neighbours(await connection.channel())
            async with asyncio.timeout(WAIT_SECONDS):
                while True:
                    try:
                        await found.listen()
                    except aio_pika.exceptions.ChannelNotFoundEntity:
                        # Readiness may be a moment ahead of the topology; a refused channel is closed.
                        await asyncio.sleep(0.05)
                        found = Neighbours(await connection.channel())
                    else:
                        break
            yield found


def capture(amount_minor: int = 100) -> PaymentCaptured:
    return PaymentCaptured(
        payment_intent_id=new_id(),
        amount_minor=amount_minor,
        currency="BRL",
        gateway_ref="sandbox_1",
        captured_at=datetime.now(UTC),
    )


async def test_captures_become_entries_and_a_bad_one_is_dead_lettered_alone(
    neighbours: Neighbours, ledger_database: TestDatabase, tenant_id: str
) -> None:
    good = [capture(i) for i in range(1, 8)]
    bad = capture(-5)
    broken = b'{"payment_intent_id": "not an id"}'
    bodies = [message.encode() for message in [*good[:3], bad, *good[3:]]]
    await neighbours.publish(tenant_id, [*bodies, broken])

    expected = {derived_id(message.payment_intent_id, "capture") for message in good}
    posted: set[UUID] = set()
    async with asyncio.timeout(WAIT_SECONDS):
        while not expected <= posted:
            posted.add((await neighbours.posted.get()).entry_id)
    reasons = {str((await neighbours.dead_lettered()).headers) for _ in range(2)}
    assert any("undecodable_message" in headers for headers in reasons)
    assert any("invalid_amount" in headers for headers in reasons)
    async with ledger_database.open("ledger") as database:
        assert await audit(database) == []


async def test_the_same_pack_again_posts_nothing_new(
    neighbours: Neighbours, ledger_database: TestDatabase, tenant_id: str
) -> None:
    first, last = capture(), capture()
    for _ in range(3):
        await neighbours.publish(tenant_id, [first.encode()])
    await neighbours.publish(tenant_id, [last.encode()])
    answered: list[JournalEntryPosted] = []
    async with asyncio.timeout(WAIT_SECONDS):
        while not answered or answered[-1].payment_intent_id != last.payment_intent_id:
            answered.append(await neighbours.posted.get())
    # A capture that comes again in another event is answered again, by the entry that stands.
    repeats = answered[:-1]
    assert 1 <= len(repeats) <= 3
    assert {(posted.payment_intent_id, posted.entry_id) for posted in repeats} == {
        (first.payment_intent_id, repeats[0].entry_id)
    }
    async with ledger_database.open("ledger") as database:
        rows = await database.fetch("SELECT version FROM balances WHERE tenant_id = $1", tenant_id)
    assert [row["version"] for row in rows] == [2, 2]
