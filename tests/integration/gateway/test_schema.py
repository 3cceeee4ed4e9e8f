"""The gateway's schema: the migration makes what the models describe, and the runtime role may do no more than it needs."""

import re

import asyncpg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.ext.asyncio import create_async_engine

from services.gateway.schema.tables import METADATA
from tests.support.databases import TestDatabase

_ELSEWHERE = re.compile(r"alembic_version|_default\b")
"""The version table is Alembic's own, and partitions are the migration's."""


async def test_the_migration_makes_what_the_models_describe(gateway_database: TestDatabase) -> None:
    url = gateway_database.url("gateway_owner").replace("postgresql://", "postgresql+asyncpg://", 1)
    engine = create_async_engine(url, connect_args={"server_settings": {"search_path": "gateway"}})

    def differences(connection: sa.Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        found = compare_metadata(context, METADATA)
        # The version table is Alembic's own, and what a table is for stands in the migration only.
        return [d for d in found if not _ELSEWHERE.search(str(d)) and d[0] != "remove_table_comment"]

    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_every_column_has_a_comment(gateway_database: TestDatabase) -> None:
    connection = await asyncpg.connect(gateway_database.url("gateway_owner"))
    silent = await connection.fetch(
        "SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
        "WHERE c.relnamespace = 'gateway'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition "
        "AND c.relname <> 'alembic_version' "
        "AND a.attnum > 0 AND NOT a.attisdropped AND col_description(c.oid, a.attnum) IS NULL"
    )
    await connection.close()
    assert silent == []


async def test_the_runtime_role_cannot_forget_an_attempt(gateway_database: TestDatabase) -> None:
    connection = await asyncpg.connect(gateway_database.url("gateway_app"))
    for statement in ("DELETE FROM gateway.attempts", "TRUNCATE gateway.attempts", "DROP TABLE gateway.attempts"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    await connection.close()
