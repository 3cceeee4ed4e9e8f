"""What stands in each service's `schema` folder is what its migrations make: functions, triggers, and every constraint."""

from collections.abc import AsyncIterator
from importlib import import_module

import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from deploy.local.servers import Servers
from tests.support.databases import SERVICES, TestDatabase, fresh_database
from tests.support.functions import folder, written

_CONSTRAINTS = """
SELECT c.conrelid::regclass::text AS table_name, c.contype::text AS kind, c.conname AS name,
       pg_get_constraintdef(c.oid) AS text
  FROM pg_constraint AS c JOIN pg_class AS t ON t.oid = c.conrelid
 WHERE c.connamespace = $1::text::regnamespace AND c.contype IN ('c', 'u', 'p', 'f') AND NOT t.relispartition
   AND t.relname <> 'alembic_version'
"""


@pytest.fixture(scope="module")
async def migrated(servers: Servers) -> AsyncIterator[TestDatabase]:
    async with fresh_database(servers) as database:
        yield database


@pytest.mark.parametrize("service", SERVICES)
async def test_function_files_match_the_database(migrated: TestDatabase, service: str) -> None:
    connection = await asyncpg.connect(migrated.admin_url)
    try:
        expected = await written(connection, service)
    finally:
        await connection.close()
    files = {file.name: file.read_text() for file in folder(service).glob("*.sql")}
    different = sorted(name for name in files.keys() | expected.keys() if files.get(name) != expected.get(name))
    assert different == [], "run `just docs` and commit the result"


@pytest.mark.parametrize("service", SERVICES)
async def test_tables_have_the_constraints_that_the_migrations_make(migrated: TestDatabase, service: str) -> None:
    """The tables of `tables.py` are made in a schema of their own and compared constraint by constraint."""
    metadata: sa.MetaData = import_module(f"services.{service}.schema.tables").METADATA
    model = f"{service}_model"
    engine = create_async_engine(
        migrated.admin_url.replace("postgresql://", "postgresql+asyncpg://", 1),
        connect_args={"server_settings": {"search_path": f"{model}, {service}"}},
    )
    async with engine.begin() as connection:
        await connection.execute(sa.text(f"CREATE SCHEMA {model}"))
        # `checkfirst` would take the migrated tables for these.
        await connection.run_sync(metadata.create_all, checkfirst=False)
    await engine.dispose()
    reader = await asyncpg.connect(migrated.admin_url)
    try:
        described, made = [
            {
                tuple(value.replace(f"{schema}.", "") for value in row.values())
                for row in await reader.fetch(_CONSTRAINTS, schema)
            }
            for schema in (model, service)
        ]
    finally:
        await reader.close()
    assert made
    assert sorted(described - made) == sorted(made - described) == []
