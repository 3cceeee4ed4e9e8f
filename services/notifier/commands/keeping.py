"""How long history is kept."""

from libs.common.db import Database
from services.notifier.store import history


async def keep_history(database: Database, *, days: int) -> int:
    """Make the partitions of the coming month and drop those that are older; returns how many were dropped."""
    async with database.connection() as connection:
        return await history.keep(connection, days=days)
