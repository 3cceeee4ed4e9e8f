"""What thirty payments cost the four services, counted and not timed: rows, statements, messages and bytes.

The services are the real ones in one process, on real databases: their handlers, pack consumers and relays. Only the broker
is replaced, by one that hands each message to its queue's consumer at once. Payments are created and confirmed one by one;
everything after that happens in packs of all of them.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any
from unittest.mock import patch

import asyncpg

from deploy.local.servers import Servers
from libs.common.contracts import PublicEvent, handled_by
from libs.common.db import Database, connections
from libs.common.db import database as database_module
from libs.common.ids import new_id
from libs.common.messaging.consumer import PackConsumer
from libs.common.messaging.frames import PublicMessage
from libs.common.messaging.relay import Relay
from libs.common.settings import BrokerSettings
from services.api.payments.domain import CaptureMethod
from services.notifier.deliveries.consumers import DeliveryConsumers
from services.notifier.deliveries.domain import RetryPolicy
from tests.bench.costs import Books, Rows, rows
from tests.proof.world import World, open_world
from tests.support.databases import fresh_database

PAYMENTS = 30
_HANDLED_SECONDS = 60
_TENANT = "tenant-costs"
_ENDPOINT = (
    "INSERT INTO notifier.webhook_endpoints (tenant_id, id, url, events, is_active, secret_sealed, created_at) "
    "VALUES ($1, $2, 'http://127.0.0.1:9', ARRAY['payment.settled'], true, ''::bytea, now())"
)
# A backend tells what it has counted when it ends.
_END_OTHERS = (
    "SELECT count(pg_terminate_backend(pid, 60000)) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)


class Sent:
    """An AMQP message for one consumer."""

    message_id = None
    is_current = True

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.done = asyncio.Event()

    async def ack(self) -> None:
        """Say that it is done."""
        self.done.set()


class CountingBroker:
    """The broker as the relays see it: it counts, and keeps what our own queues are to get."""

    is_started = True
    is_open = True
    blocked = ""

    def __init__(self, costs: "Costs") -> None:
        self._costs = costs
        self.waiting: list[tuple[str, Sent]] = []
        self.publisher = ""

    async def publish(self, body: bytes, *, message_id: str, **_: Any) -> None:
        """Take a pack."""
        self._count(body)
        self.waiting.append((message_id.partition("/")[2], Sent(body)))

    async def publish_all(self, messages: list[PublicMessage]) -> list[None]:
        """Take public messages, of which nobody here wants one."""
        for message in messages:
            self._count(message.body)
        return [None for _ in messages]

    def _count(self, body: bytes) -> None:
        self._costs.messages[self.publisher] += 1
        self._costs.bytes[self.publisher] += len(body)


class Costs:
    """What was counted, for `PAYMENTS` payments together."""

    def __init__(self) -> None:
        self.statements: defaultdict[str, Counter[str]] = defaultdict(Counter)
        """Statements by service and what it did, BEGIN and COMMIT among them: each is a round trip."""
        self.rows: dict[str, Rows] = {}
        """Rows of the tables that every payment writes to."""
        self.messages: Counter[str] = Counter()
        """AMQP messages by service."""
        self.bytes: Counter[str] = Counter()
        """Bytes of their bodies."""
        self._doing = ""

    @asynccontextmanager
    async def doing(self, what: str) -> AsyncIterator[None]:
        """Count what is done meanwhile under a name."""
        self._doing = what
        yield
        # The driver tells of a statement in the next turn of the loop.
        await asyncio.sleep(0)
        self._doing = ""

    def count(self, query: str, service: str) -> None:
        """Count a statement, but for those of the connection itself: about types, once, and whether it still answers."""
        is_own = query == "SELECT 1" or "pg_catalog.pg_type" in query or "'jit'" in query
        if self._doing and not is_own:
            self.statements[service][self._doing] += 1


class _Payments:
    def __init__(self, world: World, notifier: Database, costs: Costs) -> None:
        self._world = world
        self._costs = costs
        self._broker = CountingBroker(costs)
        databases = {**world.databases, "notifier": notifier}
        stand_in: Any = self._broker
        self._relays = {name: Relay(found, stand_in, BrokerSettings()) for name, found in databases.items()}
        self._woken: set[str] = set()
        for name, found in databases.items():
            found.after_commit(partial(self._woken.add, name))
            found.after_commit(self._relays[name].wake)
        deliveries = DeliveryConsumers(
            notifier,
            policy=RetryPolicy(pauses=(timedelta(),), jitter=0.0, retry_after_max=timedelta()),
            ordering_wait=timedelta(),
            clock=world.clock,
        )
        post: Any = world.post
        self._notified: dict[str, PackConsumer[Any]] = {
            (queue := kind.contract.queue("notifier")): PackConsumer(
                kind, deliveries.on_public_event, queue=queue, database=notifier, redelivery=post, batch_max=500
            )
            for kind in handled_by("notifier")
            if issubclass(kind, PublicEvent)
        }

    async def make(self) -> None:
        """Make the payments and let everything happen that follows."""
        world = self._world
        consuming = [asyncio.create_task(consumer.run()) for consumer in self._notified.values()]
        try:
            async with self._costs.doing("create"):
                ids = [
                    await world.create(_TENANT, amount_minor=15_050, method=CaptureMethod.AUTOMATIC, key=f"create {n}")
                    for n in range(PAYMENTS)
                ]
            async with self._costs.doing("confirm"):
                for n, intent in enumerate(ids):
                    await world.ask(_TENANT, intent, "confirm", amount_minor=None, key=f"confirm {n}")
            while self._woken or self._broker.waiting:
                await self._carry()
        finally:
            for task in consuming:
                task.cancel()
            await asyncio.gather(*consuming, return_exceptions=True)

    async def _carry(self) -> None:
        woken = sorted(self._woken)
        self._woken.clear()
        async with self._costs.doing("publish"):
            for service in woken:
                self._broker.publisher = service
                if await self._relays[service].round():
                    self._woken.add(service)
        consumers = {**self._world.post.consumers, **self._notified}
        waiting, self._broker.waiting = self._broker.waiting, []
        async with self._costs.doing("handle"):
            for queue, message in waiting:
                taken: Any = message
                await consumers[queue].take(taken)
                async with asyncio.timeout(_HANDLED_SECONDS):
                    await message.done.wait()


@asynccontextmanager
async def counted(servers: Servers) -> AsyncIterator[tuple[World, Costs]]:
    """Make `PAYMENTS` payments, and say in which world, and what they cost."""
    costs = Costs()
    prepare = connections.prepare

    async def prepared(connection: Any) -> None:
        await prepare(connection)
        service = connection.get_settings().application_name.removeprefix("test ")
        connection.add_query_logger(lambda record: costs.count(record.query, service))

    with patch.object(database_module, "prepare", prepared):
        async with (
            open_world(servers) as world,
            fresh_database(servers, ("notifier",)) as database,
            database.open("notifier") as notifier,
        ):
            eyes = await asyncpg.connect(database.admin_url)
            try:
                await eyes.execute(_ENDPOINT, _TENANT, new_id())
                await _Payments(world, notifier, costs).make()
                for books in (world.eyes, eyes):
                    costs.rows |= await _rows(books)
            finally:
                await eyes.close()
            yield world, costs


async def _rows(books: Books) -> dict[str, Rows]:
    await books.fetchval(_END_OTHERS)
    return {name: found for name, found in (await rows(books)).items() if found.written >= PAYMENTS}
