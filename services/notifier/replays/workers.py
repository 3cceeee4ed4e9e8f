"""What runs on a clock for replays: going on with those that run, and forgetting those that ended long ago."""

from datetime import timedelta
from functools import partial

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.observability.logging import get_logger
from libs.common.service import Worker
from services.notifier.replays import commands

log = get_logger("notifier.replays")

_REPLAY_EVERY_SECONDS = 1.0
"""How often replays are looked for."""
_FORGET_EVERY_SECONDS = 3_600.0
"""How often replays are looked for that ended long ago."""


def replay_workers(database: Database, *, clock: Clock, kept_days: int) -> list[Worker]:
    """List what is done about replays on our own clock."""
    archivist = Archivist(database=database, clock=clock, days=kept_days)
    return [
        Worker(name="replayer", every_seconds=_REPLAY_EVERY_SECONDS, run=partial(_advance, database, clock)),
        Worker(name="archivist", every_seconds=_FORGET_EVERY_SECONDS, run=archivist.run),
    ]


async def _advance(database: Database, clock: Clock) -> None:
    """Schedule what replays ask for until nothing is left to schedule; any number of processes may, one at each replay."""
    while await commands.advance_replays(database, clock=clock):
        continue


class Archivist:
    """Keeps replays for as many days as the history of deliveries."""

    def __init__(self, *, database: Database, clock: Clock, days: int) -> None:
        self._database = database
        self._clock = clock
        self._days = days

    async def run(self) -> None:
        """Forget replays that ended longer ago."""
        before = self._clock.now() - timedelta(days=self._days)
        forgotten = await commands.forget_replays(self._database, before=before)
        if forgotten:
            log.info("replays.forgotten", replays=forgotten, days=self._days)
