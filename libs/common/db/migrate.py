"""Alembic for one service: its own schema, its own version table, run by the role that owns the schema."""

import asyncio
import time
from pathlib import Path

import sqlalchemy as sa
from alembic import command, context
from alembic.config import Config
from sqlalchemy.ext.asyncio import create_async_engine

from libs.common.errors import Unavailable
from libs.common.settings import postgres_dsn

_LOCK_SECONDS = 60
_TURN_SECONDS = 900
"""How long a second deployment waits for the first: an index over a large table takes minutes."""
_ASK_EVERY_SECONDS = 0.1


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


def _wait_for_turn(connection: sa.Connection, name: str) -> None:
    """Take a lock of this session that ends with it, asking again and again.

    Who waits inside the database keeps a snapshot, for which the building of an index by whoever has the lock would wait.
    """
    for _ in range(round(_TURN_SECONDS / _ASK_EVERY_SECONDS)):
        is_ours = connection.scalar(sa.text("SELECT pg_try_advisory_lock(hashtext(:name))"), {"name": name})
        connection.commit()
        if is_ours:
            return
        time.sleep(_ASK_EVERY_SECONDS)
    raise Unavailable(f"another process has been at {name} for {_TURN_SECONDS} seconds")


def _migrate(connection: sa.Connection, metadata: sa.MetaData, schema: str) -> None:
    # Two deployments at once must not both create the tables; the second waits here, then finds nothing to do.
    connection.execute(sa.text(f"SET lock_timeout = '{_LOCK_SECONDS}s'"))
    _wait_for_turn(connection, f"migrate {schema}")
    # Each migration is a transaction of its own, and may leave it to build an index while others write.
    context.configure(
        connection=connection, target_metadata=metadata, version_table_schema=schema, transaction_per_migration=True
    )
    with context.begin_transaction():
        context.run_migrations()
