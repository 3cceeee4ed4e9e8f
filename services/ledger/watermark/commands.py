"""Moving the watermark forward, whenever somebody reads up to an instant that is over."""

import asyncio
from datetime import UTC, datetime, timedelta

from libs.common.clock import Clock
from libs.common.db import Database, DatabaseReadOnly
from libs.common.db.tenancy import across_tenants
from services.ledger.posting import earlier_groups_ended
from services.ledger.watermark import sql

LAG = timedelta(milliseconds=500)
"""How far behind the clock the watermark stays: a group is recorded with the instant at which it was decided, and is written
well within this. One that is not is decided again."""


class Watermark:
    """How far the order of record is final, as one ledger process moves it.

    `posted_at` is chosen before the commit, so of two entries the later one can be read first. Here an instant is announced
    before which no group may be recorded that begins from now on; once those that began before have ended, all that was
    recorded before that instant can be read, and it stays so. Nobody who posts waits for it.
    """

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._moving = asyncio.Lock()
        self._moves = 0
        """How many have begun."""
        self._reached = datetime.min.replace(tzinfo=UTC)
        """How far the last one came."""

    async def advance(self, until: datetime | None = None) -> datetime:
        """Move it up to an instant, or as far as it can be; returns where it is.

        An instant is over `LAG` after it, by the clock of the database as well. While a group hangs that began before, or the
        database takes no writes, the watermark stays behind what was requested.
        """
        latest = self._clock.now() - LAG
        requested = latest if until is None else min(until, latest)
        async with self._database.connection() as connection:
            final_before = await sql.final_before(connection)
        if final_before >= requested:
            return final_before
        moves = self._moves
        try:
            async with self._moving:
                if self._moves == moves:
                    self._moves += 1
                    # It is of all tenants, whoever reads.
                    with across_tenants():
                        self._reached = await self._move(self._clock.now() - LAG)
                # Else one that began meanwhile went as far as it could, and to wait for the same group again is in vain.
                return max(final_before, self._reached)
        except DatabaseReadOnly:
            # Reads go on, as far as the order of record was final before.
            return final_before

    async def _move(self, requested: datetime) -> datetime:
        async with self._database.connection() as connection:
            final_before = await sql.final_before(connection)
            if final_before >= requested:
                return final_before
            refused_before = await sql.announce(connection, requested, lag=LAG)
            # It is committed, so a group that begins after this look sees it.
            if not await earlier_groups_ended(connection):
                return final_before
            return await sql.reach(connection, refused_before)
