"""History is kept by month and for its time only."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from services.notifier import commands
from services.notifier.store.replays import first_id
from tests.support.databases import TestDatabase

TABLES = ("messages", "deliveries", "attempts")
OLD, YOUNG = 5, 1
"""Months ago."""


async def test_a_month_that_is_over_long_enough_leaves_as_partitions_and_a_younger_one_stays(
    make_database: Callable[..., AbstractAsyncContextManager[TestDatabase]], tenant_id: str
) -> None:
    async with make_database("notifier") as made, made.open("notifier") as database:
        owner = await asyncpg.connect(made.url("notifier_owner"), server_settings={"search_path": "notifier"})
        names: dict[int, str] = {}
        for ago in (OLD, YOUNG):
            begin, end = await _month(owner, ago=ago)
            names[ago] = f"{begin:%Y_%m}"
            for table in TABLES:
                await owner.execute(
                    f"CREATE TABLE IF NOT EXISTS {table}_{names[ago]} PARTITION OF {table} "
                    f"FOR VALUES FROM ('{first_id(begin)}') TO ('{first_id(end)}')"
                )
        await owner.close()
        events = {ago: UUID(int=first_id(await _middle(made, ago=ago)).int + 1) for ago in (OLD, YOUNG)}
        for event in events.values():
            await database.write(
                "INSERT INTO messages (tenant_id, event_id, type, body, occurred_at, created_at) "
                "VALUES ($1, $2, 'payment.settled', '{}', now(), now())",
                tenant_id,
                event,
            )
            await database.write(
                "INSERT INTO deliveries (tenant_id, endpoint_id, event_id, id, event_type, status, attempts, fence, "
                "created_at, ended_at, end_reason) VALUES ($1, $2, $2, $2, 'x', 'DELIVERED', 1, 2, now(), now(), 'x')",
                tenant_id,
                event,
            )
            await database.write(
                "INSERT INTO attempts (tenant_id, endpoint_id, event_id, number, attempted_at, duration_ms, "
                "response_excerpt) VALUES ($1, $2, $2, 1, now(), 1, '')",
                tenant_id,
                event,
            )
        assert await commands.keep_history(database, days=45) == len(TABLES)
        for table in TABLES:
            kept = [row["event_id"] for row in await database.fetch(f"SELECT event_id FROM {table}")]
            assert kept == [events[YOUNG]]
            assert await _exists(made, f"{table}_{names[YOUNG]}")
            assert not await _exists(made, f"{table}_{names[OLD]}")
        # The coming month is ready before it begins, and a second round finds nothing to do.
        begin, _ = await _month_of(made, ago=-1)
        assert await _exists(made, f"deliveries_{begin:%Y_%m}")
        assert await commands.keep_history(database, days=45) == 0


async def _month(connection: "asyncpg.Connection[asyncpg.Record]", *, ago: int) -> tuple[datetime, datetime]:
    row = await connection.fetchrow(
        "SELECT date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AS present", timeout=10
    )
    assert row is not None
    months = row["present"].year * 12 + row["present"].month - 1 - ago
    begin = row["present"].replace(year=months // 12, month=months % 12 + 1)
    return begin, (begin + timedelta(days=32)).replace(day=1)


async def _month_of(made: TestDatabase, *, ago: int) -> tuple[datetime, datetime]:
    connection = await asyncpg.connect(made.admin_url)
    try:
        return await _month(connection, ago=ago)
    finally:
        await connection.close()


async def _middle(made: TestDatabase, *, ago: int) -> datetime:
    begin, _ = await _month_of(made, ago=ago)
    return begin + timedelta(days=14)


async def _exists(made: TestDatabase, table: str) -> bool:
    connection = await asyncpg.connect(made.admin_url)
    try:
        return await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", f"notifier.{table}") is True
    finally:
        await connection.close()
