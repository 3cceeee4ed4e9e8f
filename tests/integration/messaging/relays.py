"""A relay of its own beside the test, with a channel to look into queues."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aio_pika

from libs.common.db import Database
from libs.common.messaging.broker import Broker
from libs.common.messaging.relay import Relay
from libs.common.messaging.topology import topology
from libs.common.settings import BrokerSettings

if TYPE_CHECKING:
    from tests.integration.messaging.conftest import Pair

API_QUEUE, LEDGER_QUEUE = "api.payment.captured", "ledger.payment.captured"


class Side:
    """A publisher's broker and relay, and a channel of the test's own."""

    def __init__(self, database: Database, broker: Broker, channel: aio_pika.abc.AbstractChannel, url: str) -> None:
        self.database, self.broker, self.channel, self.url = database, broker, channel, url
        self.seconds = 1000.0
        self.unroutable = 0
        self.relay = self.new_relay()

    def new_relay(self, *, outbox_batch_max: int = 1000) -> Relay:
        return Relay(
            self.database,
            self.broker,
            BrokerSettings(rabbitmq_url=self.url, outbox_batch_max=outbox_batch_max),
            unroutable=self._count,
            now=lambda: self.seconds,
        )

    def _count(self) -> None:
        self.unroutable += 1

    async def size(self, queue: str) -> int:
        declared = await self.channel.declare_queue(queue, passive=True)
        return declared.declaration_result.message_count or 0

    async def events(self, queue: str) -> list[str]:
        """The ids of all events in a queue, which is empty afterwards."""
        source = await self.channel.get_queue(queue)
        ids: list[str] = []
        while (message := await source.get(fail=False, no_ack=True)) is not None:
            ids += [event["id"] for event in json.loads(message.body)["events"]]
        return ids

    async def count(self, table: str) -> int:
        row = await self.database.fetchrow(f"SELECT count(*) AS n FROM {table}")
        assert row is not None
        return int(row["n"])

    async def make_due(self) -> None:
        await self.database.write("UPDATE outbox_refused SET available_at = now() - interval '1 second'")


@asynccontextmanager
async def running_side(pair: "Pair", service: str) -> AsyncIterator[Side]:
    database = await pair.database(service)
    broker = Broker(pair.vhost_url, name=service)
    connection = await aio_pika.connect(pair.vhost_url)
    async with connection:
        await broker.start(topology(service))
        channel = await connection.channel()
        for queue in {q.name for q in topology(service).queues} & {API_QUEUE, LEDGER_QUEUE, "notifier.payment.failed"}:
            await (await channel.get_queue(queue, ensure=False)).purge()
        try:
            yield Side(database, broker, channel, pair.vhost_url)
        finally:
            await broker.stop()
