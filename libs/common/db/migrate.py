"""Alembic for one service: its own schema, its own version table, run by the role that owns the schema.

A migration stalls nobody. Whoever waits for a lock on a table makes everybody wait who comes after, so it waits for two
seconds only, fails, and the migration is tried again a little later. Each migration is a transaction of its own, and an
index that is built beside its table's writers is outside of any (`autocommit_block`).
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import StringIO
from pathlib import Path
from typing import cast

import sqlalchemy as sa
from alembic import command, context, op
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.engine import AdaptedConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from libs.common.errors import Unavailable
from libs.common.settings import postgres_dsn

LOCK_SECONDS = 2.0
"""How long a migration waits for a lock on a table, and with it all who come after."""
TRIES_MAX = 20
"""How often a migration is tried that did not get its lock."""
PAUSE_SECONDS = 3.0
"""How long whoever was held up is let through before the next try."""
_TURN_SECONDS = 600.0
"""How long one deployment waits for another one that migrates the same schema."""
_TURN_POLL_SECONDS = 0.25
_LOCK_NOT_AVAILABLE = "55P03"
_UNDEFINED_OBJECT = "42704"
_REFUSED = ("28", "3D")
"""Classes of SQLSTATE: the role or its password is wrong, or there is no such database."""


def upgrade(
    *,
    service: str,
    url: str,
    revision: str = "head",
    lock_seconds: float = LOCK_SECONDS,
    tries_max: int = TRIES_MAX,
    pause_seconds: float = PAUSE_SECONDS,
    folder: Path | None = None,
) -> None:
    """Bring the schema of `service` to `revision`; running it again changes nothing, running it twice at once waits.

    The migrations are those of the service, or those in `folder`.

    Raises:
        Unavailable: when a lock could not be had in `tries_max` tries (what was done stays, and running it again goes on),
            when the database refuses or does not answer, lacks a role, or has a version that nobody here knows.
    """
    config = _config(service, folder)
    config.attributes["url"] = url
    config.attributes["lock_seconds"] = lock_seconds
    for number in range(1, tries_max + 1):
        try:
            command.upgrade(config, revision)
        except sa.exc.DBAPIError as fault:
            sqlstate = getattr(fault.orig, "sqlstate", None) or ""
            if sqlstate.startswith(_REFUSED):
                name = f"{service.upper()}_MIGRATION_DATABASE_URL"
                raise Unavailable(f"PostgreSQL refuses the address in {name}") from fault.orig
            if sqlstate == _UNDEFINED_OBJECT and 'role "' in str(fault.orig):
                raise Unavailable(
                    f"the schema of {service} needs a role that the database does not have; run deploy/postgres/bootstrap.sql "
                    "again as a superuser, and migrate again"
                ) from fault
            if sqlstate != _LOCK_NOT_AVAILABLE:
                raise
            if number == tries_max:
                raise Unavailable(
                    f"a table of {service} was locked by others in all of {tries_max} tries; end the long transactions "
                    "that pg_stat_activity shows, and migrate again"
                ) from fault
            time.sleep(pause_seconds)
        except CommandError as fault:
            raise Unavailable(
                f"the schema of {service} has a version that this checkout does not know; run the one that migrated it"
            ) from fault
        except OSError as fault:
            raise Unavailable("the database does not answer") from fault
        else:
            return


def statements(*, service: str, revisions: str) -> str:
    """Write the SQL of migrations instead of running it; `revisions` is one, or two with a colon between them."""
    config = _config(service)
    config.output_buffer = StringIO()
    command.upgrade(config, revisions, sql=True)
    return config.output_buffer.getvalue()


def run_script(file: Path) -> None:
    """Run a file of many statements, called from within a migration: in its transaction, sent as one text."""
    script = file.read_text()
    # Functions are made before the tables that they read.
    op.execute("SET LOCAL check_function_bodies = false")
    if context.is_offline_mode():
        op.execute(script)
        return
    connection = cast(AdaptedConnection, op.get_bind().connection.dbapi_connection)
    connection.run_async(lambda driver: driver.execute(script))


def _config(service: str, folder: Path | None = None) -> Config:
    config = Config()
    own = Path(__file__).parents[3] / "services" / service / "schema" / "migrations"
    config.set_main_option("script_location", str(folder or own))
    config.attributes["schema"] = service
    return config


def run_env(metadata: sa.MetaData) -> None:
    """The body of each service's `migrations/env.py`."""
    options = context.config.attributes
    if context.is_offline_mode():
        context.configure(
            dialect_name="postgresql", target_metadata=metadata, literal_binds=True, transaction_per_migration=True
        )
        with context.begin_transaction():
            context.run_migrations()
        return
    asyncio.run(
        _run(
            metadata,
            url=options["url"],
            schema=options["schema"],
            lock_seconds=options.get("lock_seconds", LOCK_SECONDS),
        )
    )


async def _run(metadata: sa.MetaData, *, url: str, schema: str, lock_seconds: float) -> None:
    dsn = postgres_dsn(url).replace("postgresql://", "postgresql+asyncpg://", 1)
    settings = {"search_path": schema, "lock_timeout": f"{int(lock_seconds * 1000)}ms"}
    engine = create_async_engine(dsn, connect_args={"server_settings": settings}, poolclass=NullPool)
    try:
        async with _turn(engine, schema), engine.connect() as connection:
            await connection.run_sync(_migrate, metadata, schema)
            await connection.commit()
    finally:
        await engine.dispose()


@asynccontextmanager
async def _turn(engine: AsyncEngine, schema: str) -> AsyncIterator[None]:
    """Let one deployment at a time migrate a schema; the second waits, then finds nothing to do.

    It asks again and again instead of waiting inside a statement: an index that is built beside its writers waits for all
    older transactions, that statement's too.
    """
    async with engine.connect() as guard:
        await guard.execution_options(isolation_level="AUTOCOMMIT")
        ask = sa.text("SELECT pg_try_advisory_lock(hashtext(:name))")
        deadline = time.monotonic() + _TURN_SECONDS
        while not await guard.scalar(ask, {"name": f"migrate {schema}"}):
            if time.monotonic() > deadline:
                raise Unavailable(f"another process has been migrating {schema} for {_TURN_SECONDS:.0f} s")
            await asyncio.sleep(_TURN_POLL_SECONDS)
        # The lock ends with this connection.
        yield


def _migrate(connection: sa.Connection, metadata: sa.MetaData, schema: str) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table_schema=schema,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
