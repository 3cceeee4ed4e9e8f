"""As many slots as there are connections: who finds none waits, and goes by precedence, then in turn."""

import asyncio
from collections import deque

from libs.common.precedence import Precedence


class Slots:
    """A bound on how many work at once.

    Who has precedence must be few at a time, or nobody else gets a turn: a consumer, a relay or a worker has one slot, and
    a payment that is taken further was begun by a request without precedence.
    """

    def __init__(self, size: int) -> None:
        self._free = size
        self._queues: tuple[deque[asyncio.Future[None]], ...] = tuple(deque() for _ in Precedence)

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
        queue.append(turn)
        try:
            await turn
        except BaseException:
            if turn in queue:
                queue.remove(turn)
            elif not turn.cancelled():
                # It was this one's turn already.
                self.give()
            raise

    def give(self) -> None:
        """Give a slot back: to the one whose turn it is, if somebody waits."""
        for queue in self._queues:
            while queue:
                turn = queue.popleft()
                if not turn.done():
                    turn.set_result(None)
                    return
        self._free += 1
