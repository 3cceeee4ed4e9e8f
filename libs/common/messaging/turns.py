"""Places for requests in progress, given out to tenants in turn: the flood of one is a longer line of its own.

Both sides of a request use them: who asks, so that what waits is bounded and refused by tenant, and who answers, so that
the requests of several processes that ask have their turns too. Heavy requests have a few places of their own.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.common.errors import Overloaded

_RESERVED_PART = 4
"""One tenant has all places but a quarter at most: whoever else comes finds one at once."""
_HEAVY_PLACES = 4
_HEAVY_TENANT_PLACES_MAX = 1
"""So many heavy requests are in progress at a time, and of one tenant: they share the processor with everything else."""


class Turns:
    """Places at one service. A place that becomes free goes to the tenant that has waited longest for its turn."""

    def __init__(self, places: int, *, tenant_places_max: int = 0) -> None:
        self._free = places
        self._tenant_places_max = tenant_places_max or max(1, places - places // _RESERVED_PART)
        self._held: Counter[str] = Counter()
        self._lines: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    def waiting(self, tenant_id: str) -> int:
        """How many requests of a tenant wait for a place."""
        return len(self._lines.get(tenant_id, ()))

    def longest(self) -> tuple[int, str]:
        """How many requests wait in the longest line, and whose it is."""
        return max(((len(line), tenant_id) for tenant_id, line in self._lines.items()), default=(0, ""))

    def send_away(self, tenant_id: str) -> None:
        """Refuse the newest request in a tenant's line: it makes room for somebody who has fewer."""
        turn = self._lines[tenant_id][-1]
        self._leave(tenant_id, turn)
        if not turn.done():
            turn.set_exception(overloaded())

    @asynccontextmanager
    async def place(self, tenant_id: str) -> AsyncIterator[None]:
        """Hold a place for the length of the block, after having waited for it in the tenant's line."""
        if tenant_id in self._lines or not self._has_place(tenant_id):
            await self._wait(tenant_id)
        else:
            self._take(tenant_id)
        try:
            yield
        finally:
            self._give_back(tenant_id)

    def _has_place(self, tenant_id: str) -> bool:
        return self._free > 0 and self._held[tenant_id] < self._tenant_places_max

    def _take(self, tenant_id: str) -> None:
        self._free -= 1
        self._held[tenant_id] += 1

    def _give_back(self, tenant_id: str) -> None:
        self._free += 1
        self._held[tenant_id] -= 1
        if not self._held[tenant_id]:
            del self._held[tenant_id]
        self._hand_on()

    async def _wait(self, tenant_id: str) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines.setdefault(tenant_id, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                # The place was given at the very moment in which the wait ended.
                self._give_back(tenant_id)
            else:
                self._leave(tenant_id, turn)
            raise

    def _hand_on(self) -> None:
        while self._free:
            tenant_id = next((name for name in self._lines if self._held[name] < self._tenant_places_max), None)
            if tenant_id is None:
                return
            turn = self._lines[tenant_id][0]
            # Behind all other tenants, for the next place.
            self._lines.move_to_end(tenant_id)
            self._leave(tenant_id, turn)
            if not turn.done():
                self._take(tenant_id)
                turn.set_result(None)

    def _leave(self, tenant_id: str, turn: "asyncio.Future[None]") -> None:
        line = self._lines.get(tenant_id)
        if line is None or turn not in line:
            return
        line.remove(turn)
        if not line:
            del self._lines[tenant_id]


class Lanes:
    """The places at one service: those of ordinary requests, and those of heavy ones."""

    def __init__(self, places: int) -> None:
        self.ordinary = Turns(places)
        self.heavy = Turns(_HEAVY_PLACES, tenant_places_max=_HEAVY_TENANT_PLACES_MAX)

    def of(self, *, is_heavy: bool) -> Turns:
        """Return the places for a request."""
        return self.heavy if is_heavy else self.ordinary


def overloaded() -> Overloaded:
    """Say that somebody has too many requests waiting."""
    return Overloaded("too many requests are waiting for an answer")
