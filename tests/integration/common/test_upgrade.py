"""What was stored before an upgrade is there after it, in every service."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from deploy.local.bootstrap import bootstrap
from deploy.local.servers import Servers
from libs.common.clock import SystemClock
from libs.common.db import PartitionKeeper
from libs.common.db.migrate import upgrade
from libs.common.errors import Unavailable
from libs.common.ids import new_id
from libs.common.messaging import inbox_partitions
from libs.common.settings import BrokerSettings
from services.api.settings import RetentionSettings
from services.api.workers import history
from tests.support.databases import TestDatabase

BEFORE_PARTITIONS = {"api": "0004", "ledger": "0008", "gateway": "0004", "notifier": "0003"}


@pytest.fixture
async def bare(servers: Servers) -> AsyncIterator[TestDatabase]:
    """A database with roles and schemas, and nothing in them."""
    name = f"test_upgrade_{uuid4().hex[:12]}"
    await bootstrap(servers.postgres_url, name)
    try:
        yield TestDatabase(servers, name)
    finally:
        admin = await asyncpg.connect(servers.postgres_url)
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await admin.close()


@pytest.mark.parametrize("service", BEFORE_PARTITIONS)
async def test_rows_from_before_there_were_partitions_are_kept(bare: TestDatabase, service: str) -> None:
    url = bare.url(f"{service}_owner")
    await asyncio.to_thread(upgrade, service=service, url=url, revision=BEFORE_PARTITIONS[service])
    owner = await asyncpg.connect(url, server_settings={"search_path": service})
    now = datetime.now(UTC)
    # Ids of today, of a time long ago, and random ones, which no partition of a time can have.
    ids = [new_id(), new_id(), *(uuid4() for _ in range(5)), UUID(int=uuid4().int >> 16)]
    await owner.executemany(
        "INSERT INTO inbox VALUES ($1, 'q', $2)", [(event_id, now - timedelta(days=3)) for event_id in ids]
    )
    before = await owner.fetch("SELECT * FROM inbox ORDER BY event_id")
    await asyncio.to_thread(upgrade, service=service, url=url)
    assert await owner.fetch("SELECT * FROM inbox ORDER BY event_id") == before
    async with bare.open(service) as database:
        keeper = PartitionKeeper(database, clock=SystemClock(), tables=[inbox_partitions(BrokerSettings())])
        await keeper.run()
        await keeper.run()
        await database.write("INSERT INTO inbox (event_id, queue) VALUES ($1, 'q') ON CONFLICT DO NOTHING", ids[0])
    assert await owner.fetch("SELECT * FROM inbox ORDER BY event_id") == before
    await owner.close()


async def test_history_from_before_there_were_months_is_kept(bare: TestDatabase) -> None:
    url = bare.url("api_owner")
    await asyncio.to_thread(upgrade, service="api", url=url, revision="0007")
    owner = await asyncpg.connect(url, server_settings={"search_path": "api"})
    now = datetime.now(UTC)
    for number, event_id in enumerate((new_id(), uuid4(), UUID(int=number_of_id(now - timedelta(days=400))))):
        await owner.execute(
            "INSERT INTO audit_log VALUES ('t', $1, 'a', 'b', 'c', 'success', '{}', 'd', $2)", event_id, now
        )
        await owner.execute(
            "INSERT INTO payment_intent_events VALUES ('t', $1, $2, 'x', 'CREATED', 'a', NULL, 'c', $3)",
            event_id,
            UUID(int=number),
            now,
        )
    reads = ("SELECT * FROM audit_log ORDER BY id", "SELECT * FROM payment_intent_events ORDER BY id")
    before = [await owner.fetch(sql) for sql in reads]
    await asyncio.to_thread(upgrade, service="api", url=url)
    async with bare.open("api") as database:
        keeper = PartitionKeeper(database, clock=SystemClock(), tables=history(RetentionSettings()))
        await keeper.run()
    assert [await owner.fetch(sql) for sql in reads] == before
    names = await owner.fetch("SELECT name FROM partitions_of('audit_log') ORDER BY ends")
    assert names[0]["name"] == "audit_log_before"
    assert len(names) > 1
    await owner.close()


def number_of_id(instant: datetime) -> int:
    """The least id that can be minted at an instant, as a number."""
    return int(instant.timestamp() * 1000) << 80


async def test_migration_that_waits_for_a_lock_lets_others_through_and_goes_on_later(bare: TestDatabase) -> None:
    url = bare.url("api_owner")
    await asyncio.to_thread(upgrade, service="api", url=url, revision="0007")
    reader, payment = await asyncpg.connect(bare.admin_url), await asyncpg.connect(bare.admin_url)

    def migrate() -> None:
        upgrade(service="api", url=url, lock_seconds=0.2, tries_max=3, pause_seconds=0.05)

    async with reader.transaction():
        # A report that reads the audit log for hours.
        await reader.fetch("SELECT FROM api.audit_log")
        migrating = asyncio.create_task(asyncio.to_thread(migrate))
        while not await payment.fetchval(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation::regclass::text LIKE '%audit_log')"
        ):
            await asyncio.sleep(0.01)
        await payment.execute(
            "INSERT INTO api.audit_log VALUES ('t', $1, 'a', 'b', 'c', 'success', '{}', 'd', now())",
            new_id(),
            timeout=5,
        )
        with pytest.raises(Unavailable, match="locked by others in all of 3 tries"):
            await migrating
    await asyncio.to_thread(migrate)
    assert await payment.fetchval("SELECT count(*) FROM api.audit_log") == 1
    await reader.close()
    await payment.close()
