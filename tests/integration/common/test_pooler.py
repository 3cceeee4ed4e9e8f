"""Behind PgBouncer in transaction mode, where each transaction may meet another server process."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import msgspec
import pytest

from deploy.local import packages
from deploy.local.errors import LocalFailure
from deploy.local.native.postgres import database_user
from deploy.local.processes import which
from libs.common.db import Database, DatabaseUnavailable
from libs.common.ids import new_id
from libs.common.messaging import inbox
from tests.support.databases import TestDatabase
from tests.support.ports import free_port

_SERVERS = 3
"""Server processes that PgBouncer shares out: fewer than our connections, so that they change hands."""


def _program() -> str:
    """Return where PgBouncer is; it is installed first where we may."""
    found = which("pgbouncer", "/usr/sbin")
    if not found:
        try:
            packages.install(["pgbouncer"], report=print)
        except LocalFailure as failed:
            pytest.skip(str(failed))
    return found or which("pgbouncer", "/usr/sbin")


@pytest.fixture(scope="module")
async def pooler_url(ledger_database: TestDatabase, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The address of the ledger's database by way of PgBouncer."""
    server = urlsplit(ledger_database.admin_url)
    port = free_port()
    folder = Path(tmp_path_factory.mktemp("pooler"))
    users = '"ledger_app" "ledger_app"\n'
    settings = f"""
[databases]
* = host={server.hostname} port={server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = plain
auth_file = {folder}/users.txt
pool_mode = transaction
default_pool_size = {_SERVERS}
max_client_conn = 100
"""
    (folder / "pgbouncer.ini").write_text(settings)
    (folder / "users.txt").write_text(users)
    # Its user must be able to enter what pytest made for us alone.
    for path in (folder, *folder.parents[:2]):
        path.chmod(0o755)
    user = database_user()
    process = await asyncio.create_subprocess_exec(
        _program(), "-q", *(["-u", user] if user else []), str(folder / "pgbouncer.ini")
    )
    url = ledger_database.url("ledger_app").replace(f":{server.port}/", f":{port}/")
    try:
        async with asyncio.timeout(60):
            while not await _answers(url):
                await asyncio.sleep(0.02)
        yield url
    finally:
        process.terminate()
        await process.wait()


async def _answers(url: str) -> bool:
    try:
        connection = await asyncpg.connect(url, timeout=2)
    except OSError:
        return False
    await connection.close()
    return True


@pytest.fixture
async def database(ledger_database: TestDatabase, pooler_url: str) -> AsyncIterator[Database]:
    settings = msgspec.structs.replace(
        ledger_database.settings("ledger"), database_url=pooler_url, database_transaction_pooling=True
    )
    opened = Database(settings, schema="ledger", application_name="pooled")
    await opened.open()
    yield opened
    await opened.close()


async def test_statements_of_many_connections_share_few_server_processes(database: Database) -> None:
    async def work(number: int) -> set[int]:
        backends = set()
        for step in range(5):
            row = await database.fetchrow(
                "SELECT $1::int + $2::int AS sum, pg_backend_pid() AS pid, current_schema() AS schema", number, step
            )
            assert row is not None
            assert row["sum"] == number + step
            assert row["schema"] == "ledger"
            backends.add(row["pid"])
            await database.fetch("SELECT code, account_type FROM accounts WHERE tenant_id = $1", f"t{number}")
        return backends

    met = await asyncio.gather(*(work(number) for number in range(10)))
    assert 1 < len(set().union(*met)) <= _SERVERS


async def test_transaction_stays_in_one_server_process(database: Database) -> None:
    async def work(number: int) -> None:
        events = [(f"t{number}", new_id()) for _ in range(3)]
        async with database.transaction() as tx:
            first = await tx.fetchval("SELECT pg_backend_pid()")
            assert await inbox.mark(tx, f"q{number}", events) == set(events)
            await asyncio.sleep(0)
            assert await inbox.mark(tx, f"q{number}", events) == set()
            assert await tx.fetchval("SELECT pg_backend_pid()") == first

    await asyncio.gather(*(work(number) for number in range(8)))


async def test_rows_of_composite_types_can_be_sent(database: Database) -> None:
    async with database.connection() as connection:
        names = await connection.fetch(
            "SELECT t.typname FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid "
            "WHERE t.typnamespace = current_schema()::regnamespace AND c.relkind = 'c'"
        )
    assert names


async def test_without_the_setting_the_cause_is_named(
    ledger_database: TestDatabase, pooler_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = msgspec.structs.replace(ledger_database.settings("ledger"), database_url=pooler_url)
    opened = Database(settings, schema="ledger", application_name="not pooled")
    await opened.open()
    try:
        with pytest.raises(DatabaseUnavailable) as refused:
            await opened.state()
        assert "search_path" in str(refused.value.__cause__)
        assert "search_path" in capsys.readouterr().out
    finally:
        await opened.close()
