"""Totals are exact, remembered or not."""

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from libs.common.clock import ManualClock
from libs.common.db import Database
from services.api.payments.domain import IntentFilter
from services.api.payments.queries import Totals
from services.api.payments.queries.totals import MOVING_AGE_MAX, SETTLED_AFTER
from services.api.payments.sql import intents
from tests.support.databases import TestDatabase

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
_ADD = """
INSERT INTO payment_intents (tenant_id, id, amount_minor, currency, status, customer_ref, version, created_at, updated_at)
SELECT $1, gen_random_uuid(), 100, (ARRAY['BRL', 'USD'])[1 + n % 2], 'CREATED', 'c', 1, at, at
FROM (SELECT n, $3::timestamptz - make_interval(secs => n) AS at FROM generate_series(0, $2 - 1) AS n) AS numbered
"""


async def add(database: Database, tenant: str, number: int, newest: datetime) -> None:
    await database.fetch(_ADD, tenant, number, newest)


@pytest.mark.parametrize(
    "filters",
    [
        IntentFilter(),
        IntentFilter(currency="BRL"),
        IntentFilter(created_from=NOW - timedelta(seconds=9_000)),
        IntentFilter(created_until=NOW - timedelta(seconds=100)),
        IntentFilter(created_from=NOW + timedelta(days=1)),
    ],
)
async def test_a_total_stays_exact_while_intents_arrive(
    api_database: TestDatabase, tenant_id: str, filters: IntentFilter
) -> None:
    clock = ManualClock(NOW)
    async with api_database.open("api") as database:
        totals = Totals(database, clock)
        await add(database, tenant_id, 12_000, NOW)
        for _ in range(4):
            assert await totals.count(tenant_id, filters) == await intents.count(database, tenant_id, filters)
            # Committed late, but as late as an intent can be.
            await add(database, tenant_id, 50, clock.now() - SETTLED_AFTER + timedelta(seconds=100))
            assert await totals.count(tenant_id, filters) == await intents.count(database, tenant_id, filters)
            clock.advance(timedelta(hours=1))
            await add(database, tenant_id, 3_500, clock.now())


async def test_the_total_of_a_short_list_of_a_status_is_exact_at_any_time(
    api_database: TestDatabase, tenant_id: str
) -> None:
    filters = IntentFilter(statuses=("CREATED",))
    async with api_database.open("api") as database:
        totals = Totals(database, ManualClock(NOW))
        for number in range(1, 4):
            await add(database, tenant_id, 1, NOW)
            assert await totals.count(tenant_id, filters) == number


async def test_a_short_list_of_a_status_has_what_was_made_during_a_count(
    api_database: TestDatabase, tenant_id: str
) -> None:
    filters, may_end = IntentFilter(statuses=("CREATED",)), asyncio.Event()

    async def earlier() -> int:
        await may_end.wait()
        return 0

    async with api_database.open("api") as database:
        totals = Totals(database, ManualClock(NOW))
        key = tenant_id, msgspec.json.encode(filters)
        begun = asyncio.create_task(totals._counting.do(key, earlier))
        await asyncio.sleep(0)
        await add(database, tenant_id, 1, NOW)
        asking = asyncio.create_task(totals.count(tenant_id, filters))
        await asyncio.sleep(0)
        may_end.set()
        assert await begun == 0
        assert await asking == 1


async def test_the_total_of_a_long_list_by_status_is_counted_once_for_seconds(
    api_database: TestDatabase, tenant_id: str
) -> None:
    filters, clock = IntentFilter(statuses=("CREATED",), currency="BRL"), ManualClock(NOW)
    async with api_database.open("api") as database:
        totals = Totals(database, clock)
        await add(database, tenant_id, 12_000, NOW)
        assert set(await asyncio.gather(*(totals.count(tenant_id, filters) for _ in range(10)))) == {6_000}
        # Some leave the status: until the number is old enough it stands, then it is exact again.
        await database.fetch(
            "UPDATE payment_intents SET status = 'FAILED' WHERE tenant_id = $1 AND created_at > $2",
            tenant_id,
            NOW - timedelta(seconds=100),
        )
        assert await totals.count(tenant_id, filters) == 6_000
        clock.advance(MOVING_AGE_MAX)
        assert await totals.count(tenant_id, filters) == await intents.count(database, tenant_id, filters) == 5_950
