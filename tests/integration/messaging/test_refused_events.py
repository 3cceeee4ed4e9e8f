"""An event that the database refuses every time leaves its neighbours alone; a database that is away refuses nothing."""

import random
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import asyncpg
import pytest

from libs.common.contracts import gateway
from libs.common.db import Connection
from libs.common.messaging import Bus, Received
from libs.common.messaging.redelivery import RETRIES_MAX
from libs.common.messaging.topology import dead_queue, delay_exchange, postponed_queue
from libs.common.observability import metrics
from tests.integration.messaging.conftest import Pair, captured, record
from tests.integration.messaging.test_postponed import QUEUE, first, others, packed, put, waiting
from tests.support.waiting import until

NEIGHBOURS = 10
_REFUSE = """
CREATE TABLE IF NOT EXISTS ledger.poison (event_id uuid, how text);
CREATE OR REPLACE FUNCTION ledger.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    CASE (SELECT how FROM ledger.poison WHERE event_id = NEW.event_id)
        WHEN 'slow' THEN PERFORM pg_sleep(60);
        WHEN 'locked' THEN RAISE EXCEPTION 'canceling statement due to lock timeout' USING ERRCODE = '55P03';
        WHEN 'internal' THEN RAISE EXCEPTION 'unexpected chunk' USING ERRCODE = 'XX000';
        ELSE NULL;
    END CASE;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER refuse BEFORE INSERT ON ledger.effects FOR EACH ROW EXECUTE FUNCTION ledger.refuse();
"""


async def _refuse(pair: Pair, events: dict[UUID, str]) -> None:
    """Let the database fail on some events; the statement timeout is real."""
    admin = await asyncpg.connect(pair.admin_url)
    await admin.execute(_REFUSE)
    await admin.executemany("INSERT INTO ledger.poison VALUES ($1, $2)", list(events.items()))
    name = await admin.fetchval("SELECT current_database()")
    await admin.execute(f"ALTER DATABASE \"{name}\" SET statement_timeout = '100ms'")
    await admin.close()


@pytest.fixture(autouse=True)
async def usual_timeout(pair: Pair) -> AsyncIterator[None]:
    """Give the database, which the tests of this module share, its usual timeout back before it is emptied."""
    yield
    admin = await asyncpg.connect(pair.admin_url, server_settings={"statement_timeout": "0"})
    await admin.execute(f'ALTER DATABASE "{await admin.fetchval("SELECT current_database()")}" RESET statement_timeout')
    await admin.close()


async def _effects(pair: Pair) -> set[UUID]:
    # The database's own timeout is for the ledger alone.
    admin = await asyncpg.connect(pair.admin_url, server_settings={"statement_timeout": "0"})
    try:
        return {row["event_id"] for row in await admin.fetch("SELECT event_id FROM ledger.effects")}
    finally:
        await admin.close()


async def _ledger(pair: Pair, *, each: bool) -> Bus:
    database = await pair.database("ledger")
    bus = await pair.bus("ledger", database)
    others(bus)
    if each:

        async def on_one(event: Received[gateway.PaymentCaptured]) -> None:
            async with database.transaction() as transaction:
                await record(transaction, [event])

        bus.handle_each(gateway.PaymentCaptured, on_one)
    else:

        async def on_captured(transaction: Connection, events: Sequence[Received[gateway.PaymentCaptured]]) -> None:
            await record(transaction, list(events))

        bus.handle(gateway.PaymentCaptured, on_captured)
    return bus


