"""The time of the database: one clock for all processes that write into it, however wrong those of their machines are."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from time import monotonic

from libs.common.db.database import Database
from libs.common.errors import PlatformError, Unavailable

READ_EVERY_SECONDS = 5.0
"""How often the database's clock is read."""

_ROUND_TRIP_MAX_SECONDS = 0.5
"""A reading that took longer is too uncertain where there is a better one."""
_AGE_MAX_SECONDS = 60.0
"""One that is older than this is no better: the count stands still while a machine is paused."""


class DatabaseClock:
    """The database's clock, as it was read last, and what has passed since by a count that nobody turns.

    The machine's own time of day is never used: a machine whose clock is a year ahead records nothing a year ahead.
    """

    def __init__(self, database: Database, *, count: Callable[[], float] = monotonic) -> None:
        self._database = database
        self._count = count
        self._read: tuple[datetime, float] | None = None

    def now(self) -> datetime:
        """Return the present instant.

        Raises:
            Unavailable: when the database's clock was not read yet.
        """
        if self._read is None:
            raise Unavailable("the database's clock is not known yet")
        instant, at = self._read
        return instant + timedelta(seconds=self._count() - at)

    async def read(self) -> None:
        """Read the database's clock.

        Raises:
            DatabaseUnavailable: when it does not answer.
        """
        async with self._database.connection() as connection:
            begun = self._count()
            instant: datetime = await connection.fetchval("SELECT clock_timestamp()")
            ended = self._count()
        is_good = ended - begun <= _ROUND_TRIP_MAX_SECONDS
        if is_good or self._read is None or begun - self._read[1] > _AGE_MAX_SECONDS:
            self._read = instant, (begun + ended) / 2

    async def keep(self) -> None:
        """Read it again and again."""
        while True:
            await self.read()
            await asyncio.sleep(READ_EVERY_SECONDS)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Read it before anything else is done, if the database answers by then."""
        with suppress(PlatformError):
            await self.read()
        yield
