"""As many slots as there are connections: who finds none waits, and goes by precedence, then in turn."""

import asyncio
from collections import deque
from itertools import count

from libs.common.precedence import Precedence

_PASSED_MAX = 7
"""Turns in a row that go by precedence; the next one is that of whoever has waited longest."""


class Slots:
    """A bound on how many work at once.

    Who has precedence should be few at a time. Where they are not (a thousand payments are captured at once), one turn of eight
    still goes to whoever has waited longest.
    """

    def __init__(self, size: int) -> None:
        self._free = size
        self._queues: tuple[deque[tuple[int, asyncio.Future[None]]], ...] = tuple(deque() for _ in Precedence)
        self._arrivals = count()
        self._passed = 0

    @property
    def free(self) -> int:
        """How many are free."""
        return self._free

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(map(len, self._queues))

    @property
    def is_short(self) -> bool:
        """Whether somebody waits."""
        return any(self._queues)

    async def take(self, precedence: Precedence) -> None:
        """Take a slot, waiting for one when there is none; to be given back with `give`."""
        if self._free:
            self._free -= 1
            return
        queue = self._queues[precedence]
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        place = next(self._arrivals), turn
        queue.append(place)
        try:
            await turn
        except BaseException:
            if place in queue:
                queue.remove(place)
            elif not turn.cancelled():
                # It was this one's turn already.
                self.give()
            raise

    def give(self) -> None:
        """Give a slot back: to the one whose turn it is, if somebody waits."""
        while (queue := self._next()) is not None:
            _, turn = queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _next(self) -> deque[tuple[int, asyncio.Future[None]]] | None:
        waiting = [queue for queue in self._queues if queue]
        if len(waiting) < 2:
            self._passed = 0
            return waiting[0] if waiting else None
        if self._passed < _PASSED_MAX:
            self._passed += 1
            return waiting[0]
        self._passed = 0
        return min(waiting, key=lambda queue: queue[0][0])
