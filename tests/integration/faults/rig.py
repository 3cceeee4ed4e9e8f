"""A service with a consumer, a relay, a worker and HTTP handlers in this process, on servers that may be hurt."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import Any
from uuid import UUID

import aio_pika
import asyncpg
import httpx
import msgspec
from litestar import get, post

from deploy.local.records import Server
from libs.common.clock import SystemClock
from libs.common.contracts import Kind, Message, gateway, gateway_requests, handled_by
from libs.common.db import Connection, Database
from libs.common.ids import new_id
from libs.common.messaging import Bus, Received, publish
from libs.common.messaging.envelope import PackedEvent, encode_pack
from libs.common.observability import metrics
from libs.common.service import Service, Worker
from libs.common.settings import BrokerSettings, DatabaseSettings, HttpSettings, PlaceSettings
from tests.integration.messaging.conftest import captured, make_schema
from tests.support.waiting import until

WAIT_SECONDS = 60
QUEUE = "api.payment.captured"
DATABASE = "faults"
ROLE = "faults_app"
TABLES = ("api.inbox", "api.effects", "api.ticks", "gateway.outbox")


class Counts(msgspec.Struct, frozen=True):
    """What must not change while a server is away."""

    retried: float
    dead: float
    unlisted: float
    exits: int


class Rig:
    """The service under test, the gateway whose events it handles, and an administrator's way past both."""

    def __init__(self, postgres: Server, rabbitmq: Server) -> None:
        self.postgres = postgres
        self.rabbitmq = rabbitmq
        self.admin: asyncpg.Connection[asyncpg.Record]
        self.http: httpx.AsyncClient
        self.hold = asyncio.Event()
        """The consumer's transaction waits for it, and does nothing meanwhile."""
        self.hold.set()
        self.exits = 0
        self._stack = AsyncExitStack()
        self._gateway: asyncio.Task[None]

    @property
    def address(self) -> str:
        """The address of the database for the superuser."""
        return self.postgres.url.rsplit("/", 1)[0] + f"/{DATABASE}"

    @property
    def app_address(self) -> str:
        """The address of the database for the service's role."""
        return f"postgresql://{ROLE}@127.0.0.1:{self.postgres.port}/{DATABASE}"

    async def start(self) -> None:
        """Make schemas and role, then run both sides."""
        await self._make_database()
        await self.connect_admin()
        before = signal.signal(signal.SIGTERM, self._exit)
        self._stack.callback(signal.signal, signal.SIGTERM, before)
        speaker = await self._database("gateway")
        bus = self._bus("gateway", speaker)
        for kind in handled_by("gateway"):
            if kind.contract.kind is Kind.REQUEST:
                bus.answer(kind, _no_configs)
            else:
                bus.handle_each(kind, _nothing)
        self._gateway = asyncio.create_task(bus.run())
        self._stack.push_async_callback(bus.close)
        self._stack.callback(self._gateway.cancel)
        service = self._service()
        # In this very event loop: a request that waits must not keep the test from what it waits for.
        started, stop = asyncio.Event(), asyncio.Event()
        living = asyncio.create_task(_live(service, started, stop))
        self._stack.push_async_callback(asyncio.wait, [living])
        self._stack.callback(stop.set)
        await started.wait()
        transport = httpx.ASGITransport(app=service.asgi)  # type: ignore[arg-type]  # Litestar names the same types itself
        self.http = await self._stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://rig"))
        await self.is_well()

    async def stop(self) -> None:
        """Stop both sides and the administrator."""
        async with asyncio.timeout(WAIT_SECONDS):
            await self._stack.aclose()
            await self.admin.close()

    def _exit(self, _: int, __: FrameType | None) -> None:
        self.exits += 1

    async def _make_database(self) -> None:
        admin = await asyncpg.connect(self.postgres.url)
        await admin.execute(f"CREATE DATABASE {DATABASE}")
        # The servers of tests forget what a crash interrupts; here a commit must outlive one.
        await admin.execute(f"ALTER DATABASE {DATABASE} SET synchronous_commit = on")
        await admin.execute(f"CREATE ROLE {ROLE} LOGIN")
        await admin.close()
        admin = await asyncpg.connect(self.address)
        for schema in ("gateway", "api"):
            await make_schema(admin, schema)
            await admin.execute(f"CREATE TABLE {schema}.effects (event_id uuid PRIMARY KEY)")
            await admin.execute(f"CREATE TABLE {schema}.ticks (at timestamptz)")
            await admin.execute(f"GRANT USAGE ON SCHEMA {schema} TO {ROLE}")
            await admin.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {ROLE}")
            await admin.execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA {schema} TO {ROLE}")
        await admin.close()

    async def connect_admin(self) -> None:
        """Connect as superuser; to be called again after the server was down."""

        async def connected() -> bool:
            try:
                self.admin = await asyncpg.connect(
                    self.address, timeout=5, server_settings={"default_transaction_read_only": "off"}
                )
            except (OSError, asyncpg.PostgresError):
                return False
            return True

        await until(connected, sentence="PostgreSQL did not come back")

    async def _database(self, schema: str) -> Database:
        settings = DatabaseSettings(database_url=self.app_address, database_pool_size=6)
        database = Database(settings, schema=schema, application_name=f"faults {schema}")
        await database.open()
        self._stack.push_async_callback(database.close)
        return database

    def _bus(self, service: str, database: Database) -> Bus:
        settings = BrokerSettings(
            rabbitmq_url=self.rabbitmq.url,
            outbox_poll_seconds=0.2,
            request_timeout_seconds=0.5,
            topology_every_seconds=2,
        )
        return Bus(service=service, settings=settings, database=database, clock=SystemClock())

    def _service(self) -> Service:
        settings = DatabaseSettings(database_url=self.app_address, database_pool_size=6)
        database = Database(settings, schema="api", application_name="faults api")
        bus = self._bus("api", database)

        async def on_captured(tx: Connection, events: Sequence[Received[gateway.PaymentCaptured]]) -> None:
            await self.hold.wait()
            await tx.executemany("INSERT INTO effects VALUES ($1)", [(event.id,) for event in events])

        async def tick() -> None:
            await database.write("INSERT INTO ticks VALUES (now())")

        @post("/effects")
        async def write() -> None:
            await database.write("INSERT INTO effects VALUES ($1)", new_id())

        @get("/effects")
        async def read() -> int:
            row = await database.fetchrow("SELECT count(*) AS n FROM effects")
            assert row is not None
            return int(row["n"])

        @get("/configs")
        async def ask() -> int:
            answer: gateway_requests.GatewayConfigList = await bus.request(
                gateway_requests.ListGatewayConfigs(tenant_id="t1")
            )
            return len(answer.configs)

        for kind in handled_by("api"):
            if kind.contract.kind is Kind.REQUEST:
                bus.answer(kind, _no_configs)
            elif kind is not gateway.PaymentCaptured:
                bus.handle(kind, _ignore)
        bus.handle(gateway.PaymentCaptured, on_captured)
        return Service(
            name="api",
            place=PlaceSettings(),
            http=HttpSettings(shutdown_timeout_seconds=2),
            database=database,
            bus=bus,
            clock=SystemClock(),
            routes=[write, read, ask],
            workers=[Worker(name="tick", every_seconds=0.1, run=tick)],
        )

    async def is_well(self) -> None:
        """Wait until HTTP, worker, consumer and relay all do their work."""

        async def answers() -> bool:
            writes = await self.http.post("/effects")
            asks = await self.http.get("/configs")
            return writes.status_code == 201 and asks.status_code == 200

        await until(answers, sentence="HTTP does not answer again")
        start = await self.admin.fetchval("SELECT coalesce(max(at), '-infinity') FROM api.ticks")

        async def ticks() -> bool:
            return bool(await self.admin.fetchval("SELECT max(at) > $1 FROM api.ticks", start))

        await until(ticks, sentence="the worker does not go on")
        await self.all_handled([*await self.relay(5), *await self.publish(5)])
        assert not self._gateway.done()

    async def relay(self, count: int) -> list[UUID]:
        """Write events into the outbox of the gateway, as the administrator; returns their ids."""
        rows = [captured() for _ in range(count)]
        async with self.admin.transaction():
            await self.admin.execute("SET LOCAL search_path = gateway")
            await publish(self.admin, rows)
        return [row.event_id for row in rows]

    async def publish(self, count: int) -> list[UUID]:
        """Put a pack of events into the consumer's queue past the relay; returns their ids."""
        events = [
            PackedEvent(
                id=new_id(),
                occurred_at=datetime.now(UTC),
                tenant_id="t1",
                correlation_id="corr-1",
                body=msgspec.Raw(captured().message.encode()),
            )
            for _ in range(count)
        ]
        async with self.channel() as channel:
            await channel.default_exchange.publish(
                aio_pika.Message(encode_pack("payment.captured", events), delivery_mode=2), routing_key=QUEUE
            )
        return [event.id for event in events]

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[aio_pika.abc.AbstractChannel]:
        """Open a channel of the test's own."""
        connection = await aio_pika.connect(self.rabbitmq.url, timeout=10)
        async with connection:
            yield await connection.channel()

    async def all_handled(self, ids: Sequence[UUID]) -> None:
        """Wait until each event has taken effect."""

        async def there() -> bool:
            count = await self.admin.fetchval("SELECT count(*) FROM api.effects WHERE event_id = ANY($1)", ids)
            return bool(count == len(ids))

        await until(there, sentence="not every event took effect")

    async def dead_letters(self) -> int:
        """Count the dead letters."""
        async with self.channel() as channel:
            queue = await channel.declare_queue(f"{QUEUE}.dead", passive=True)
            return queue.declaration_result.message_count or 0

    def counts(self) -> Counts:
        """Count retries, dead letters, unlisted errors and attempts to end the process so far."""
        return Counts(
            retried=metrics.MESSAGES.labels(QUEUE, "retried")._value.get(),
            dead=metrics.MESSAGES.labels(QUEUE, "dead")._value.get(),
            unlisted=_total(metrics.FAULTS_UNLISTED),
            exits=self.exits,
        )

    async def end_connections(self) -> None:
        """End every connection of the service, so that a setting of its role takes effect."""
        await self.admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", ROLE)


async def _live(service: Service, started: asyncio.Event, stop: asyncio.Event) -> None:
    """Run a service in one task from start to stop, as its server would."""
    async with service.app.lifespan():
        started.set()
        await stop.wait()


def _total(counter: Any) -> float:
    samples = [sample for metric in counter.collect() for sample in metric.samples]
    return float(sum(sample.value for sample in samples if sample.name.endswith("_total")))


def outages_of(cause: str) -> float:
    """Count the statements that failed for one cause."""
    return float(metrics.DATABASE_OUTAGES.labels(cause)._value.get())


async def _no_configs(_: Message) -> gateway_requests.GatewayConfigList:
    return gateway_requests.GatewayConfigList(configs=[])


async def _nothing(_: Received[Message]) -> None:
    return


async def _ignore(_: Connection, __: Sequence[Received[Message]]) -> None:
    return
