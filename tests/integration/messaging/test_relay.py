"""What the relay does when the broker, the database or one destination does not do its part."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aio_pika
import aiormq
import asyncpg
import pytest
from faststream.rabbit import RabbitExchange

from libs.common.contracts import api, gateway
from libs.common.contracts.base import REGISTRY
from libs.common.db import Connection, Database
from libs.common.errors import Unavailable
from libs.common.messaging import Publication, publish
from libs.common.messaging.broker import Broker
from libs.common.messaging.relay import BY_INDEX, CLAIM, Relay
from libs.common.messaging.topology import topology
from libs.common.messaging.watermark import FULL_SCAN_SECONDS, LAG_SECONDS
from libs.common.observability import metrics
from libs.common.observability.correlation import Correlation
from libs.common.settings import BrokerSettings
from tests.integration.messaging.conftest import Pair, captured, publish_together, until

pytestmark = pytest.mark.long

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
async def _side(pair: Pair, service: str) -> AsyncIterator[Side]:
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


@pytest.fixture
async def side(pair: Pair) -> AsyncIterator[Side]:
    async with _side(pair, "gateway") as made:
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


async def _put_there(side: Side, queue: str) -> None:
    """Make a queue that is missing, bound as the topology says."""
    made = await side.channel.declare_queue(queue, durable=True)
    await made.bind("gateway.events", "payment.captured")
    await made.bind("gateway.events", queue)


async def test_event_reaches_each_subscriber_once(side: Side) -> None:
    published = metrics.OUTBOX_PUBLISHED.labels("payment.captured")
    before = published._value.get()
    publications = [captured() for _ in range(250)]
    await publish_together(side.database, publications)
    assert await side.relay.round() == 250
    # Once for each of its two queues.
    assert published._value.get() == before + 2 * 250
    ids = [str(publication.event_id) for publication in publications]
    assert await side.size(API_QUEUE) == await side.size(LEDGER_QUEUE) == 3
    assert await side.events(API_QUEUE) == await side.events(LEDGER_QUEUE) == ids
    assert await side.count("outbox") == await side.count("outbox_refused") == 0


async def test_event_waits_for_a_queue_that_is_missing(side: Side) -> None:
    await side.channel.queue_delete(LEDGER_QUEUE)
    failed = metrics.OUTBOX_FAILED.labels("payment.captured")
    before = failed._value.get()
    publication = captured()
    await publish_together(side.database, [publication])
    await side.relay.round()
    assert await side.events(API_QUEUE) == [str(publication.event_id)]
    assert side.unroutable == 1
    assert failed._value.get() == before + 1
    row = await side.database.fetchrow("SELECT * FROM outbox_refused")
    assert row is not None
    assert (row["destination"], row["attempts"], row["event_id"]) == (LEDGER_QUEUE, 1, publication.event_id)
    await side.make_due()
    await side.relay.retry_refused()
    assert await side.count("outbox_refused") == 1
    await _put_there(side, LEDGER_QUEUE)
    await side.make_due()
    await side.relay.retry_refused()
    assert await side.events(LEDGER_QUEUE) == [str(publication.event_id)]
    assert await side.events(API_QUEUE) == []
    assert await side.count("outbox_refused") == 0
    await side.channel.queue_delete(LEDGER_QUEUE)


async def test_refused_row_keeps_all_of_itself(side: Side) -> None:
    await side.channel.queue_delete(LEDGER_QUEUE)
    publication = captured()
    await publish_together(side.database, [publication])
    before = await side.database.fetchrow("SELECT * FROM outbox")
    await side.relay.round()
    after = await side.database.fetchrow("SELECT *, available_at - now() AS wait FROM outbox_refused")
    assert before is not None
    assert after is not None
    kept = ("event_id", "contract", "tenant_id", "correlation_id", "traceparent", "occurred_at", "body")
    assert [before[name] for name in kept] == [after[name] for name in kept]
    assert timedelta(0) < after["wait"] <= timedelta(seconds=1)
    await side.relay.retry_refused()
    row = await side.database.fetchrow("SELECT attempts FROM outbox_refused")
    assert row is not None
    assert row["attempts"] == 1, "it was not due"


async def test_full_queue_of_another_team_repeats_nothing_of_ours(pair: Pair, api_event: Publication) -> None:
    async with _side(pair, "api") as side:
        full = await side.channel.declare_queue(
            "team.full", durable=True, arguments={"x-max-length": 1, "x-overflow": "reject-publish"}
        )
        await full.bind("payments.x", "payment.failed")
        try:
            await publish_together(side.database, [api_event])
            await side.relay.round()
            again = Publication.of(
                api_event.message, occurred_at=api_event.occurred_at, correlation=api_event.correlation
            )
            await publish_together(side.database, [again])
            await side.relay.round()
            assert await side.events("notifier.payment.failed") == [str(api_event.event_id), str(again.event_id)]
            for attempts in (1, 2, 3):
                row = await side.database.fetchrow("SELECT destination, attempts FROM outbox_refused")
                assert row is not None
                assert tuple(row) == ("payments.x", attempts)
                await side.make_due()
                await side.relay.retry_refused()
            assert await side.size("notifier.payment.failed") == 0
            await full.purge()
            await side.make_due()
            await side.relay.retry_refused()
            assert await side.count("outbox_refused") == 0
            message = await full.get()
            assert message is not None
            assert message.message_id == str(again.event_id)
        finally:
            await full.delete(if_unused=False, if_empty=False)


async def test_public_event_without_a_subscriber_is_no_refusal(pair: Pair, api_event: Publication) -> None:
    async with _side(pair, "api") as side:
        await publish_together(side.database, [api_event])
        assert await side.relay.round() == 1
        assert await side.count("outbox_refused") == 0


async def test_messages_follow_each_other_without_a_turn_of_the_loop_each(pair: Pair, api_event: Publication) -> None:
    async with _side(pair, "api") as side:
        publisher = side.broker._publisher._broker
        assert publisher is not None
        channel = await (await publisher.declare_exchange(RabbitExchange())).channel.get_underlay_channel()
        assert isinstance(channel, aiormq.Channel)
        await publish_together(side.database, [api_event])
        assert await side.relay.round() == 1
        await publish_together(side.database, [api_event] * 200)
        sent, turns = channel.delivery_tag, 0
        round_ = asyncio.create_task(side.relay.round())
        while channel.delivery_tag < sent + 200:
            turns += channel.delivery_tag > sent
            await asyncio.sleep(0)
        assert await round_ == 200
        # The driver alone takes three for each message.
        assert turns < 100


async def test_destination_that_refuses_costs_one_pack_a_poll(side: Side) -> None:
    await side.channel.queue_delete(LEDGER_QUEUE)
    await publish_together(side.database, [captured() for _ in range(500)])
    await side.relay.round()
    await side.make_due()
    await side.relay.retry_refused()
    rows = await side.database.fetch("SELECT attempts, count(*) AS n FROM outbox_refused GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in rows] == [(1, 400), (2, 100)]
    await _put_there(side, LEDGER_QUEUE)
    await side.make_due()
    await side.relay.retry_refused()
    assert await side.count("outbox_refused") == 0
    assert len(await side.events(LEDGER_QUEUE)) == 500
    await side.channel.queue_delete(LEDGER_QUEUE)


async def test_row_of_an_unknown_contract_is_kept(side: Side, unknown_contract: str) -> None:
    await side.database.write(
        "INSERT INTO outbox (event_id, contract, tenant_id, correlation_id, traceparent, occurred_at, body) "
        "VALUES (gen_random_uuid(), $1, '', '', '', now(), $2)",
        unknown_contract,
        captured().message.encode().decode(),
    )
    await side.relay.round()
    row = await side.database.fetchrow("SELECT destination, contract FROM outbox_refused")
    assert row is not None
    assert tuple(row) == ("", unknown_contract)
    REGISTRY[unknown_contract] = gateway.PaymentCaptured
    await side.make_due()
    await side.relay.retry_refused()
    assert await side.count("outbox_refused") == 0
    assert await side.size(LEDGER_QUEUE) == await side.size(API_QUEUE) == 1


@pytest.mark.parametrize("fault", [ConnectionError("gone"), TimeoutError(), Unavailable("gone"), ValueError("a bug")])
async def test_rows_stay_when_a_publish_fails(side: Side, monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    sound = side.broker.publish
    published = 0

    async def fail_once(body: bytes, **properties: Any) -> None:
        nonlocal published
        published += 1
        if published == 2:
            raise fault
        await sound(body, **properties)

    await publish_together(side.database, [captured() for _ in range(3)])
    monkeypatch.setattr(side.broker, "publish", fail_once)
    with pytest.raises(ValueError if isinstance(fault, ValueError) else Unavailable):
        await side.relay.round()
    assert published == 2
    assert await side.count("outbox") == 3
    assert await side.count("outbox_refused") == 0
    assert await side.relay.round() == 3
    assert await side.count("outbox") == 0


async def test_refused_rows_stay_when_the_retry_fails(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    await side.channel.queue_delete(LEDGER_QUEUE)
    await publish_together(side.database, [captured()])
    await side.relay.round()
    await side.make_due()

    async def fail(_: bytes, **__: Any) -> None:
        raise ConnectionError("gone")

    monkeypatch.setattr(side.broker, "publish", fail)
    with pytest.raises(Unavailable):
        await side.relay.retry_refused()
    row = await side.database.fetchrow("SELECT attempts FROM outbox_refused")
    assert row is not None
    assert row["attempts"] == 1


async def test_rows_stay_when_the_process_dies_after_the_publish(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    publication = captured()
    await publish_together(side.database, [publication])
    sound, published, hang = side.broker.publish, asyncio.Event(), asyncio.Event()

    async def publish_and_hang(body: bytes, **properties: Any) -> None:
        await sound(body, **properties)
        published.set()
        await hang.wait()

    monkeypatch.setattr(side.broker, "publish", publish_and_hang)
    dying = asyncio.create_task(side.relay.round())
    await published.wait()
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    monkeypatch.undo()
    assert await side.count("outbox") == 1
    assert await side.new_relay().round() == 1
    assert await side.events(LEDGER_QUEUE) == [str(publication.event_id)] * 2, "the inbox of the subscriber knows it"


async def test_two_relays_never_wait_for_each_other(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    publications = [captured() for _ in range(4)]
    await publish_together(side.database, publications)
    one, two = side.new_relay(outbox_batch_max=2), side.new_relay(outbox_batch_max=2)
    sound, published, release = side.broker.publish, asyncio.Event(), asyncio.Event()

    async def hang(body: bytes, **properties: Any) -> None:
        published.set()
        await release.wait()
        await sound(body, **properties)

    monkeypatch.setattr(side.broker, "publish", hang)
    first = asyncio.create_task(one.round())
    await published.wait()
    monkeypatch.undo()
    async with asyncio.timeout(5):
        assert await two.round() == 2
    assert await side.events(LEDGER_QUEUE) == [str(publication.event_id) for publication in publications[2:]]
    release.set()
    assert await first == 2
    assert await side.events(LEDGER_QUEUE) == [str(publication.event_id) for publication in publications[:2]]
    assert await side.count("outbox") == 0


async def test_row_is_not_sent_before_its_time(side: Side) -> None:
    await publish_together(side.database, [captured()])
    await side.database.write("UPDATE outbox SET available_at = now() + interval '1 hour'")
    assert await side.relay.round() == 0
    assert await side.count("outbox") == 1


async def _blocks(looker: Connection, above: int) -> int:
    """Blocks that one claim reads, by the plan that was made while the outbox was empty."""
    await looker.execute(f"BEGIN; {BY_INDEX}")
    plan = await looker.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE claim(1000, {above})")
    await looker.execute("ROLLBACK")
    found = json.loads(plan)[0]["Plan"]
    return int(found["Shared Hit Blocks"] + found["Shared Read Blocks"])


async def test_claim_beside_an_old_snapshot_reads_as_little_as_ever(side: Side, pair: Pair) -> None:
    url = pair.admin_url
    reader, looker = await asyncpg.connect(url), await asyncpg.connect(url, server_settings={"search_path": "gateway"})
    try:
        await looker.execute("VACUUM ANALYZE outbox")
        await looker.execute(f"SET plan_cache_mode = force_generic_plan; PREPARE claim(int, bigint) AS {CLAIM}")
        assert await _blocks(looker, 0) < 10
        await reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        await reader.fetchval("SELECT count(*) FROM gateway.outbox")
        await publish_together(side.database, [captured()])
        assert await side.relay.round() == 1
        # As if the relay had sent them: a hundred thousand rows that only the old snapshot may still see.
        await side.database.write(
            "INSERT INTO outbox (event_id, contract, tenant_id, correlation_id, traceparent, occurred_at, body) "
            "SELECT gen_random_uuid(), 'event:gateway:payment.captured', 't', 'c', '', now(), '{}' "
            "FROM generate_series(1, 100000)"
        )
        await side.database.write("DELETE FROM outbox")
        last = captured()
        await publish_together(side.database, [last])
        side.seconds += FULL_SCAN_SECONDS
        assert await side.relay.round() == 1
        everything = await _blocks(looker, 0)
        side.seconds += LAG_SECONDS
        above = side.relay._watermark.start(side.seconds)
        row = await looker.fetchrow("SELECT last_value FROM outbox_seq_seq")
        assert row is not None
        assert above == row["last_value"]
        await publish_together(side.database, [captured()])
        few = await _blocks(looker, above)
        assert everything > 1000
        assert few < 30
        assert await side.relay.round() == 1
    finally:
        await reader.close()
        await looker.close()


async def test_row_that_commits_late_is_sent_within_the_lag(side: Side) -> None:
    late, early = captured(), captured()
    async with side.database.transaction() as slow:
        await publish(slow, [late])
        await publish_together(side.database, [early])
        assert await side.relay.round() == 1
    side.seconds += LAG_SECONDS / 2
    assert await side.relay.round() == 1
    assert await side.events(LEDGER_QUEUE) == [str(early.event_id), str(late.event_id)]


async def test_row_that_commits_after_the_lag_is_found_by_the_full_scan(side: Side) -> None:
    late = captured()
    async with side.database.transaction() as slow:
        await publish(slow, [late])
        await publish_together(side.database, [captured()])
        assert await side.relay.round() == 1
        side.seconds += LAG_SECONDS
        assert await side.relay.round() == 0
    assert await side.relay.round() == 0
    side.seconds += FULL_SCAN_SECONDS
    assert await side.relay.round() == 1
    assert str(late.event_id) in await side.events(LEDGER_QUEUE)


async def test_idle_relay_sleeps_until_something_is_committed(side: Side) -> None:
    sleeping = asyncio.create_task(side.relay._sleep_until_woken())
    for _ in range(5):
        await asyncio.sleep(0)
    assert not sleeping.done()
    side.relay.wake()
    await asyncio.wait_for(sleeping, 20)


async def test_backlog_is_measured_while_the_broker_is_away(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("libs.common.messaging.relay._MEASURE_SECONDS", 0.01)
    database = await pair.database("gateway")
    bus = await pair.bus("gateway", database)
    await publish_together(database, [captured() for _ in range(5)])
    await database.write("UPDATE outbox SET occurred_at = now() - interval '1 hour'")
    measuring = asyncio.create_task(bus.measure_outbox())
    try:

        async def measured() -> bool:
            pending, oldest = metrics.OUTBOX_PENDING._value.get(), metrics.OUTBOX_LAG._value.get()
            return bool(pending == 5 and 3600 <= oldest < 3700)

        await until(measured)
        await database.write("DELETE FROM outbox")

        async def measured_again() -> bool:
            return bool(metrics.OUTBOX_PENDING._value.get() == 0)

        await until(measured_again)
    finally:
        measuring.cancel()


async def test_refused_messages_are_measured_by_destination(side: Side) -> None:
    await side.channel.queue_delete(LEDGER_QUEUE)
    await publish_together(side.database, [captured() for _ in range(3)])
    await side.relay.round()
    await side.relay.measure_once()
    gauge = metrics.OUTBOX_REFUSED.labels(LEDGER_QUEUE)
    assert gauge._value.get() == metrics.OUTBOX_PENDING._value.get() == 3
    await side.database.write("DELETE FROM outbox_refused")
    await side.relay.measure_once()
    assert gauge._value.get() == metrics.OUTBOX_PENDING._value.get() == metrics.OUTBOX_LAG._value.get() == 0
