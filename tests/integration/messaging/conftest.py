"""Two services' worth of messaging on a real broker and a real database, without the services."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy.schema import CreateTable

from deploy.local.servers import Servers
from libs.common.clock import SystemClock
from libs.common.contracts import api, gateway
from libs.common.contracts.base import REGISTRY
from libs.common.db import Connection, Database
from libs.common.ids import new_id
from libs.common.messaging import (
    Bus,
    Publication,
    Received,
    inbox_table,
    operator_actions_table,
    outbox_refused_table,
    outbox_table,
    publish,
    published_table,
)
from libs.common.messaging.topology import topology
from libs.common.observability.correlation import Correlation
from libs.common.settings import BrokerSettings, DatabaseSettings
from tests.integration.messaging.relays import Side, running_side
from tests.support.broker import Node
from tests.support.brokers import fresh_vhost

_DIALECT = sa.create_mock_engine("postgresql://", executor=print).dialect


class Pair:
    """A gateway that publishes `payment.captured` and a ledger that handles it, each with its own schema."""

    def __init__(self, admin_url: str, vhost_url: str) -> None:
        self.admin_url = admin_url
        self.vhost_url = vhost_url
        self.stack = AsyncExitStack()

    async def database(self, schema: str) -> Database:
        """Open a pool whose search path is `schema`."""
        database = Database(DatabaseSettings(database_url=self.admin_url), schema=schema, application_name="test")
        await database.open()
        self.stack.push_async_callback(database.close)
        return database

    async def bus(self, service: str, database: Database, **settings: float) -> Bus:
        """Make a bus; `run` starts it."""
        broker = BrokerSettings(
            rabbitmq_url=self.vhost_url, outbox_poll_seconds=0.2, request_timeout_seconds=3, topology_every_seconds=5
        )
        for name, value in settings.items():
            broker = BrokerSettings(**({f: getattr(broker, f) for f in broker.__struct_fields__} | {name: value}))
        return Bus(service=service, settings=broker, database=database, clock=SystemClock())

    @asynccontextmanager
    async def running(self, *buses: Bus) -> AsyncIterator[None]:
        """Run buses until the block ends, then stop them in good order."""
        tasks = [asyncio.create_task(bus.run()) for bus in buses]
        try:
            yield
        finally:
            for bus in buses:
                await bus.drain(timeout_seconds=5)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for bus in buses:
                await bus.close()


@pytest.fixture
def vhost_url(servers: Servers) -> Iterator[str]:
    """A virtual host for each test: many use the same queues, and count what is in them."""
    with fresh_vhost(servers) as url:
        yield url


@pytest.fixture(scope="session")
def pair_vhost_url(servers: Servers) -> Iterator[str]:
    """A virtual host for all pairs: making the hundred queues of two services takes longer than most tests."""
    with fresh_vhost(servers) as url:
        yield url


async def make_schema(connection: "asyncpg.Connection[asyncpg.Record]", schema: str) -> None:
    """Make a schema with what messaging needs in it."""
    metadata = sa.MetaData(schema=schema)
    await connection.execute(f"CREATE SCHEMA {schema}")
    for table in (
        outbox_table(metadata),
        outbox_refused_table(metadata),
        inbox_table(metadata),
        published_table(metadata),
        operator_actions_table(metadata),
    ):
        await connection.execute(str(CreateTable(table).compile(dialect=_DIALECT)))
    for name in ("inbox", "outbox_published"):
        await connection.execute(f"CREATE TABLE {schema}.{name}_default PARTITION OF {schema}.{name} DEFAULT")


SCHEMAS = ("gateway", "ledger", "api", "notifier")
QUEUES = frozenset(queue.name for service in SCHEMAS for queue in topology(service).queues)


@pytest.fixture(scope="module")
async def messaging_url(servers: Servers) -> AsyncIterator[str]:
    """The address of a database with the tables of messaging, shared by the tests of one module."""
    name = f"messaging_{uuid4().hex[:12]}"
    admin = await asyncpg.connect(servers.postgres_url)
    await admin.execute(f'CREATE DATABASE "{name}"')
    url = servers.postgres_database_url(name)
    inside = await asyncpg.connect(url)
    async with inside.transaction():
        for schema in SCHEMAS:
            await make_schema(inside, schema)
            await inside.execute(f"CREATE TABLE {schema}.effects (event_id uuid, payment_intent_id uuid, note text)")
    await inside.close()
    try:
        yield url
    finally:
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await admin.close()


@pytest.fixture
async def pair(servers: Servers, messaging_url: str, pair_vhost_url: str) -> AsyncIterator[Pair]:
    """Two services that find every table and every queue empty."""
    made = Pair(messaging_url, pair_vhost_url)
    try:
        yield made
    finally:
        await made.stack.aclose()
        await _empty(messaging_url)
        if servers.rabbitmq.kind != "given":
            await Node(servers, pair_vhost_url).keep_only(QUEUES)


async def _empty(url: str) -> None:
    inside = await asyncpg.connect(url)
    try:
        tables = await inside.fetchval(
            "SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') FROM pg_tables WHERE schemaname = ANY($1)",
            SCHEMAS,
        )
        await inside.execute(f"TRUNCATE {tables} RESTART IDENTITY")
    finally:
        await inside.close()


def captured(intent_id: UUID | None = None, *, amount_minor: int = 100) -> Publication:
    """One `payment.captured` about to be published."""
    body = gateway.PaymentCaptured(
        payment_intent_id=intent_id or new_id(),
        amount_minor=amount_minor,
        currency="BRL",
        gateway_ref="ref",
        captured_at=datetime.now(UTC),
    )
    correlation = Correlation(correlation_id="corr-1", tenant_id="t1", traceparent=f"00-{'a' * 32}-{'b' * 16}-01")
    return Publication.of(body, occurred_at=datetime.now(UTC), correlation=correlation)


async def record(transaction: Connection, events: list[Received[gateway.PaymentCaptured]], note: str = "") -> None:
    """The effect of handling: a row an event."""
    await transaction.executemany(
        "INSERT INTO effects VALUES ($1, $2, $3)", [(e.id, e.body.payment_intent_id, note) for e in events]
    )


async def publish_together(database: Database, publications: list[Publication]) -> None:
    """Publish in one transaction."""
    async with database.transaction() as transaction:
        await publish(transaction, publications)


@pytest.fixture
async def side(pair: Pair) -> AsyncIterator[Side]:
    async with running_side(pair, "gateway") as made:
        yield made


@pytest.fixture
def api_event() -> Publication:
    correlation = Correlation(correlation_id="c", tenant_id="t1")
    return Publication.of(
        api.PaymentFailed(**api.PaymentFailed.example), occurred_at=datetime.now(UTC), correlation=correlation
    )


@pytest.fixture
def unknown_contract() -> Iterator[str]:
    """The key of a contract that is taken out of the registry, and put back by the test."""
    key = "event:gateway:payment.captured"
    contract = REGISTRY.pop(key)
    yield key
    REGISTRY[key] = contract
