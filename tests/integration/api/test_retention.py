"""The api's history: a page costs what it shows, months leave as a whole, and expired keys leave as fast as they come."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from libs.common.clock import ManualClock
from libs.common.db import Database, PartitionKeeper
from libs.common.ids import new_id
from services.api.app import history_tables
from services.api.audit import AuditFilter
from services.api.audit import sql as audit
from services.api.idempotency import forget_expired_keys
from services.api.settings import RetentionSettings
from tests.integration.api.conftest import serving, settings_for
from tests.support.databases import TestDatabase

LINES = 120_000
TENANTS = 60
MONTHS = 5


@pytest.fixture
async def database(api_database: TestDatabase) -> AsyncIterator[Database]:
    async with api_database.open("api", pool_size=3) as opened:
        yield opened


@pytest.fixture(scope="module")
async def long_log(api_database: TestDatabase) -> datetime:
    """A log of many tenants over some months; returns when it ends."""
    now = datetime.now(UTC)
    begin = now - timedelta(days=30 * MONTHS)
    async with api_database.open("api") as database:
        for month in range(MONTHS + 1):
            clock = ManualClock(begin + timedelta(days=30 * month))
            await PartitionKeeper(database, clock=clock, tables=history_tables(RetentionSettings())).run()
    owner = await asyncpg.connect(api_database.url("api_owner"))
    await owner.execute(
        "INSERT INTO audit_log SELECT 't' || n % $2::int, (left(first_id(at)::text, 24) || lpad(n::text, 12, '0'))::uuid, "
        "'someone', 'payment_intent.create', n::text, 'success', '{}', n::text, at "
        "FROM generate_series(1, $1::int) AS n CROSS JOIN LATERAL (SELECT $3::timestamptz + ($4::timestamptz - $3) * (n / $1::float)) AS i(at)",
        LINES,
        TENANTS,
        begin,
        now,
    )
    await owner.execute("ANALYZE audit_log")
    await owner.close()
    return now


async def _buffers(database: Database, monkeypatch: pytest.MonkeyPatch, **arguments: Any) -> tuple[int, list[UUID]]:
    """Read a page as the api does, and count the blocks that PostgreSQL reads for it."""
    statements: list[tuple[str, tuple[object, ...]]] = []
    fetch = database.fetch

    async def noted(sql: str, *values: object) -> list[asyncpg.Record]:
        statements.append((sql, values))
        return await fetch(sql, *values)

    monkeypatch.setattr(database, "fetch", noted)
    shown = await audit.lines(database, **arguments)
    monkeypatch.undo()
    ((sql, values),) = statements
    # A plan for any values at all, as a prepared statement has after some time.
    async with database.transaction() as tx:
        await tx.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        plan = json.loads(await tx.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", *values))[0]["Plan"]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"], [line.id for line in shown]


async def test_audit_page_costs_the_same_wherever_it_begins(
    database: Database, long_log: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenants = ["t7", "", "t8"]
    deep = (long_log - timedelta(days=15 * MONTHS), UUID(int=0))
    for after in (None, deep):
        for chosen in (
            AuditFilter(),
            AuditFilter(outcome="success", action="payment_intent."),
            AuditFilter(at_from=deep[0]),
        ):
            cost, shown = await _buffers(database, monkeypatch, tenants=tenants, filters=chosen, limit=50, after=after)
            if after is None or chosen.at_from is None:
                assert len(shown) == 50
            # A block or so for each line, and the way down an index for each tenant and month; the log has thousands.
            assert cost < 50 * len(tenants) + 4 * len(tenants) * (MONTHS + 5)
    pages: list[UUID] = []
    after = None
    while len(pages) < 3 * 50:
        lines = await audit.lines(database, tenants, AuditFilter(), limit=50, after=after)
        pages += [line.id for line in lines]
        after = (lines[-1].at, lines[-1].id)
    rows = await database.fetch(
        "SELECT id FROM audit_log WHERE tenant_id = ANY($1) ORDER BY created_at DESC, id DESC LIMIT 150", tenants
    )
    assert pages == [row["id"] for row in rows]


async def test_history_is_kept_for_ever_unless_settings_limit_it(
    api_database: TestDatabase, long_log: datetime
) -> None:
    clock = ManualClock(long_log)
    async with api_database.open("api") as database:
        await PartitionKeeper(database, clock=clock, tables=history_tables(RetentionSettings())).run()
        assert await _count(database) == LINES
        kept = history_tables(RetentionSettings(audit_retention_days=90))
        await PartitionKeeper(database, clock=clock, tables=kept).run()
        rest = await database.fetchrow("SELECT count(*) AS lines, min(created_at) AS oldest FROM audit_log")
    assert rest is not None
    # Whole months: what is younger than 90 days is there, and at most one month more.
    assert timedelta(days=90) <= long_log - rest["oldest"] <= timedelta(days=122)
    assert 0 < rest["lines"] < LINES
    owner = await asyncpg.connect(api_database.url("api_owner"))
    deleted = await owner.fetchval("SELECT sum(n_tup_del) FROM pg_stat_user_tables WHERE relname LIKE 'audit_log%'")
    await owner.close()
    assert deleted == 0


async def _count(database: Database) -> int:
    row = await database.fetchrow("SELECT count(*) AS lines FROM audit_log")
    assert row is not None
    return int(row["lines"])


async def test_timeline_is_read_from_the_partition_of_its_intent(database: Database) -> None:
    clock = ManualClock(datetime.now(UTC))
    await PartitionKeeper(database, clock=clock, tables=history_tables(RetentionSettings())).run()
    plan = await database.fetch(
        f"EXPLAIN SELECT * FROM payment_intent_events WHERE tenant_id = 't' AND payment_intent_id = '{new_id()}'"
    )
    scans = [row[0] for row in plan if "Scan" in row[0]]
    assert len(scans) == 1
    assert "payment_intent_events_2" in scans[0]


async def test_expired_keys_leave_by_an_index_and_others_stay(database: Database, tenant_id: str) -> None:
    now = datetime.now(UTC)
    await database.write(
        "INSERT INTO idempotency_keys SELECT $1, 'create', n::text, '\\x00', 'completed', $2, 200, '\\x00', $3, $3, $3, "
        "$3::timestamptz + CASE WHEN n <= 12000 THEN interval '-1 second' ELSE interval '1 day' END "
        "FROM generate_series(1, 12500) AS n",
        tenant_id,
        uuid4(),
        now,
    )
    await forget_expired_keys(database, ManualClock(now))
    row = await database.fetchrow("SELECT count(*) AS left FROM idempotency_keys WHERE tenant_id = $1", tenant_id)
    assert row is not None
    assert row["left"] == 500
    async with database.connection() as connection:
        plan = json.loads(
            await connection.fetchval(
                "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT ctid FROM idempotency_keys "
                "WHERE expires_at <= $1 ORDER BY expires_at LIMIT 5000",
                now,
            )
        )[0]["Plan"]
    # 12,000 dead rows lie in the table, and looking for the next ones does not read them.
    assert plan["Actual Rows"] == 0
    assert "Seq Scan" not in json.dumps(plan)


async def test_partitions_are_made_when_the_service_starts(
    make_database: Callable[..., AbstractAsyncContextManager[TestDatabase]],
) -> None:
    missing = (
        "SELECT parent FROM partition_rules AS r WHERE NOT EXISTS (SELECT FROM partitions_of(r.parent) AS p "
        "WHERE p.begins <= first_id(now()) AND p.ends > first_id(now()))"
    )
    async with make_database("api") as made, made.open("api") as database:
        assert {row["parent"] for row in await database.fetch(missing)} == {
            "inbox",
            "audit_log",
            "payment_intent_events",
            "outbox_published",
            "logged_requests",
        }
        async with serving(made, settings_for(made)), asyncio.timeout(60):
            while await database.fetch(missing):
                await asyncio.sleep(0.02)
