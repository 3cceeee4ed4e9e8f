"""History is kept by month and for its time only."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from libs.common.clock import ManualClock
from libs.common.db import Database, PartitionKeeper
from libs.common.ids import first_id
from services.notifier.deliveries import history_tables
from services.notifier.replays import Archivist
from tests.support.databases import TestDatabase

TABLES = ("messages", "deliveries", "attempts")
DAY = timedelta(days=1)


@pytest.fixture
async def database(notifier_database: TestDatabase) -> AsyncIterator[Database]:
    async with notifier_database.open("notifier", pool_size=3) as opened:
        yield opened


async def _write_history(database: Database, tenant_id: str, at: datetime) -> UUID:
    event_id = UUID(int=first_id(at).int + uuid4().int % (1 << 60))
    await database.write(
        "INSERT INTO messages (tenant_id, event_id, type, body, occurred_at, created_at) "
        "VALUES ($1, $2, 'payment.settled', '{}', $3, $3)",
        tenant_id,
        event_id,
        at,
    )
    await database.write(
        "INSERT INTO deliveries (tenant_id, endpoint_id, event_id, id, event_type, status, attempts, fence, "
        "created_at, ended_at, end_reason) VALUES ($1, $2, $2, $2, 'x', 'DELIVERED', 1, 2, $3, $3, 'x')",
        tenant_id,
        event_id,
        at,
    )
    await database.write(
        "INSERT INTO attempts (tenant_id, endpoint_id, event_id, number, attempted_at, duration_ms, response_excerpt) "
        "VALUES ($1, $2, $2, 1, $3, 1, '')",
        tenant_id,
        event_id,
        at,
    )
    return event_id


async def test_old_months_leave_whole_and_rows_without_a_month_move_into_theirs(
    notifier_database: TestDatabase, database: Database, tenant_id: str
) -> None:
    now = datetime.now(UTC)
    owner = await asyncpg.connect(notifier_database.url("notifier_owner"))
    for ago in (200, 170):
        await PartitionKeeper(database, clock=ManualClock(now - ago * DAY), tables=history_tables(kept_days=60)).run()
    # The notifier was down: the present month has no partition while rows of it come.
    for table in TABLES:
        for row in await owner.fetch("SELECT name FROM partitions_of($1) WHERE ends > first_id($2)", table, now):
            await owner.execute(f"DROP TABLE {row['name']}")
    old = [await _write_history(database, tenant_id, now - ago * DAY) for ago in (200, 170)]
    young = [await _write_history(database, tenant_id, now - ago * DAY) for ago in (20, 0)]
    keeper = PartitionKeeper(database, clock=ManualClock(now), tables=history_tables(kept_days=60))
    await keeper.run()
    for table in TABLES:
        rows = await owner.fetch(f"SELECT event_id FROM {table} WHERE tenant_id = $1", tenant_id)
        assert {row["event_id"] for row in rows} == set(young)
        assert not await owner.fetch("SELECT FROM partitions_of($1) WHERE ends <= first_id($2)", table, now - 60 * DAY)
        assert (
            await owner.fetchval("SELECT count(*) FROM partitions_of($1) WHERE begins > first_id($2)", table, now) == 2
        )
        in_default = await owner.fetch(f"SELECT event_id FROM {table}_default WHERE event_id = $1", young[1])
        assert in_default == []
    assert old
    options = await owner.fetchval(
        "SELECT reloptions::text FROM pg_class WHERE oid = (SELECT max(name) FROM partitions_of('deliveries'))::regclass"
    )
    assert "fillfactor=70" in options
    await owner.close()


async def test_replays_that_ended_long_ago_are_forgotten_but_not_running_ones(
    database: Database, tenant_id: str
) -> None:
    now = datetime.now(UTC)
    for status, ended_at in (("DONE", now - 91 * DAY), ("CANCELLED", now - 89 * DAY), ("RUNNING", None)):
        await database.write(
            "INSERT INTO replays (tenant_id, id, endpoint_id, selection, status, total, scheduled, position, until, "
            "created_at, ended_at) VALUES ($1, $2, $2, '{}', $3, 0, 0, $2, $2, $4, $5)",
            tenant_id,
            uuid4(),
            status,
            now - 100 * DAY,
            ended_at,
        )
    await Archivist(database=database, clock=ManualClock(now), days=90).run()
    rows = await database.fetch("SELECT status FROM replays WHERE tenant_id = $1", tenant_id)
    assert {row["status"] for row in rows} == {"CANCELLED", "RUNNING"}
