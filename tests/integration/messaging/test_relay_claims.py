"""How the relay claims: what is due, at constant cost, apart from other relays; and how it measures what waits."""

import asyncio
import json
from typing import Any

import asyncpg
import pytest

from libs.common.db import Connection
from libs.common.messaging import publish
from libs.common.messaging.claims import BY_INDEX, CLAIM
from libs.common.messaging.watermark import FULL_SCAN_SECONDS, LAG_SECONDS
from libs.common.observability import metrics
from tests.integration.messaging.conftest import Pair, captured, publish_together
from tests.integration.messaging.relays import LEDGER_QUEUE, Side
from tests.support.waiting import until

pytestmark = pytest.mark.long


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


async def test_after_commits_that_publish_nothing_the_next_one_is_sent(side: Side) -> None:
    for _ in range(5):
        side.relay.wake()
        assert await side.relay.round() == 0
    publication = captured()
    await publish_together(side.database, [publication])
    side.relay.wake()
    assert await side.relay.round() == 1
    assert await side.events(LEDGER_QUEUE) == [str(publication.event_id)]
    assert await side.count("outbox") == 0


async def _blocks(looker: Connection, above: int) -> int:
    """Blocks that one claim reads, by the plan that was made while the outbox was empty."""
    await looker.execute(f"BEGIN; {BY_INDEX}")
    plan = await looker.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE claim({above}, 1000)")
    await looker.execute("ROLLBACK")
    found = json.loads(plan)[0]["Plan"]
    return int(found["Shared Hit Blocks"] + found["Shared Read Blocks"])


async def test_claim_beside_an_old_snapshot_reads_as_little_as_ever(side: Side, pair: Pair) -> None:
    url = pair.admin_url
    reader, looker = await asyncpg.connect(url), await asyncpg.connect(url, server_settings={"search_path": "gateway"})
    try:
        await looker.execute("VACUUM ANALYZE outbox")
        await looker.execute(f"SET plan_cache_mode = force_generic_plan; PREPARE claim(bigint, int) AS {CLAIM.text}")
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
    await database.write("UPDATE outbox SET available_at = now() - interval '1 hour'")
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
