"""What a service has published is published again exactly as it was, for as long as it is kept, and takes effect once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import aio_pika
import msgspec
import pytest

from libs.common.contracts import Kind, gateway, published_by
from libs.common.db import Connection, Database
from libs.common.errors import Unavailable
from libs.common.ids import new_id
from libs.common.messaging import Publication, Received
from libs.common.messaging.broker import Broker
from libs.common.messaging.published import AHEAD_MAX, FIELDS, kept_since, publish_again
from libs.common.messaging.relay import Relay
from libs.common.messaging.resend import PAGE_ROWS, Window
from libs.common.messaging.topology import declare, topology
from libs.common.observability.correlation import Correlation
from libs.common.settings import BrokerSettings
from tests.integration.messaging.conftest import Pair, captured, publish_together, record
from tests.integration.messaging.test_postponed import others
from tests.support.waiting import until

SERVICES = ("api", "gateway", "ledger", "notifier")


def _one_of_each(service: str) -> list[Publication]:
    """One message of each contract that a service publishes; the id of each is derived from something old or new."""
    kinds = [kind for kind in published_by(service) if kind.contract.kind is not Kind.REQUEST]
    correlation = Correlation(correlation_id="c", tenant_id="t1", traceparent="")
    then = datetime.now(UTC) - timedelta(days=40)
    return [
        Publication.of(
            msgspec.convert(kind.example, kind),
            occurred_at=then,
            correlation=correlation,
            event_id=new_id(then if number % 2 else None),
        )
        for number, kind in enumerate(kinds)
    ]


@asynccontextmanager
async def _relay(pair: Pair, database: Database, service: str, **settings: Any) -> AsyncIterator[Relay]:
    broker = Broker(pair.vhost_url, name=service)
    async with await aio_pika.connect(pair.vhost_url) as connection:
        channel = await connection.channel()
        for each in SERVICES:
            await declare(channel, topology(each))
    await broker.start(topology(service))
    try:
        yield Relay(database, broker, BrokerSettings(rabbitmq_url=pair.vhost_url, **settings))
    finally:
        await broker.stop()


async def _rows(database: Database, table: str) -> list[tuple[Any, ...]]:
    order = "batch_id, seq" if table == "outbox_published" else "seq"
    return [tuple(row) for row in await database.fetch(f"SELECT {FIELDS} FROM {table} ORDER BY {order}")]


@pytest.mark.parametrize("service", SERVICES)
async def test_each_message_is_published_again_exactly_as_it_was(pair: Pair, service: str) -> None:
    database = await pair.database(service)
    began = datetime.now(UTC) - timedelta(seconds=1)
    later = datetime.now(UTC) + timedelta(minutes=5)
    assert await kept_since(database) is None
    publications = _one_of_each(service)
    async with _relay(pair, database, service) as relay:
        await publish_together(database, publications)
        published = await _rows(database, "outbox")
        while await relay.round():
            pass
        assert await _rows(database, "outbox_published") == published
        since = await kept_since(database)
        assert since is not None
        assert since >= began
        assert await publish_again(database, Window(since=began - timedelta(days=1), until=began)) == 0
        assert await publish_again(database, Window(since=later, until=later + timedelta(days=1))) == 0
        for _ in range(2):
            assert await publish_again(database, Window(since=began, until=later)) == len(publications)
            assert await _rows(database, "outbox") == published
            while await relay.round():
                pass
        # What is published again is not kept a second time.
        assert await _rows(database, "outbox_published") == published
        name = publications[0].message.contract.name
        same = [publication for publication in publications if publication.message.contract.name == name]
        assert await publish_again(database, Window(since=began, until=later, contract=name)) == len(same)


async def test_one_payment_is_published_again_and_its_subscriber_takes_it_once(pair: Pair) -> None:
    database, books = await pair.database("gateway"), await pair.database("ledger")
    bus = await pair.bus("ledger", books)
    others(bus)

    async def on_captured(transaction: Connection, events: Sequence[Received[gateway.PaymentCaptured]]) -> None:
        await record(transaction, list(events))

    bus.handle(gateway.PaymentCaptured, on_captured)
    one, other = captured(), captured()
    window = Window(since=datetime.now(UTC) - timedelta(seconds=1), until=datetime.now(UTC) + timedelta(minutes=5))

    async def effects() -> set[UUID]:
        rows = await books.fetch("SELECT event_id FROM effects")
        assert len(rows) == len({row["event_id"] for row in rows})
        return {row["event_id"] for row in rows}

    async with _relay(pair, database, "gateway") as relay, pair.running(bus):
        await publish_together(database, [one, other])
        await relay.round()
        assert isinstance(one.message, gateway.PaymentCaptured)
        of_one = msgspec.structs.replace(window, payment_intent_id=one.message.payment_intent_id)
        assert await publish_again(database, of_one) == 1
        last = captured()
        await publish_together(database, [last])
        await relay.round()

        async def all_there() -> bool:
            return await effects() == {one.event_id, other.event_id, last.event_id} and bus._idle()

        await until(all_there)


async def test_nothing_is_kept_where_the_setting_says_so(pair: Pair) -> None:
    database = await pair.database("gateway")
    async with _relay(pair, database, "gateway", outbox_kept_days=0) as relay:
        await publish_together(database, [captured()])
        assert await relay.round() == 1
    assert await _rows(database, "outbox_published") == []


async def test_nothing_is_written_while_the_broker_takes_no_messages(pair: Pair) -> None:
    database = await pair.database("gateway")
    async with _relay(pair, database, "gateway") as relay:
        await publish_together(database, [captured()])
        # What the broker's notice of an alarm does.
        relay._broker._publisher._set_blocked("low on memory")
        with pytest.raises(Unavailable):
            await relay.round()
        # What is taken back takes its room on the disk all the same.
        row = await database.fetchrow("SELECT pg_relation_size('outbox_published_default') AS bytes")
        assert row is not None
        assert row["bytes"] == 0
        relay._broker._publisher._set_blocked("")
        assert await relay.round() == 1


async def test_what_happens_now_waits_behind_a_few_pages_at_most(pair: Pair) -> None:
    database = await pair.database("gateway")
    async with _relay(pair, database, "gateway") as relay:
        await publish_together(database, [captured()])
        assert await relay.round() == 1
        many = AHEAD_MAX + 3 * PAGE_ROWS
        await database.write(
            f"INSERT INTO outbox_published (batch_id, seq, {FIELDS}) "
            f"SELECT batch_id, seq + n, {FIELDS} FROM outbox_published, generate_series(1, {many - 1}) AS n"
        )
        now = datetime.now(UTC)
        window = Window(since=now - timedelta(days=1), until=now + timedelta(days=1))
        again = asyncio.create_task(publish_again(database, window))

        async def is_full() -> bool:
            return len(await _rows(database, "outbox")) >= AHEAD_MAX

        await until(is_full)
        while not again.done():
            assert len(await _rows(database, "outbox")) < AHEAD_MAX + PAGE_ROWS
            await relay.round()
        assert await again == many
