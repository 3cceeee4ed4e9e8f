"""Tables in partitions by time: made ahead, dropped by age without touching a row, unique over all of them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from libs.common.clock import ManualClock
from libs.common.db import Database, PartitionedTable, PartitionKeeper
from libs.common.db.partitions import size_of
from libs.common.messaging import inbox
from libs.common.observability import metrics
from tests.support.databases import TestDatabase

INBOX = PartitionedTable(name="inbox", ahead=2, kept_days=14)
MONTHLY = PartitionedTable(name="notes", ahead=2, kept_days=60)
_MONTHLY_TABLE = """
CREATE TABLE notes (id uuid PRIMARY KEY, created_at timestamptz NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE notes_default PARTITION OF notes DEFAULT;
INSERT INTO partition_rules (parent, period, key_column, age_column, kept_days_min, keeps_young)
VALUES ('notes', 'month', 'id', 'created_at', 30, false);
GRANT SELECT, INSERT ON notes TO gateway_app;
"""


@pytest.fixture
async def owner(gateway_database: TestDatabase) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection of the role that owns the schema; both tables are empty and have no partition but the default one."""
    connection = await asyncpg.connect(gateway_database.url("gateway_owner"))
    if await connection.fetchval("SELECT to_regclass('notes')") is None:
        await connection.execute(_MONTHLY_TABLE)
    for table in ("inbox", "notes"):
        for name in await _names(connection, table):
            await connection.execute(f"DROP TABLE {name}")
        await connection.execute(f"TRUNCATE {table}")
    yield connection
    await connection.close()


@pytest.fixture
async def database(gateway_database: TestDatabase) -> AsyncIterator[Database]:
    async with gateway_database.open("gateway", pool_size=3) as opened:
        yield opened


def keeper(database: Database, at: datetime, *tables: PartitionedTable) -> PartitionKeeper:
    """A keeper that has the database tried once and briefly for a lock."""
    return PartitionKeeper(database, clock=ManualClock(at), tables=tables, lock_timeouts_ms=(50,))


def id_at(instant: datetime) -> UUID:
    """An id as if minted at an instant."""
    milliseconds = int(instant.timestamp() * 1000)
    return UUID(int=(milliseconds << 80) | (uuid4().int & ((1 << 80) - 1)) & ~(0xF << 76) | (0x7 << 76))


async def _names(connection: "asyncpg.Connection[asyncpg.Record]", table: str) -> list[str]:
    return [row["name"] for row in await connection.fetch("SELECT name FROM partitions_of($1) ORDER BY begins", table)]


async def _receive(connection: "asyncpg.Connection[asyncpg.Record]", event_id: UUID, *, received_at: datetime) -> None:
    await connection.execute("INSERT INTO inbox VALUES ($1, 'q', $2)", event_id, received_at)


async def test_two_months_leave_as_partitions_and_no_row_is_deleted(
    gateway_database: TestDatabase, owner: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    now = datetime.now(UTC)
    async with gateway_database.open("gateway") as database:
        begin = now - timedelta(days=75)
        await keeper(database, begin).make(PartitionedTable(name="inbox", ahead=77, kept_days=14))
        for days in range(76):
            at = begin + timedelta(days=days)
            await owner.executemany("INSERT INTO inbox VALUES ($1, 'q', $2)", [(id_at(at), at) for _ in range(20)])
        before = await _deleted(owner)
        dropped = await keeper(database, now).drop(INBOX)
        assert len(dropped) >= 60
    # The pool is closed, so that PostgreSQL has written down what its sessions did.
    rows = await owner.fetch("SELECT received_at FROM inbox")
    assert {row["received_at"] for row in rows} == {begin + timedelta(days=days) for days in range(61, 76)}
    assert await _deleted(owner) == before


async def _deleted(owner: "asyncpg.Connection[asyncpg.Record]") -> int:
    """Count the rows that were deleted one by one."""
    return int(
        await owner.fetchval(
            "SELECT sum(n_tup_del) FROM pg_stat_user_tables WHERE schemaname = 'gateway' AND relname LIKE 'inbox%'"
        )
    )


async def test_event_later_than_its_id_is_remembered_from_when_it_came(
    owner: "asyncpg.Connection[asyncpg.Record]", database: Database
) -> None:
    now = datetime.now(UTC)
    old = now - timedelta(days=40)
    await keeper(database, old).make(INBOX)
    late, forgotten = id_at(old), id_at(old)
    await _receive(owner, late, received_at=now - timedelta(days=1))
    await _receive(owner, forgotten, received_at=old)
    assert len(await keeper(database, now).drop(INBOX)) == 3
    async with database.transaction() as tx:
        assert await inbox.mark(tx, "q", [("t", late), ("t", forgotten)]) == {("t", forgotten)}
    # And not for ever.
    await owner.execute("UPDATE inbox SET received_at = $1", now - timedelta(days=15))
    await keeper(database, now).drop(INBOX)
    assert await owner.fetch("SELECT FROM inbox") == []


async def test_event_takes_effect_once_whichever_partition_it_is_in(
    owner: "asyncpg.Connection[asyncpg.Record]", database: Database
) -> None:
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    ids = [id_at(midnight - timedelta(milliseconds=1)), id_at(midnight), uuid4()]
    events = [("t", event_id) for event_id in ids]
    async with database.transaction() as tx:
        assert await inbox.mark(tx, "q", events) == set(events)
    await keeper(database, midnight - timedelta(days=1)).make(INBOX)
    async with database.transaction() as tx:
        assert await inbox.mark(tx, "q", events) == set()
        assert await inbox.mark(tx, "other", events) == set(events)
    partitions = await owner.fetch("SELECT DISTINCT tableoid::regclass::text AS name FROM inbox")
    assert len(partitions) == 3


@pytest.mark.parametrize(
    ("at", "days", "months"),
    [
        ((2027, 1, 31), ["2027_01_31", "2027_02_01", "2027_02_02"], ["2027_01", "2027_02", "2027_03"]),
        ((2028, 2, 28), ["2028_02_28", "2028_02_29", "2028_03_01"], ["2028_02", "2028_03", "2028_04"]),
        ((2028, 2, 29), ["2028_02_29", "2028_03_01", "2028_03_02"], ["2028_02", "2028_03", "2028_04"]),
        ((2027, 12, 31), ["2027_12_31", "2028_01_01", "2028_01_02"], ["2027_12", "2028_01", "2028_02"]),
    ],
)
async def test_partitions_ahead_meet_at_the_ends_of_months(
    owner: "asyncpg.Connection[asyncpg.Record]",
    database: Database,
    at: tuple[int, int, int],
    days: list[str],
    months: list[str],
) -> None:
    last = datetime(*at, 23, 59, 59, 999_000, tzinfo=UTC)
    made = keeper(database, last, INBOX, MONTHLY)
    await made.run()
    assert await _names(owner, "inbox") == [f"inbox_{day}" for day in days]
    assert await _names(owner, "notes") == [f"notes_{month}" for month in months]
    for table in ("inbox", "notes"):
        bounds = await owner.fetch("SELECT begins, ends FROM partitions_of($1) ORDER BY begins", table)
        assert [row["ends"] for row in bounds[:-1]] == [row["begins"] for row in bounds[1:]]
        assert bounds[0]["begins"] <= id_at(last) < bounds[0]["ends"]
        if table == "inbox":
            assert bounds[0]["ends"] <= id_at(last + timedelta(milliseconds=1)) < bounds[1]["ends"]
    assert await made.make(INBOX) == await made.make(MONTHLY) == 0


async def test_rows_of_a_time_without_partitions_move_into_them(
    owner: "asyncpg.Connection[asyncpg.Record]", database: Database
) -> None:
    now = datetime.now(UTC)
    for days in range(3):
        at = now + timedelta(days=days)
        await _receive(owner, id_at(at), received_at=at)
        await owner.execute("INSERT INTO notes VALUES ($1, $2)", id_at(at), at)
    await _receive(owner, uuid4(), received_at=now)
    await keeper(database, now, INBOX, MONTHLY).run()
    assert await owner.fetchval("SELECT count(*) FROM inbox") == 4
    assert await owner.fetchval("SELECT count(*) FROM inbox_default") == 1
    assert await owner.fetchval("SELECT count(*) FROM notes_default") == 0
    assert await owner.fetchval("SELECT count(*) FROM notes") == 3


async def test_crowded_default_partition_is_reported_and_the_next_day_is_made(
    owner: "asyncpg.Connection[asyncpg.Record]", database: Database
) -> None:
    now = datetime.now(UTC)
    await owner.execute(
        "INSERT INTO notes SELECT (left(first_id($1)::text, 24) || lpad(n::text, 12, '0'))::uuid, $1 "
        "FROM generate_series(1, $2) AS n",
        now,
        50_001,
    )
    before = metrics.PARTITION_FAILURES.labels("notes")._value.get()
    assert await keeper(database, now).make(MONTHLY) == 2
    assert metrics.PARTITION_FAILURES.labels("notes")._value.get() == before + 1
    async with database.connection() as connection:
        size = await size_of(connection, "notes", at=now)
    assert size.ahead == 2
    assert size.bytes > size.default_bytes > 1_000_000


async def test_locked_table_is_reported_and_the_others_are_looked_after(
    owner: "asyncpg.Connection[asyncpg.Record]", database: Database
) -> None:
    before = metrics.PARTITION_FAILURES.labels("inbox")._value.get()
    async with owner.transaction():
        await owner.execute("LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE")
        await keeper(database, datetime.now(UTC), INBOX, MONTHLY).run()
    assert metrics.PARTITION_FAILURES.labels("inbox")._value.get() > before
    assert await _names(owner, "inbox") == []
    assert len(await _names(owner, "notes")) == 3


async def test_runtime_role_cannot_drop_what_must_be_kept(
    owner: "asyncpg.Connection[asyncpg.Record]", database: Database
) -> None:
    now = datetime.now(UTC)
    await keeper(database, now - timedelta(days=35)).make(PartitionedTable(name="notes", ahead=1, kept_days=60))
    young = now - timedelta(days=1)
    await owner.execute("INSERT INTO notes VALUES ($1, $2)", uuid4(), young)
    far = now + timedelta(days=10_000)
    while await database.fetchrow("SELECT 1 WHERE drop_partition('notes', $1) IS NOT NULL", far):
        pass
    await database.fetchrow("SELECT prune_default_partition('notes', $1, 100)", far)
    bounds = await owner.fetch("SELECT time_of_id(ends) AS ended FROM partitions_of('notes')")
    assert all(row["ended"] > now - timedelta(days=30, minutes=1) for row in bounds)
    assert await owner.fetchval("SELECT count(*) FROM notes") == 1
    for statement in ("DELETE FROM inbox", "DROP TABLE notes_default", "INSERT INTO partition_rules VALUES ('x')"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await database.write(statement)


async def test_table_without_retention_keeps_everything(
    owner: "asyncpg.Connection[asyncpg.Record]", database: Database
) -> None:
    now = datetime.now(UTC)
    for_ever = PartitionedTable(name="notes", ahead=1, kept_days=0)
    await keeper(database, now - timedelta(days=4000)).make(for_ever)
    await keeper(database, now, for_ever).run()
    assert len(await _names(owner, "notes")) == 4
    assert metrics.OLDEST_PARTITION_AGE.labels("notes")._value.get() > timedelta(days=3900).total_seconds()
