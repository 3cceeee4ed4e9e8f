"""Telling an event that the database refuses from a database that is away: the first is postponed, the second waited for.

A statement that always runs into its timeout, never gets its lock, or makes the server report an internal error fails as
in an outage. Waiting for the end of that would hold up its neighbours for ever. So the database is suspected first, and
the event only with evidence: it has failed several times, the inbox takes a write meanwhile, and other events of the queue
have passed since (or there are too few others to tell). Where everything fails, it is an outage.
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
"""So many events that fail while none passes are an outage; fewer may be all the events that there are."""
_PROBE_SECONDS = 2.0


class Watch:
    """What is known about the database from one queue: how much has passed, and what fails at the moment."""

    def __init__(self, database: Database, *, queue: str) -> None:
        self._database = database
        self._queue = queue
        self.handled = 0
        """Events that have taken effect since the start of this process."""
        self.failing: set[Patience] = set()

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

    async def blames(self, count: int) -> bool:
        """Whether there is evidence against an event that failed alone, one of `count`, and not against the database."""
        return (self._watch.handled > self._handled or count < FEW) and await self._watch.takes_writes()

    async def blames_lone(self, fault: BaseException) -> bool:
        """The same for an event that is handled beside others, each on its own, after one more failure of it."""
        self._watch.failing.add(self)
        return await self.is_over(fault) and await self.blames(len(self._watch.failing))

    def end(self) -> None:
        """Forget the event: it has passed, or it is postponed."""
        self._watch.failing.discard(self)


def refusal(fault: StatementUnfinished) -> Unavailable:
    """Say that the database refuses one event while it takes others."""
    cause = outages.cause_of(fault.__cause__ or fault)
    return Unavailable(f"the database takes other events and fails on this one: {cause}", code="database_refuses_event")
