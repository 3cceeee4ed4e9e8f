"""The time of the stand-in: that of the machine, moved by as much as a test likes, and what becomes due as it passes."""

import heapq
import itertools
import time
from collections.abc import Callable


class Clock:
    """A clock that goes, may start in the past, and can be turned forward; what is due runs at its own instant."""

    def __init__(self, *, behind_seconds: int = 0) -> None:
        self._offset = -behind_seconds
        self._at: int | None = None
        self._numbers = itertools.count()
        self._due: list[tuple[int, int, Callable[[], object]]] = []

    def now(self) -> int:
        """The time as Stripe writes it, in whole seconds."""
        return int(time.time()) + self._offset if self._at is None else self._at

    def later(self, at: int, action: Callable[[], object]) -> None:
        """Do something at an instant; one that has passed is done by the next `run_due`."""
        heapq.heappush(self._due, (at, next(self._numbers), action))

    def advance(self, seconds: int) -> int:
        """Turn the clock forward and do all that became due, in order; returns the new time."""
        self._offset += seconds
        self.run_due()
        return self.now()

    def run_due(self) -> None:
        """Do what is due. Each action sees the instant for which it was planned, as if the time had been waited out."""
        present = self.now()
        while self._due and self._due[0][0] <= present:
            at, _, action = heapq.heappop(self._due)
            self._at = at
            try:
                action()
            finally:
                self._at = None
