"""The database's time is that of all who write into it."""

from datetime import UTC, datetime, timedelta

import pytest

from libs.common.db import Database, DatabaseClock
from libs.common.errors import Unavailable
from libs.common.settings import DatabaseSettings
from tests.support.databases import TestDatabase


async def test_clock_shows_the_time_of_the_database(ledger_database: TestDatabase) -> None:
    async with ledger_database.open("ledger") as database:
        clock = DatabaseClock(database)
        async with clock.opened():
            before, now, after = await _instant(database), clock.now(), await _instant(database)
    # A reading is off by half of its round trip at most.
    assert before - timedelta(seconds=0.5) <= now <= after + timedelta(seconds=0.5)
    assert now.tzinfo is UTC or now.utcoffset() == timedelta(0)
    assert clock.now() >= now


async def test_slow_reading_replaces_an_old_one_alone(ledger_database: TestDatabase) -> None:
    counted = iter([0.0, 0.1, 30.0, 31.0, 31.0, 90.0, 91.0, 91.0])
    async with ledger_database.open("ledger") as database:
        clock = DatabaseClock(database, count=lambda: next(counted))
        await clock.read()
        first = await _instant(database)
        # It took a second: what was counted since the first one is better.
        await clock.read()
        assert clock.now() > first + timedelta(seconds=20)
        await clock.read()
        assert clock.now() < first + timedelta(seconds=20)


async def test_clock_that_was_never_read_refuses_instead_of_guessing() -> None:
    nowhere = DatabaseSettings(database_url="postgresql://nobody@127.0.0.1:1/nothing")
    database = Database(nowhere, schema="ledger", application_name="test clock")
    await database.open()
    try:
        clock = DatabaseClock(database)
        # A service starts without its database too.
        async with clock.opened():
            with pytest.raises(Unavailable, match="not known"):
                clock.now()
    finally:
        await database.close()


async def _instant(database: Database) -> datetime:
    row = await database.fetchrow("SELECT clock_timestamp() AS at")
    assert row is not None
    at: datetime = row["at"]
    return at
