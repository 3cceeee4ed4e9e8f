"""Forgetting what is old and not the books themselves."""

from datetime import datetime
from enum import StrEnum

from libs.common.db import Connection


class Forgettable(StrEnum):
    """What may be forgotten by age."""

    REQUESTS = "journal_requests"
    """Answers to requests that posted entries by hand."""
    HOLDS = "holds"
    """Holds that are over."""


async def forget(connection: Connection, what: Forgettable, *, before: datetime, limit: int) -> int:
    """Delete the oldest rows from before an instant, none younger than 90 days; returns how many."""
    return int(await connection.fetchval(f"SELECT forget_{what.value}($1, $2)", before, limit))
