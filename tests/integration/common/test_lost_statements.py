"""Statements that a network has lost are over within seconds, and the locks of their transactions with them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from urllib.parse import urlsplit

import asyncpg
import msgspec
import pytest

from libs.common.db import Database, DatabaseUnavailable, lost
from libs.common.db.connections import driver_of
from tests.support.databases import TestDatabase
from tests.support.proxies import Handle, running_proxies

_LOCK = "SELECT pg_advisory_xact_lock(4711)"
SECONDS = 8.0
"""Three of waiting, up to one until the next look, and a busy machine; the deadline of a statement is ten."""


@asynccontextmanager
async def behind_a_proxy(ledger_database: TestDatabase) -> AsyncIterator[tuple[Database, Handle]]:
    settings = ledger_database.settings("ledger", pool_size=4)
    port = urlsplit(settings.database_url).port
    assert port is not None
    async with running_proxies([port]) as (proxy,):
        url = settings.database_url.replace(f":{port}/", f":{proxy.port}/")
        database = Database(
            msgspec.structs.replace(settings, database_url=url), schema="ledger", application_name="lost"
        )
        await database.open()
        try:
            yield database, proxy
        finally:
            await database.close()


async def test_statement_in_a_lost_connection_ends_and_releases_its_locks(ledger_database: TestDatabase) -> None:
    admin = await asyncpg.connect(ledger_database.admin_url)
    async with behind_a_proxy(ledger_database) as (database, proxy):
        began = 0.0
        async with database.connection(), database.connection():
            # One of them is free afterwards, and lost as well.
            pass
        with pytest.raises(DatabaseUnavailable):
            async with database.transaction() as transaction:
                await transaction.execute(_LOCK)
                await proxy.act("forget")
                began = monotonic()
                await transaction.fetchval("SELECT 1")
        assert monotonic() - began < SECONDS
        async with asyncio.timeout(SECONDS), admin.transaction():
            await admin.execute(_LOCK)
        # The free one is replaced without a wait.
        began = monotonic()
        assert await database.fetchrow("SELECT 2 AS n") is not None
        assert monotonic() - began < lost.WAITED_SECONDS
    await admin.close()


async def test_slow_statement_is_left_alone(ledger_database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lost, "LOOK_EVERY_SECONDS", 0.05)
    monkeypatch.setattr(lost, "WAITED_SECONDS", 0.1)
    queried = 0
    end_lost = lost.LostStatements._end_lost

    async def counted(*arguments: object) -> None:
        nonlocal queried
        await end_lost(*arguments)  # type: ignore[arg-type]
        queried += 1

    monkeypatch.setattr(lost.LostStatements, "_end_lost", counted)
    async with ledger_database.open("ledger", pool_size=2) as database, database.connection() as borrowed:
        async with borrowed.transaction():
            await borrowed.execute("SELECT pg_sleep(1.5)")
            # In a transaction without a statement the session is idle, and nothing waits.
            await asyncio.sleep(0.2)
            assert await borrowed.fetchval("SELECT 1") == 1
        assert driver_of(borrowed).waits_since == 0.0  # type: ignore[arg-type]
    assert queried
