"""The notifier's schema: the migration makes what the models describe, and the runtime role takes no history away."""

import re

import asyncpg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.ext.asyncio import create_async_engine

from services.notifier.schema.tables import METADATA
from tests.support.databases import TestDatabase


async def test_the_migration_makes_what_the_models_describe(notifier_database: TestDatabase) -> None:
    url = notifier_database.url("notifier_owner").replace("postgresql://", "postgresql+asyncpg://", 1)
    engine = create_async_engine(url, connect_args={"server_settings": {"search_path": "notifier"}})

    def differences(connection: sa.Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        found = compare_metadata(context, METADATA)
        # Partitions are the migration's, and the version table is Alembic's own.
        return [
            d for d in found if "alembic_version" not in str(d) and not re.search(r"_(default|\d{4}_\d{2})\b", str(d))
        ]

    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_every_column_says_what_it_is(notifier_database: TestDatabase) -> None:
    connection = await asyncpg.connect(notifier_database.url("notifier_owner"))
    silent = await connection.fetch(
        "SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
        "WHERE c.relnamespace = 'notifier'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition "
        "AND c.relname <> 'alembic_version' "
        "AND a.attnum > 0 AND NOT a.attisdropped AND col_description(c.oid, a.attnum) IS NULL"
    )
    await connection.close()
    assert silent == []


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM notifier.attempts",
        "UPDATE notifier.attempts SET status_code = 200",
        "DELETE FROM notifier.deliveries",
        "UPDATE notifier.messages SET body = ''",
        "DELETE FROM notifier.messages",
        "DELETE FROM notifier.webhook_endpoints",
        "TRUNCATE notifier.attempts",
        "DROP TABLE notifier.attempts",
    ],
)
async def test_the_runtime_role_takes_no_history_away(notifier_database: TestDatabase, statement: str) -> None:
    connection = await asyncpg.connect(notifier_database.url("notifier_app"))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(statement)
    await connection.close()


@pytest.mark.parametrize(
    ("status", "next_attempt_at", "ended_at", "end_reason"),
    [
        ("PENDING", None, None, None),
        ("PENDING", "now()", "now()", None),
        ("DELIVERED", None, "now()", None),
        ("FAILED", "now()", "now()", "'exhausted'"),
        ("LOST", None, "now()", "'exhausted'"),
    ],
)
async def test_a_delivery_that_is_half_over_cannot_be_written(
    notifier_database: TestDatabase,
    status: str,
    next_attempt_at: str | None,
    ended_at: str | None,
    end_reason: str | None,
) -> None:
    connection = await asyncpg.connect(notifier_database.url("notifier_app"))
    with pytest.raises(asyncpg.CheckViolationError):
        await connection.execute(
            "INSERT INTO notifier.deliveries (tenant_id, endpoint_id, event_id, id, event_type, status, attempts, fence, "
            "created_at, next_attempt_at, ended_at, end_reason) VALUES ('t', gen_random_uuid(), gen_random_uuid(), "
            f"gen_random_uuid(), 'x', '{status}', 0, 0, now(), {next_attempt_at or 'NULL'}, {ended_at or 'NULL'}, "
            f"{end_reason or 'NULL'})"
        )
    await connection.close()
