"""What runs on a clock for holds: letting those go whose time is over, and forgetting those that ended long ago."""

from libs.common.clock import Clock
from libs.common.db import Database
from services.ledger import metrics
from services.ledger.holds import sql
from services.ledger.holds.commands import EXPIRIES_MAX, HoldCommands
from services.ledger.retention import forget_older

EXPIRE_EVERY_SECONDS = 0.5
"""A hold is let go at most about this much after its time; what has expired cannot be captured in any case."""
FORGET_EVERY_SECONDS = 3_600.0
"""How often holds are looked for that ended long ago."""


class Expirer:
    """Lets holds go whose time is over."""

    def __init__(self, holds: HoldCommands) -> None:
        self._holds = holds

    async def run(self) -> None:
        """Let all of them go."""
        while True:
            due = await self._holds.expire()
            metrics.HOLDS_EXPIRED.inc(due)
            if due < EXPIRIES_MAX:
                return


class HoldArchivist:
    """Forgets holds so many days after they ended."""

    def __init__(self, database: Database, *, clock: Clock, kept_days: int) -> None:
        self._database = database
        self._clock = clock
        self._kept_days = kept_days

    async def run(self) -> None:
        """Forget those that ended longer ago."""
        await forget_older(self._database, sql.forget_holds, clock=self._clock, kept_days=self._kept_days)
