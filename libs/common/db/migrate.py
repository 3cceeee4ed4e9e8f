"""Alembic for one service: its own schema, its own version table, run by the role that owns the schema."""

import asyncio
from pathlib import Path

import sqlalchemy as sa
from alembic import command, context
from alembic.config import Config
from sqlalchemy.ext.asyncio import create_async_engine

from libs.common.settings import postgres_dsn

_LOCK_SECONDS = 60


def upgrade(*, service: str, url: str, revision: str = "head") -> None:
    """Bring the schema of `service` to `revision`; running it again changes nothing, running it twice at once waits."""
    config = Config()
    folder = Path(__file__).parents[3] / "services" / service / "migrations"
    config.set_main_option("script_location", str(folder))
    config.attributes["url"] = url
    config.attributes["schema"] = service
    command.upgrade(config, revision)


def run_env(metadata: sa.MetaData) -> None:
    """The body of each service's `migrations/env.py`."""
    options = context.config.attributes
    asyncio.run(_run(metadata, url=options["url"], schema=options["schema"]))


async def _run(metadata: sa.MetaData, *, url: str, schema: str) -> None:
    dsn = postgres_dsn(url).replace("postgresql://", "postgresql+asyncpg://", 1)
    engine = create_async_engine(dsn, connect_args={"server_settings": {"search_path": schema}})
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_migrate, metadata, schema)
            await connection.commit()
    finally:
        await engine.dispose()


def _migrate(connection: sa.Connection, metadata: sa.MetaData, schema: str) -> None:
    # Two deployments at once must not both create the tables; the second waits here, then finds nothing to do.
    connection.execute(sa.text(f"SET lock_timeout = '{_LOCK_SECONDS}s'"))
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": f"migrate {schema}"})
    context.configure(connection=connection, target_metadata=metadata, version_table_schema=schema)
    with context.begin_transaction():
        context.run_migrations()
