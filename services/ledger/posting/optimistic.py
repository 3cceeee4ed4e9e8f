"""The optimistic strategy: decide a group by remembered balances, and write it by one statement that checks them.

The database refuses the statement where the books differ from what was remembered. It is enough for new entries on
remembered balances; whatever else there is (an entry that is refused, exists already, captures a hold, or that a person
posts alone) is decided on locked balances.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import asyncpg

from libs.common.clock import Clock
from libs.common.db import Connection, Database
from libs.common.observability import tracing
from services.ledger import metrics
from services.ledger.posting.cache import BalanceCache, PendingWrite, Recalled, wait_for
from services.ledger.posting.counting import record_group
from services.ledger.posting.domain.decision import Decision, decide
from services.ledger.posting.domain.instructions import Booking, Held, Instruction, Outcome, is_of_one_person
from services.ledger.posting.domain.needs import Needs, balances_of
from services.ledger.posting.locked import GROUP_MAX, lock_and_write, outcomes_of, post_locked
from services.ledger.posting.publications import encoded
from services.ledger.posting.sql import groups


async def post_optimistically(
    tx: Connection, bookings: Sequence[Booking], *, clock: Clock, cache: BalanceCache
) -> list[Outcome]:
    """Post entries inside the caller's transaction, in one round trip where `cache` remembers their balances.

    Where it does not, they are posted on locked balances and remembered. Returns one outcome per booking, in their order.
    The caller commits what was posted, and runs its transaction again where it is refused.

    Raises:
        asyncpg.SerializationError: as `post_locked`, or `cache` was wrong.
    """
    if not bookings:
        return []
    if len(bookings) > GROUP_MAX:
        return await post_locked(tx, bookings, clock=clock, cache=cache)
    recalled = recall(bookings, cache=cache)
    # Whoever holds locks waits in the database, which sees a circle, and not for a group of its own process.
    if recalled is not None and not recalled.pending:
        group = decide_optimistically(bookings, recalled, clock=clock, cache=cache)
        if group is not None:
            return outcomes_of(await group.write(tx))
    needs = Needs(bookings)
    with cache.locking(needs.balances):
        decision = await lock_and_write(tx, bookings, needs, clock=clock, cache=cache)
        cache.remember(decision.balances)
    return outcomes_of(decision)


class _OvertakenError(asyncpg.SerializationError):
    """The group that this one follows was not written."""


class OptimisticGroup:
    """A decided group that is right if the balances in the books are those remembered.

    Its own balances are remembered from now on, so that the next group is decided while this one is being written. So it
    must be written, and without delay.
    """

    def __init__(
        self, instructions: Sequence[Instruction], decision: Decision, recalled: Recalled, cache: BalanceCache
    ) -> None:
        self._instructions = instructions
        self._decision = decision
        self._earlier = recalled.pending
        self._cache = cache
        self._encoded = encoded(instructions, decision, before=recalled.balances)
        # Last: a group that cannot even be encoded is never pending, and nobody may wait for it.
        self._pending = PendingWrite()
        cache.remember(decision.balances, self._pending)

    async def write(self, tx: Connection) -> Decision:
        """Write it inside the caller's transaction.

        Raises:
            asyncpg.SerializationError: the books hold other balances, and nothing was written.
        """
        with self._ending():
            return await self._write(tx)

    async def write_in_turn(self, database: Database) -> Decision:
        """Write it as a transaction of its own, after the groups that it follows.

        Raises:
            asyncpg.SerializationError: as `write`.
            DatabaseUnavailable: when the database does not answer.
        """
        with self._ending():
            await wait_for(self._earlier)
            if any(pending.is_lost for pending in self._earlier):
                raise _OvertakenError("a group that this one follows was not written")
            async with database.statement() as connection:
                return await self._write(connection)

    async def _write(self, connection: Connection) -> Decision:
        begun, started_ns = time.perf_counter(), tracing.started()
        await groups.post_group(connection, self._encoded)
        metrics.observe_group("remembered", len(self._instructions), seconds=time.perf_counter() - begun)
        if started_ns:
            record_group("remembered", self._instructions, started_ns=started_ns)
        return self._decision

    @contextmanager
    def _ending(self) -> Iterator[None]:
        try:
            yield
        except BaseException as fault:
            self._cache.forget(self._decision.balances)
            self._pending.end(is_lost=True)
            if isinstance(fault, asyncpg.SerializationError):
                metrics.GROUPS.labels("mistaken").inc()
                if not isinstance(fault, _OvertakenError):
                    self._cache.was_wrong()
            raise
        self._pending.end(is_lost=False)
        self._cache.was_right()


def recall(instructions: Sequence[Instruction], *, cache: BalanceCache) -> Recalled | None:
    """Return the remembered balances of a group; None where they are not enough to decide it."""
    bookings = [
        one for one in instructions if isinstance(one, Booking) and one.captures is None and not is_of_one_person(one)
    ]
    if len(bookings) < len(instructions):
        return None
    return cache.recall(balances_of(bookings))


def decide_optimistically(
    instructions: Sequence[Instruction], recalled: Recalled, *, clock: Clock, cache: BalanceCache
) -> OptimisticGroup | None:
    """Decide a group by remembered balances; None when not all of its entries can be posted."""
    decision = decide(instructions, balances=recalled.balances, existing={}, now=clock.now())
    if len(decision.posted) < len(instructions):
        return None
    return OptimisticGroup(instructions, decision, recalled, cache)


async def post_in_turn(
    database: Database, instructions: Sequence[Instruction], *, clock: Clock, cache: BalanceCache
) -> list[Outcome | Held]:
    """Carry out a group in a transaction of its own, after the groups of this process that it follows.

    Raises:
        asyncpg.SerializationError: as `post_optimistically`.
        DatabaseUnavailable: when the database does not answer.
    """
    if cache.lockings:
        await cache.settle(Needs(instructions).balances)
    recalled = recall(instructions, cache=cache)
    if recalled is not None:
        group = decide_optimistically(instructions, recalled, clock=clock, cache=cache)
        if group is not None:
            return (await group.write_in_turn(database)).outcomes
    needs = Needs(instructions)
    with cache.locking(needs.balances) as earlier:
        await wait_for(earlier)
        async with database.transaction() as tx:
            decision = await lock_and_write(tx, instructions, needs, clock=clock, cache=cache)
            cache.remember(decision.balances)
        return decision.outcomes