async def _poison_leaves_neighbours_alone(pair: Pair, *, each: bool) -> None:
    fresh = [packed(captured()) for _ in range(3)]
    worn = packed(captured(), attempt=RETRIES_MAX)
    healthy = [packed(captured()) for _ in range(NEIGHBOURS)]
    await _refuse(
        pair, dict(zip([*(e.id for e in fresh), worn.id], ["slow", "locked", "internal", "slow"], strict=True))
    )
    bus = await _ledger(pair, each=each)
    await put(pair.vhost_url, QUEUE, [*fresh, *healthy], pack=100)
    await put(pair.vhost_url, postponed_queue(QUEUE), [worn], pack=1)
    later = packed(captured())
    handled, retried, dead = (
        metrics.MESSAGES.labels(QUEUE, outcome)._value.get() for outcome in ("handled", "retried", "dead")
    )
    async with pair.running(bus):

        async def passed() -> bool:
            return await _effects(pair) == {event.id for event in healthy}

        # Whichever is tried first: this one passes while the others fail.
        await until(passed)
        await put(pair.vhost_url, QUEUE, [later], pack=1)
        healthy.append(later)

        async def done() -> bool:
            # They come back every few seconds, and are postponed again.
            is_postponed = bool(metrics.MESSAGES.labels(QUEUE, "retried")._value.get() >= retried + len(fresh))
            return is_postponed and await waiting(pair.vhost_url, dead_queue(QUEUE)) == 1

        await until(done)
        assert await _effects(pair) == {event.id for event in healthy}
        letter = await first(pair.vhost_url, dead_queue(QUEUE))
    assert metrics.MESSAGES.labels(QUEUE, "dead")._value.get() == dead + 1
    assert metrics.MESSAGES.labels(QUEUE, "handled")._value.get() >= handled + len(healthy)
    assert str(worn.id) in letter.body.decode()
    assert letter.headers["x-reason"] == "database_refuses_event_for_too_long"
    assert "57014" in str(letter.headers["x-detail"])


async def test_event_that_the_database_refuses_leaves_its_pack_alone(pair: Pair) -> None:
    await _poison_leaves_neighbours_alone(pair, each=False)


async def test_event_that_the_database_refuses_leaves_its_slot_to_others(pair: Pair) -> None:
    await _poison_leaves_neighbours_alone(pair, each=True)


async def test_event_that_fails_before_its_neighbours_pass_is_not_lost(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Any order may come.
    monkeypatch.setattr(random, "sample", lambda population, k: list(population)[:k])
    poison, *healthy = (packed(captured()) for _ in range(3))
    await _refuse(pair, {poison.id: "slow"})
    bus = await _ledger(pair, each=False)
    retried = metrics.MESSAGES.labels(QUEUE, "retried")._value.get()
    await put(pair.vhost_url, QUEUE, [poison, *healthy])
    async with pair.running(bus):

        async def is_postponed() -> bool:
            return bool(metrics.MESSAGES.labels(QUEUE, "retried")._value.get() > retried)

        await until(is_postponed)
        assert await _effects(pair) == {event.id for event in healthy}


@pytest.mark.parametrize(("each", "count", "tries"), [(False, NEIGHBOURS, 6), (False, 1, 3), (True, 1, 3)])
async def test_table_that_is_locked_for_all_events_postpones_none(
    pair: Pair, count: int, tries: int, *, each: bool
) -> None:
    bus = await _ledger(pair, each=each)
    await _refuse(pair, {})
    # The next would be their last try, so that each wrong decision is a dead letter.
    events = [packed(captured(), attempt=RETRIES_MAX) for _ in range(count)]
    timeouts = metrics.DATABASE_OUTAGES.labels("57014")
    before = timeouts._value.get()
    other = await asyncpg.connect(pair.admin_url)
    async with other.transaction():
        await other.execute("LOCK TABLE ledger.effects IN ACCESS EXCLUSIVE MODE")
        await put(pair.vhost_url, QUEUE, events, pack=count)
        async with pair.running(bus):

            async def tried_alone() -> bool:
                return bool(timeouts._value.get() >= before + tries)

            await until(tried_alone)
            assert await waiting(pair.vhost_url, dead_queue(QUEUE)) == 0
            assert await waiting(pair.vhost_url, delay_exchange("ledger", 300)) == 0
    await other.close()
    again = await _ledger(pair, each=each)
    async with pair.running(again):

        async def all_handled() -> bool:
            return await _effects(pair) == {event.id for event in events}

        await until(all_handled)
    assert await waiting(pair.vhost_url, dead_queue(QUEUE)) == 0
