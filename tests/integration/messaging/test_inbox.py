"""The inbox on a real database: what counts as the same event, and whether the database takes writes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from libs.common.db import Database
from libs.common.ids import new_id
from libs.common.messaging import inbox
from libs.common.messaging.patience import Watch
from libs.common.settings import DatabaseSettings

QUEUE = "ledger.payment.captured"


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    database = Database(DatabaseSettings(database_url=url), schema="ledger", application_name="test")
    await database.open()
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture
async def database(messaging_url: str) -> AsyncIterator[Database]:
    async with opened(messaging_url) as database:
        yield database


async def test_event_is_new_once_for_each_tenant_and_queue(database: Database) -> None:
    event_id = new_id()
    every = [(tenant_id, event_id) for tenant_id in ("a", "b", "")]
    async with database.transaction() as transaction:
        assert await inbox.mark(transaction, QUEUE, every[:2]) == set(every[:2])
        assert await inbox.mark(transaction, QUEUE, every) == {("", event_id)}
        assert await inbox.mark(transaction, QUEUE, every) == set()
        assert await inbox.mark(transaction, "api.payment.captured", every[:1]) == set(every[:1])
    # As a version before tenants had ids of their own has remembered it.
    assert inbox.key_of("", event_id) == event_id


async def test_looking_whether_the_database_takes_writes_leaves_nothing(database: Database, messaging_url: str) -> None:
    watch = Watch(database, queue=QUEUE)
    before = await database.fetch("SELECT * FROM inbox")
    assert await watch.takes_writes()
    assert await database.fetch("SELECT * FROM inbox") == before
    name = (await database.fetch("SELECT current_database() AS name"))[0]["name"]
    admin = await asyncpg.connect(messaging_url)
    # As on a server that is not the primary any more.
    await admin.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    await admin.close()
    async with opened(messaging_url) as later:
        assert not await Watch(later, queue=QUEUE).takes_writes()
    admin = await asyncpg.connect(messaging_url, server_settings={"default_transaction_read_only": "off"})
    await admin.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
    await admin.close()
