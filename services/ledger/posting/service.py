"""Posting single entries: many callers, few commits."""

from collections.abc import Sequence

from libs.common.clock import Clock
from libs.common.db import Database, GroupCommit
from libs.common.db.database import CONTENTION
from libs.common.errors import Transient
from services.ledger.posting.cache import BalanceCache
from services.ledger.posting.counting import count
from services.ledger.posting.domain.instructions import (
    Booking,
    Held,
    Instruction,
    Outcome,
    Placing,
    Posted,
    Refused,
    Releasing,
    Replayed,
)
from services.ledger.posting.domain.needs import Needs
from services.ledger.posting.optimistic import post_in_turn

GROUP_MAX = 500
"""Instructions that one group takes at most: beyond it the latency of a group grows and its speed does not."""

WAITING_MAX = 5000
"""Instructions that may wait for the next groups; a further caller is answered 503."""

CONTENTION_RETRIES_MAX = 5
"""How often a group that lost against another transaction is run again."""

WRITERS = 2
"""Groups of one process that may be written at a time, each on a connection of its own: one is being put together
while the database works on the other. More of them only wait for each other's locks (measured)."""


class PostingService:
    """Takes single instructions from many callers and carries them out in groups: while one is committed the next forms.

    The request path; the message consumer has its groups from the broker already. Whether an entry that could not be
    answered was committed is unknown; the same entry again shows it.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        group_max: int = GROUP_MAX,
        waiting_max: int = WAITING_MAX,
        writers: int = WRITERS,
        cache: BalanceCache | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._cache = cache or BalanceCache()
        self._groups: GroupCommit[Instruction, Posted | Replayed | Held] = GroupCommit(
            self._write, group_max=group_max, waiting_max=waiting_max, writers=writers
        )
        self._behind: GroupCommit[Instruction, Posted | Replayed | Held] = GroupCommit(
            self._write, group_max=group_max, waiting_max=waiting_max
        )
        """Who waits for a long list of entries of the same accounts waits apart: a group waits for all of its balances."""

    async def _submit(self, instruction: Instruction) -> Posted | Replayed | Held:
        is_behind = self._cache.is_holding and self._cache.holds(Needs([instruction]).balances)
        return await (self._behind if is_behind else self._groups).submit(instruction)

    async def post(self, booking: Booking) -> Posted | Replayed:
        """Post one entry with whatever else is waiting; returns once it is committed.

        Raises:
            Rejected: why the entry cannot be posted.
            Unavailable: when too many wait already, or the database does not answer.
        """
        answer = await self._submit(booking)
        assert not isinstance(answer, Held)
        return answer

    async def hold(self, instruction: Placing | Releasing) -> Held:
        """Place a hold or let it go, with whatever else is waiting; returns once it is committed.

        Raises:
            Rejected: why it cannot be done.
            Unavailable: when too many wait already, or the database does not answer.
        """
        answer = await self._submit(instruction)
        assert isinstance(answer, Held)
        return answer

    async def _write(self, instructions: Sequence[Instruction]) -> Sequence[Posted | Replayed | Held | Exception]:
        """Carry out a group; one that fails is halved until the bad one fails alone."""
        try:
            outcomes = await self._transact(instructions)
        except Transient as outage:
            # The database is away: halves would fare no better. What was committed all the same is a replay next time.
            return [outage] * len(instructions)
        except Exception as fault:  # noqa: BLE001 - whatever it is, it is the answer to the one that caused it
            if len(instructions) == 1:
                return [fault]
            middle = len(instructions) // 2
            return [*await self._write(instructions[:middle]), *await self._write(instructions[middle:])]
        count(instructions, outcomes)
        return [outcome.reason if isinstance(outcome, Refused) else outcome for outcome in outcomes]

    async def _transact(self, instructions: Sequence[Instruction]) -> list[Outcome | Held]:
        for _ in range(CONTENTION_RETRIES_MAX):
            try:
                return await post_in_turn(self._database, instructions, clock=self._clock, cache=self._cache)
            except CONTENTION:
                continue
        return await post_in_turn(self._database, instructions, clock=self._clock, cache=self._cache)
