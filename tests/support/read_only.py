"""A database that takes no writes of one role, as after a switchover."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from tests.support.databases import TestDatabase


@asynccontextmanager
async def read_only(database: TestDatabase, role: str) -> AsyncIterator[None]:
    """Take writing from a role, and its connections from it."""
    admin = await asyncpg.connect(database.admin_url)
    setting = f'ALTER ROLE {role} IN DATABASE "{database.name}"'
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND usename = $2"
    try:
        await admin.execute(f"{setting} SET default_transaction_read_only = on")
        await admin.execute(end, database.name, role)
        yield
    finally:
        await admin.execute(f"{setting} RESET default_transaction_read_only")
        await admin.execute(end, database.name, role)
        await admin.close()
