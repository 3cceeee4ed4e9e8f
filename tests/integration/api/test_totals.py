"""Totals are exact, remembered or not."""

from datetime import UTC, datetime, timedelta

import pytest

from libs.common.clock import ManualClock
from libs.common.db import Database
from services.api.queries import Totals
from services.api.queries.totals import SETTLED_AFTER
from services.api.store import IntentFilter, intents
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
    "wanted",
    [
        IntentFilter(),
        IntentFilter(currency="BRL"),
        IntentFilter(created_from=NOW - timedelta(seconds=9_000)),
        IntentFilter(created_until=NOW - timedelta(seconds=100)),
        IntentFilter(created_from=NOW + timedelta(days=1)),
        IntentFilter(statuses=("CREATED",)),
    ],
)
async def test_a_total_stays_exact_while_intents_arrive(
    api_database: TestDatabase, tenant_id: str, wanted: IntentFilter
) -> None:
    clock = ManualClock(NOW)
    async with api_database.open("api") as database:
        totals = Totals(database, clock)
        await add(database, tenant_id, 12_000, NOW)
        for _ in range(4):
            assert await totals.count(tenant_id, wanted) == await intents.count(database, tenant_id, wanted)
            # Committed late, but as late as an intent can be.
            await add(database, tenant_id, 50, clock.now() - SETTLED_AFTER + timedelta(seconds=100))
            assert await totals.count(tenant_id, wanted) == await intents.count(database, tenant_id, wanted)
            clock.advance(timedelta(hours=1))
            await add(database, tenant_id, 3_500, clock.now())
