"""What is written about attempts, and what is read back."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import asyncpg
import msgspec

from libs.common.messaging import Publication
from services.gateway.errors import Unstorable
from services.gateway.operations.domain.attempts import UNDECIDED, Attempt, AttemptStatus

COUNT_MAX = 2**31 - 1
"""More calls than are ever counted."""


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """What a call has shown about an attempt, ready to be written."""

    attempt: Attempt
    """The attempt as it is to stand."""
    publication: Publication | None
    """What is published with it; None while there is no outcome."""
    recorded_at: datetime
    """Now."""
    following: Attempt | None = None
    """An attempt that is written down with it, due at once; None where none follows from it."""
    settled: int = 0
    """How many calls are taken back from those in doubt: 1 where the processor has certainly not taken it."""
    in_doubt_max: int = COUNT_MAX
    """How many calls may be in doubt for it to be recorded; with more, somebody else is calling."""
    over: frozenset[AttemptStatus] = UNDECIDED
    """The statuses out of which this may be recorded: in another one, somebody else has learnt more meanwhile."""


class Opened(msgspec.Struct, frozen=True):
    """An attempt that stands in the table."""

    attempt: Attempt
    """As it stands."""
    is_new: bool
    """Whether it was written down just now, and not before."""


class OpenOutcomes(msgspec.Struct, frozen=True, kw_only=True):
    """How many attempts have no outcome."""

    unknown: int
    """Those that were called about and got no answer."""
    overdue: int
    """Those that are left to a person."""
    oldest_seconds: float
    """For how long the oldest of the unknown ones is requested; 0 where there is none."""


async def in_halves[T, R](
    write: Callable[[Sequence[T]], Awaitable[list[R | Exception]]], group: Sequence[T]
) -> list[R | Exception]:
    """Write a group; what the database will not have is found by halving, so that it fails alone."""
    try:
        return await write(group)
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as fault:
        if len(group) == 1:
            refusal = Unstorable("the database refuses what the command contains")
            refusal.__cause__ = fault
            return [refusal]
    middle = len(group) // 2
    return [*await in_halves(write, group[:middle]), *await in_halves(write, group[middle:])]
