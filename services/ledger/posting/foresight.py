"""Groups that are decided by remembered balances, and written by one statement that finds them right or refuses them."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import asyncpg

from libs.common.clock import Clock
from libs.common.db import Connection, Database
from services.ledger import metrics
from services.ledger.posting.cache import BalanceCache, Flight, Recalled, landed
from services.ledger.posting.domain.decision import Decision, decide
from services.ledger.posting.domain.instructions import Booking, Held, Instruction, Outcome
from services.ledger.posting.group import balances_of, prepare
from services.ledger.posting.sql import groups


class _OvertakenError(asyncpg.SerializationError):
    """The group that this one goes on from was not written."""


class ForeseenGroup:
    """A group that is right if the books stand as they are remembered.

    What it leaves is remembered from now on, so that the next group is decided while this one is on its way. So it must be
    written, and without delay.
    """

    def __init__(
        self, instructions: Sequence[Instruction], decision: Decision, recalled: Recalled, cache: BalanceCache
    ) -> None:
        self._size = len(instructions)
        self._decision = decision
        self._flights = recalled.flights
        self._cache = cache
        self._prepared = prepare(instructions, decision, before=recalled.balances)
        # Last: a group that cannot even be laid out is never on its way, and nobody may wait for it.
        self._flight = Flight()
        cache.remember(decision.balances, self._flight)

    async def write(self, tx: Connection) -> list[Outcome | Held]:
        """Write it inside the caller's transaction; returns one answer per instruction.

        Raises:
            asyncpg.SerializationError: the books stand differently, and nothing was written.
        """
        with self._on_its_way():
            return await self._write(tx)

    async def write_in_turn(self, database: Database) -> list[Outcome | Held]:
        """Write it as a transaction of its own, after the groups that it goes on from.

        Raises:
            asyncpg.SerializationError: as `write`.
            DatabaseUnavailable: when the database does not answer.
        """
        with self._on_its_way():
            await landed(self._flights)
            if any(flight.is_lost for flight in self._flights):
                raise _OvertakenError("a group that this one goes on from was not written")
            async with database.statement() as connection:
                return await self._write(connection)

    async def _write(self, connection: Connection) -> list[Outcome | Held]:
        begun = time.perf_counter()
        await groups.post_group(connection, self._prepared)
        metrics.observe_group("remembered", self._size, seconds=time.perf_counter() - begun)
        return self._decision.outcomes

    @contextmanager
    def _on_its_way(self) -> Iterator[None]:
        try:
            yield
        except BaseException as fault:
            self._cache.forget(self._decision.balances)
            self._flight.land(is_lost=True)
            if isinstance(fault, asyncpg.SerializationError):
                metrics.GROUPS.labels("mistaken").inc()
                if not isinstance(fault, _OvertakenError):
                    self._cache.was_wrong()
            raise
        self._flight.land(is_lost=False)
        self._cache.was_right()


def foresee(
    instructions: Sequence[Instruction], *, clock: Clock, cache: BalanceCache, may_wait: bool
) -> ForeseenGroup | None:
    """Decide a group by what `cache` remembers, if that is enough to decide it; None if it is not.

    It is enough for new entries on remembered balances. Whatever else there is to say (that an entry is refused, stands
    already, or captures a hold) is only said of books that are locked. Who holds locks may not wait for a group that is
    on its way: it waits in the database, which sees when two wait for each other.
    """
    bookings = [one for one in instructions if isinstance(one, Booking) and one.captures is None]
    if len(bookings) < len(instructions):
        return None
    recalled = cache.recall(balances_of(bookings))
    if recalled is None or (recalled.flights and not may_wait):
        return None
    decision = decide(instructions, balances=recalled.balances, standing={}, now=clock.now())
    if len(decision.posted) < len(instructions):
        return None
    return ForeseenGroup(instructions, decision, recalled, cache)
