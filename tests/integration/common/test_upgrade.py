"""Migrations of a database that is in use: what was stored stays, and whoever works on it is not kept waiting."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from deploy.local.bootstrap import bootstrap
from deploy.local.errors import LocalFailure
from deploy.local.servers import Servers
from libs.common.db.migrate import upgrade
from libs.common.errors import Unavailable
from tests.support.databases import SERVICES, TestDatabase

ENV = """
import sqlalchemy as sa
from libs.common.db.migrate import run_env

run_env(sa.MetaData())
"""
MIGRATION = """
from alembic import op

revision, down_revision = {revision!r}, {before!r}


def upgrade():
    op.execute({sql!r})
"""


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


@pytest.mark.parametrize("service", SERVICES)
async def test_migrating_again_changes_nothing(bare: TestDatabase, service: str) -> None:
    url = bare.url(f"{service}_owner")
    await asyncio.to_thread(upgrade, service=service, url=url)
    owner = await asyncpg.connect(url, server_settings={"search_path": service})
    await owner.execute("INSERT INTO inbox VALUES ($1, 'q', now())", uuid4())
    before = await owner.fetch("SELECT * FROM inbox"), await owner.fetchval("SELECT version_num FROM alembic_version")
    await asyncio.to_thread(upgrade, service=service, url=url)
    assert before == (
        await owner.fetch("SELECT * FROM inbox"),
        await owner.fetchval("SELECT version_num FROM alembic_version"),
    )
    await owner.close()


@pytest.mark.parametrize("service", SERVICES)
async def test_schema_of_an_unknown_version_is_refused_untouched(bare: TestDatabase, service: str) -> None:
    url = bare.url(f"{service}_owner")
    await asyncio.to_thread(upgrade, service=service, url=url)
    owner = await asyncpg.connect(url, server_settings={"search_path": service})
    await owner.execute("UPDATE alembic_version SET version_num = '0001'")
    with pytest.raises(Unavailable, match=f"the schema of {service} has a version that this checkout does not know"):
        await asyncio.to_thread(upgrade, service=service, url=url)
    assert await owner.fetchval("SELECT version_num FROM alembic_version") == "0001"
    await owner.close()


async def test_migration_that_waits_for_a_lock_lets_others_pass_and_goes_on(bare: TestDatabase, tmp_path: Path) -> None:
    versions = tmp_path / "versions"
    versions.mkdir()
    (tmp_path / "env.py").write_text(ENV)
    (versions / "0001.py").write_text(
        MIGRATION.format(revision="0001", before=None, sql="CREATE TABLE notes (id uuid)")
    )
    url = bare.url("api_owner")
    await asyncio.to_thread(upgrade, service="api", url=url, folder=tmp_path)
    (versions / "0002.py").write_text(
        MIGRATION.format(revision="0002", before="0001", sql="ALTER TABLE notes ADD COLUMN text text")
    )
    reader, payment = await asyncpg.connect(bare.admin_url), await asyncpg.connect(bare.admin_url)

    def migrate() -> None:
        upgrade(service="api", url=url, folder=tmp_path, lock_seconds=0.2, tries_max=3, pause_seconds=0.05)

    async with reader.transaction():
        # A report that reads the table for hours.
        await reader.fetch("SELECT FROM api.notes")
        migrating = asyncio.create_task(asyncio.to_thread(migrate))
        while not await payment.fetchval(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation::regclass::text LIKE '%notes')"
        ):
            await asyncio.sleep(0.01)
        await payment.execute("INSERT INTO api.notes VALUES ($1)", uuid4(), timeout=5)
        with pytest.raises(Unavailable, match="locked by others in all of 3 tries"):
            await migrating
    await asyncio.to_thread(migrate)
    assert await payment.fetchval("SELECT count(*) FROM api.notes WHERE text IS NULL") == 1
    await reader.close()
    await payment.close()


async def test_missing_role_is_stated_with_what_makes_it(bare: TestDatabase, tmp_path: Path) -> None:
    (tmp_path / "versions").mkdir()
    (tmp_path / "env.py").write_text(ENV)
    sql = "GRANT USAGE ON SCHEMA api TO role_of_a_newer_bootstrap"
    (tmp_path / "versions" / "0001.py").write_text(MIGRATION.format(revision="0001", before=None, sql=sql))
    with pytest.raises(Unavailable, match=r"needs a role that the database does not have; run .*bootstrap\.sql"):
        await asyncio.to_thread(upgrade, service="api", url=bare.url("api_owner"), folder=tmp_path)


async def test_database_of_one_service_is_closed_to_the_others(servers: Servers) -> None:
    name = f"test_upgrade_{uuid4().hex[:12]}"
    database = TestDatabase(servers, name)
    try:
        for _ in range(2):
            await bootstrap(servers.postgres_url, name, only="ledger")
        await asyncio.to_thread(upgrade, service="ledger", url=database.url("ledger_owner"))
        serving = await asyncpg.connect(database.url("ledger_app"))
        assert await serving.fetchval("SELECT count(*) FROM ledger.inbox") == 0
        schemas = await serving.fetch("SELECT nspname FROM pg_namespace WHERE nspname = ANY ($1)", list(SERVICES))
        assert [row["nspname"] for row in schemas] == ["ledger"]
        await serving.close()
        for role in ("api_app", "notifier_owner"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await asyncpg.connect(database.url(role))
        # Tables of another service are never removed.
        with pytest.raises(LocalFailure, match="other objects depend on"):
            await bootstrap(servers.postgres_url, name, only="api")
    finally:
        admin = await asyncpg.connect(servers.postgres_url)
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await admin.close()
