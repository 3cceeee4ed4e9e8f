"""What several callers need at the same moment is done once, and all of them go on together.

A lock in front of a remembered value does it once too, but wakes those who wait one by one, a turn of the loop each: in a
busy process the last of 250 requests goes on after two seconds.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable

from libs.common.precedence import Precedence, precedence


class SingleFlight[T]:
    """Work by key, each key at most once at a time.

    `rank` is the precedence of the work: where many wait for it, it should not be that of the first caller. Without it,
    the work goes on as part of the request that began it.
    """

    def __init__(self, *, rank: Precedence | None = None) -> None:
        self._rank = rank
        self._running: dict[Hashable, asyncio.Task[T]] = {}

    def is_running(self, key: Hashable) -> bool:
        """Whether somebody has begun the work already."""
        return key in self._running

    async def do(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """Return the result of `work`, or of the same that is running; what it raises is raised for all.

        Whoever is cancelled leaves the others their result.
        """
        shared = self._running.get(key)
        if shared is None:
            shared = asyncio.create_task(self._run(work), name=f"single flight {key}")
            if not shared.done():
                self._running[key] = shared
                shared.add_done_callback(lambda done: self._ended(key, done))
        return await asyncio.shield(shared)

    async def _run(self, work: Callable[[], Awaitable[T]]) -> T:
        if self._rank is not None:
            precedence.set(self._rank)
        return await work()

    def _ended(self, key: Hashable, done: asyncio.Task[T]) -> None:
        del self._running[key]
        if not done.cancelled():
            # Looked at, so that the loop does not report it where all who waited have left.
            done.exception()
