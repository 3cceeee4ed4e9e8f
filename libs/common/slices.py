"""Long computations in slices: one slice of a process at a time, then as much time for everything else.

A request takes a dozen turns of the event loop. Were each of several long computations given a slice between two of them,
it would wait for a dozen times as many slices.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter
from weakref import WeakKeyDictionary

_REST_SECONDS_MAX = 0.02
"""The longest rest: what follows a slice that took longer is not held up more than that."""

_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


@asynccontextmanager
async def one_slice() -> AsyncIterator[None]:
    """Wait for the turn to compute one slice, some milliseconds of work without an await, and rest for as long after it."""
    turn = _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())
    async with turn:
        begun = perf_counter()
        yield
        await asyncio.sleep(min(_REST_SECONDS_MAX, perf_counter() - begun))


__all__ = ["one_slice"]
