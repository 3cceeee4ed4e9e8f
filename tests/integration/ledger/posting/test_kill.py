"""`kill -9` of a ledger process, and of PostgreSQL itself, under load: nothing is lost and nothing is doubled."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from deploy.local.errors import LocalFailure
from deploy.local.layout import Layout
from deploy.local.native import postgres
from deploy.local.records import Server
from deploy.local.servers import Servers
from libs.common.clock import SystemClock
from libs.common.db import Database
from services.ledger.accounts import open_accounts as insert_accounts
from services.ledger.integrity import Verifier
from tests.integration.ledger.conftest import audit
from tests.support import ledger_load
from tests.support.databases import TestDatabase, fresh_database
from tests.support.ports import free_port

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[4]
ENTRIES = 1000
WAIT_SECONDS = 120
"""Enough for a busy machine."""


class Load:
    """A ledger process under load, and what it was answered."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.answered: set[int] = set()

    async def until(self, count: int) -> None:
        """Wait until so many entries were answered."""
        assert self._process.stdout is not None
        async with asyncio.timeout(WAIT_SECONDS):
            while len(self.answered) < count and (line := await self._process.stdout.readline()):
                self.answered.add(int(line))

    async def kill(self) -> None:
        """Kill it, and read what it had been answered before."""
        self._process.send_signal(signal.SIGKILL)
        await self.until(ENTRIES + 1)
        await self._process.wait()

    async def finish(self) -> None:
        """Wait until it has posted everything."""
        await self.until(ENTRIES + 1)
        assert await self._process.wait() == 0
        assert self.answered == set(range(ENTRIES))


@asynccontextmanager
async def load(place: TestDatabase) -> AsyncIterator[Load]:
    """Start a ledger process under load."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.ledger_load",
        place.url("ledger_app"),
        str(ENTRIES),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Load(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def open_accounts(database: Database) -> None:
    async with database.transaction() as tx:
        await insert_accounts(tx, ledger_load.ACCOUNTS, opened_at=SystemClock().now())


async def existing(database: Database) -> set[UUID]:
    """The ids of all entries."""
    rows = await database.fetch("SELECT id FROM journal_entries WHERE tenant_id = $1", ledger_load.TENANT)
    return {row["id"] for row in rows}


async def require_all_once(database: Database) -> None:
    """Each entry stands once, each message waits once, and the books add up."""
    expected = {ledger_load.entry_id(number) for number in range(ENTRIES)}
    assert await existing(database) == expected
    row = await database.fetchrow(
        "SELECT debits_minor, version FROM balances WHERE tenant_id = $1 AND account_id = $2",
        ledger_load.TENANT,
        ledger_load.ACCOUNTS[0].id,
    )
    assert row is not None
    assert (row["debits_minor"], row["version"]) == (sum(n % 97 + 1 for n in range(ENTRIES)), ENTRIES)
    published = await database.fetch("SELECT body::jsonb ->> 'entry_id' AS id FROM outbox")
    assert sorted(row["id"] for row in published) == sorted(map(str, expected))
    assert await audit(database) == []
    assert (await Verifier(database, clock=SystemClock()).all()).findings == []


async def test_a_ledger_process_that_is_killed_loses_and_doubles_nothing(servers: Servers) -> None:
    async with fresh_database(servers, ("ledger",)) as place, place.open("ledger") as database:
        await open_accounts(database)
        for kills in range(1, 4):
            async with load(place) as running:
                await running.until(kills * ENTRIES // 5)
                await running.kill()
            # Whatever was answered stands, before anybody posts it again.
            assert {ledger_load.entry_id(number) for number in running.answered} <= await existing(database)
        async with load(place) as running:
            await running.finish()
        await require_all_once(database)


class Postgres:
    """A durable PostgreSQL of this test alone."""

    def __init__(self, folder: Path) -> None:
        self._layout = Layout(root=folder, profile="dev")
        self._port = free_port()
        self.server: Server = self._start()

    def _start(self) -> Server:
        return postgres.start(self._layout, port=self._port)

    async def kill(self) -> None:
        """Kill the postmaster as a power cut would, and start it on what it left behind."""
        (process,) = self.server.processes
        os.kill(process.pid, signal.SIGKILL)
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                try:
                    self.server = await asyncio.to_thread(self._start)
                except LocalFailure:
                    # Its backends notice a moment later, and hold its memory until then.
                    continue
                return

    def end(self) -> None:
        """Stop it and remove its data."""
        postgres.stop(self.server, keep_data=False)
        postgres.wipe(self._layout)


@pytest.fixture
def durable(servers: Servers, tmp_path: Path) -> Iterator[Postgres]:
    """A PostgreSQL that may be killed."""
    if servers.postgres.kind != "native":
        pytest.skip("needs a PostgreSQL on this machine")
    found = Postgres(tmp_path)
    yield found
    found.end()


async def test_a_postgresql_that_is_killed_loses_and_doubles_nothing(servers: Servers, durable: Postgres) -> None:
    place_servers = msgspec.structs.replace(servers, postgres=durable.server)
    async with fresh_database(place_servers, ("ledger",)) as place:
        async with place.open("ledger") as database:
            await open_accounts(database)
        async with load(place) as running:
            for kills in range(1, 4):
                await running.until(kills * ENTRIES // 5)
                await durable.kill()
            # What was answered is not posted again: were one of them lost, it would be missing in the end.
            await running.finish()
        async with place.open("ledger") as database:
            await require_all_once(database)
