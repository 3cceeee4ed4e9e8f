"""The bulkhead: so many commands at one processor at a time. The others wait in line, one line for each account.

Load is a longer line, not an error: a place that becomes free goes to the line whose turn it is. No account may take all
places or the whole line, so one that hangs leaves room for its neighbours.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_RESERVED_PART = 8
"""One account leaves an eighth of the places, and of the line, to the others."""


class BulkheadFullError(Exception):
    """The line is full, or no place became free in time."""


class Bulkhead:
    """Places at one kind of processor, given out in turn to the accounts that wait for one."""

    def __init__(self, *, places: int, wait_seconds: float, waiting_max: int = 512) -> None:
        self._free = places
        self._wait_seconds = wait_seconds
        self._waiting_max = waiting_max
        self._account_places_max = places - places // _RESERVED_PART
        self._account_waiting_max = waiting_max - waiting_max // _RESERVED_PART
        self._held: Counter[str] = Counter()
        self._lines: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """How many commands wait for a place."""
        return self._waiting

    @asynccontextmanager
    async def place(self, account: str = "", *, is_bounded: bool = False) -> AsyncIterator[None]:
        """Hold a place for the length of the block, after having waited for it in the line of `account`.

        A caller that `is_bounded` by itself may wait even where the line is full.

        Raises:
            BulkheadFullError: when the line is full, or no place becomes free in time; never from inside the block.
        """
        if self._free and self._held[account] < self._account_places_max and account not in self._lines:
            self._take(account)
        else:
            await self._wait(account, is_bounded=is_bounded)
        try:
            yield
        finally:
            self._give_back(account)

    async def _wait(self, account: str, *, is_bounded: bool) -> None:
        line = self._lines.get(account)
        is_full = self._waiting >= self._waiting_max or len(line or ()) >= self._account_waiting_max
        if is_full and not is_bounded:
            raise BulkheadFullError("too many commands wait for a place")
        if line is None:
            line = self._lines[account] = deque()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.append(turn)
        self._waiting += 1
        try:
            async with asyncio.timeout(self._wait_seconds):
                await turn
        except BaseException as fault:
            if turn.done() and not turn.cancelled():
                # The place was given at the very moment in which the wait ended.
                self._give_back(account)
            else:
                self._leave(account, turn)
            if isinstance(fault, TimeoutError):
                raise BulkheadFullError("no place became free in time") from fault
            raise

    def _take(self, account: str) -> None:
        self._free -= 1
        self._held[account] += 1

    def _give_back(self, account: str) -> None:
        self._free += 1
        self._held[account] -= 1
        if not self._held[account]:
            del self._held[account]
        self._hand_on()

    def _hand_on(self) -> None:
        """Give free places to those who wait, one account after the other."""
        while self._free:
            account = next((name for name in self._lines if self._held[name] < self._account_places_max), None)
            if account is None:
                return
            turn = self._lines[account][0]
            # Behind all other accounts, for the next place.
            self._lines.move_to_end(account)
            self._leave(account, turn)
            if not turn.done():
                self._take(account)
                turn.set_result(None)

    def _leave(self, account: str, turn: "asyncio.Future[None]") -> None:
        line = self._lines.get(account)
        if line is None or turn not in line:
            return
        line.remove(turn)
        self._waiting -= 1
        if not line:
            del self._lines[account]
