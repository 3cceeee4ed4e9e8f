"""The bulkhead: a processor that hangs holds up its own calls, and nobody else's."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager


class BulkheadFullError(Exception):
    """No place became free in time."""


class Bulkhead:
    """So many calls at a time and no more, so that one slow processor does not take every place there is."""

    def __init__(self, *, places: int, wait_seconds: float, waiting_max: int = 64) -> None:
        self._places = asyncio.Semaphore(places)
        self._wait_seconds = wait_seconds
        self._waiting_max = waiting_max
        self._waiting = 0

    @property
    def is_crowded(self) -> bool:
        """Whether as many calls wait, for a place or for their next ask, as may."""
        return self._waiting >= self._waiting_max

    @contextmanager
    def waits(self) -> Iterator[None]:
        """Count as one that waits for the length of the block."""
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold a place for the length of the block.

        Raises:
            BulkheadFullError: when none becomes free in time, or too many wait already.
        """
        if self._places.locked():
            if self.is_crowded:
                # Whoever waits holds a place among the consumers, which the other processors need.
                raise BulkheadFullError("too many calls wait for a place")
            try:
                with self.waits():
                    async with asyncio.timeout(self._wait_seconds):
                        await self._places.acquire()
            except TimeoutError as fault:
                raise BulkheadFullError("no place became free in time") from fault
        else:
            await self._places.acquire()
        try:
            yield
        finally:
            self._places.release()
