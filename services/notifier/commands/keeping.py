"""How long what tells of replays is kept."""

from datetime import datetime

from libs.common.db import Database
from services.notifier.store import replays

_FORGET_MAX = 5_000
"""Replays that one statement deletes at most, so that it never holds locks for long."""


async def forget_replays(database: Database, *, before: datetime) -> int:
    """Delete replays that ended before an instant; returns how many. Their keys may then be used for others."""
    forgotten = 0
    while True:
        async with database.connection() as connection:
            round_ = await replays.forget(connection, before=before, limit=_FORGET_MAX)
        forgotten += round_
        if round_ < _FORGET_MAX:
            return forgotten
