"""Deleting by age what is not the books themselves, a part at a time."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from libs.common.clock import Clock
from libs.common.db import Connection, Database

FORGET_MAX = 5_000
"""Rows that one statement deletes at most, so that it never holds locks for long."""

type Forget = Callable[[Connection, datetime, int], Awaitable[int]]
"""Deletes the oldest rows from before an instant, at most so many; returns how many."""


async def forget_older(database: Database, forget: Forget, *, clock: Clock, kept_days: int) -> None:
    """Delete everything that is older than `kept_days`."""
    before = clock.now() - timedelta(days=kept_days)
    while True:
        async with database.connection() as connection:
            if await forget(connection, before, FORGET_MAX) < FORGET_MAX:
                return
