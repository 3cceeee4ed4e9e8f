"""What the notifier does by the clock beside delivering: it goes on with replays, and keeps history for its time only."""

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.observability.logging import get_logger
from services.notifier import commands

log = get_logger("notifier.keeping")

REPLAY_EVERY_SECONDS = 1.0
"""How often replays are looked for."""
KEEP_EVERY_SECONDS = 3_600.0
"""How often partitions are made and dropped."""


class Replayer:
    """Goes on with replays; any number of processes may, one at each replay."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def run(self) -> None:
        """Schedule what replays ask for until nothing is left to schedule."""
        while await commands.advance_replays(self._database, clock=self._clock):
            continue


class Archivist:
    """Keeps messages, deliveries and attempts for as many days as the settings say, by month."""

    def __init__(self, *, database: Database, days: int) -> None:
        self._database = database
        self._days = days

    async def run(self) -> None:
        """Make the partitions of the coming month and drop those that are older."""
        dropped = await commands.keep_history(self._database, days=self._days)
        if dropped:
            log.info("history.dropped", partitions=dropped, days=self._days)
