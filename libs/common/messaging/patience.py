"""Telling an event that the database refuses from a database that is away: the first is postponed, the second waited for.

A statement that always runs into its timeout, never gets its lock, or makes the server report an internal error fails as
in an outage. Waiting for the end of that would hold up its neighbours for ever. So the database is suspected first, and
the event only with evidence: it has failed several times, the inbox takes a write meanwhile, and other events of the queue
have passed since. Where everything fails, it is an outage, and an event that is alone waits in place for another: nobody is
behind it, and a table may be locked for hours.
"""

import asyncio

from libs.common import outages
from libs.common.db import Database
from libs.common.db.connections import StatementUnfinished
from libs.common.errors import Unavailable
from libs.common.messaging import inbox

FAILURES_MAX = 3
"""Failures of a set before its events are tried one by one; one is enough where an event has been postponed before."""
FEW = 3
"""After so many events that fail while none passes, the rest is not tried: it seems to be an outage."""
_PROBE_SECONDS = 2.0


class Watch:
    """What is known about the database from one queue: how much has passed."""

    def __init__(self, database: Database, *, queue: str) -> None:
        self._database = database
        self._queue = queue
        self.handled = 0
        """Events that have taken effect since the start of this process."""

    async def takes_writes(self) -> bool:
        """Whether the inbox takes a write, in time."""
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                await inbox.try_out(self._database, self._queue)
        except Exception as fault:
            if not outages.is_outage(fault):
                raise
            return False
        return True


class Patience:
    """How long one event, or one set of them, is waited for before the events themselves are suspected."""

    def __init__(self, watch: Watch, *, attempt: int) -> None:
        self._watch = watch
        self._handled = watch.handled
        self._failures_max = 1 if attempt else FAILURES_MAX
        self._failures = 0

    async def is_over(self, fault: BaseException) -> bool:
        """Count one more failure; returns whether the set has failed so often that its events are tried one by one."""
        if not isinstance(fault, StatementUnfinished):
            self._failures = 0
            return False
        self._failures += 1
        return self._failures >= self._failures_max and await self._watch.takes_writes()

    async def blames(self) -> bool:
        """Whether there is evidence against an event that failed alone, and not against the database."""
        return self._watch.handled > self._handled and await self._watch.takes_writes()

    async def blames_lone(self, fault: BaseException) -> bool:
        """The same for an event that is handled beside others, each on its own, after one more failure of it."""
        return await self.is_over(fault) and self._watch.handled > self._handled


class DatabaseRefusesEvent(Unavailable):
    """The database takes other events and fails on this one."""

    code = "database_refuses_event"


def refusal(fault: StatementUnfinished) -> DatabaseRefusesEvent:
    """Say that the database refuses one event while it takes others."""
    cause = outages.cause_of(fault.__cause__ or fault)
    return DatabaseRefusesEvent(f"the database takes other events and fails on this one: {cause}")
