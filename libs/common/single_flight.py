"""What several want at the same moment is done once, and all of them go on together.

A lock in front of a remembered value does it once too, but wakes those who wait one by one, a turn of the loop each: in a
busy process the last of 250 requests goes on after two seconds.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable

from libs.common.precedence import Precedence, precedence


class SingleFlight[T]:
    """Work by key, each key at most once at a time.

    `rank` is the precedence of the work: where many wait for it, it should not be that of whoever asked first. Without it,
    the work goes on as part of the request that began it.
    """

    def __init__(self, *, rank: Precedence | None = None) -> None:
        self._rank = rank
        self._flights: dict[Hashable, asyncio.Task[T]] = {}

    def is_under_way(self, key: Hashable) -> bool:
        """Whether somebody has begun the work already."""
        return key in self._flights

    async def do(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """Return the result of `work`, or of the same that is under way; what it raises is raised for all.

        Whoever is cancelled leaves the others their result.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.create_task(self._run(work), name=f"single flight {key}")
            if not flight.done():
                self._flights[key] = flight
                flight.add_done_callback(lambda done: self._landed(key, done))
        return await asyncio.shield(flight)

    async def _run(self, work: Callable[[], Awaitable[T]]) -> T:
        if self._rank is not None:
            precedence.set(self._rank)
        return await work()

    def _landed(self, key: Hashable, done: asyncio.Task[T]) -> None:
        del self._flights[key]
        if not done.cancelled():
            # Looked at, so that the loop does not report it where all who waited have left.
            done.exception()
