"""The api's schema: the migration makes what the tables are, and the runtime role may do no more than it needs."""

import re

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from services.api.app import build
from services.api.schema.tables import METADATA
from services.api.settings import Settings
from tests.support.databases import TestDatabase


async def test_the_migration_makes_exactly_the_models(api_database: TestDatabase) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        # Partitions are the migration's, and the version table is Alembic's own.
        return [d for d in compare_metadata(context, METADATA) if not re.search(r"alembic_version|_default\b", str(d))]

    engine = create_async_engine(api_database.url("api_owner").replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.connect() as connection:
        await connection.execute(text("SET search_path = api"))
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_every_column_is_explained(api_database: TestDatabase) -> None:
    admin = await asyncpg.connect(api_database.admin_url)
    silent = await admin.fetch(
        "SELECT r.relname, a.attname FROM pg_class r JOIN pg_attribute a ON a.attrelid = r.oid "
        "WHERE r.relnamespace = 'api'::regnamespace AND r.relkind IN ('r', 'p') AND NOT r.relispartition "
        "AND r.relname <> 'alembic_version' "
        "AND a.attnum > 0 AND NOT a.attisdropped AND col_description(r.oid, a.attnum) IS NULL"
    )
    await admin.close()
    assert silent == []


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM payment_intents",
        "DELETE FROM tenants",
        "UPDATE audit_log SET actor = 'nobody'",
        "DELETE FROM audit_log",
        "TRUNCATE outbox",
        "DROP TABLE inbox",
        "CREATE TABLE mine (id int)",
    ],
)
async def test_the_runtime_role_may_not(api_database: TestDatabase, statement: str) -> None:
    app = await asyncpg.connect(api_database.url("api_app"))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await app.execute(statement)
    await app.close()


def test_each_message_of_the_api_has_a_consumer() -> None:
    build(Settings()).bus.check_complete()
