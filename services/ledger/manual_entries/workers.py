"""What runs on a clock for manual entries: forgetting replies that were kept under their key for long."""

from libs.common.clock import Clock
from libs.common.db import Database
from services.ledger.manual_entries.sql import manual
from services.ledger.retention import forget_older

FORGET_EVERY_SECONDS = 3_600.0
"""How often replies are looked for that are old enough."""


class RequestArchivist:
    """Forgets the reply to a request so many days after it was given."""

    def __init__(self, database: Database, *, clock: Clock, kept_days: int) -> None:
        self._database = database
        self._clock = clock
        self._kept_days = kept_days

    async def run(self) -> None:
        """Forget those that are older."""
        await forget_older(self._database, manual.forget_requests, clock=self._clock, kept_days=self._kept_days)
