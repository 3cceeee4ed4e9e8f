"""Whether the event loop stands still: everything of a process waits while one callback computes.

A timer looks twenty times a second how late it is. What it was late by is the *stall*; how much of that the thread of the
loop has itself computed is the *busy* part, which other processes on the machine cannot make longer.
"""

import asyncio
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter, thread_time

from libs.common.observability import metrics
from libs.common.observability.logging import get_logger

log = get_logger("loop")

_EVERY_SECONDS = 0.05


class StallMeter:
    """Measures one event loop, from its own thread."""

    def __init__(self, *, warn_seconds: float) -> None:
        self._warn_seconds = warn_seconds
        self._timer: asyncio.TimerHandle | None = None
        self._due = self._computed = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Measure until the block ends."""
        loop = asyncio.get_running_loop()
        self._arm(loop)
        try:
            yield
        finally:
            if self._timer is not None:
                self._timer.cancel()

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due, self._computed = perf_counter() + _EVERY_SECONDS, thread_time()
        self._timer = loop.call_later(_EVERY_SECONDS, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        stall = max(0.0, perf_counter() - self._due)
        busy = min(stall, thread_time() - self._computed)
        metrics.LOOP_STALL.observe(stall)
        metrics.LOOP_BUSY.observe(busy)
        if stall > self._warn_seconds:
            log.warning("loop.stalled", seconds=round(stall, 3), busy_seconds=round(busy, 3))
        self._arm(loop)


def leave_out_of_collections() -> None:
    """Let the garbage collector pass over all that there is now: modules, contracts and routes live as long as the process.

    A collection of the oldest generation looks at every object and lets nothing else compute: with those of a whole
    service a fifth of a second, whenever enough requests have left something behind.
    """
    gc.collect()
    gc.freeze()


__all__ = ["StallMeter", "leave_out_of_collections"]
