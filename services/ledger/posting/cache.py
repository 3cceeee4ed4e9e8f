"""What this process knows of balances without asking: what its last groups left."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import msgspec

from services.ledger.core import Balance
from services.ledger.posting.domain.decision import BalanceKey

BALANCES_MAX = 20_000
"""Balances that are remembered; those that were not posted to for longest are forgotten."""

PAUSE_MAX = 64
"""Groups that lock first, at most, before one is trusted to go on from memory again."""


class Flight:
    """A group on its way to the database."""

    __slots__ = ("_answered", "is_lost")

    def __init__(self) -> None:
        self._answered = asyncio.Event()
        self.is_lost = False
        """Whether it was not written, or may not have been: whatever was decided after it is wrong."""

    @property
    def is_over(self) -> bool:
        """Whether the database has answered."""
        return self._answered.is_set()

    def land(self, *, is_lost: bool) -> None:
        """Let those go on who wait for it."""
        self.is_lost = is_lost
        self._answered.set()

    async def wait(self) -> None:
        """Wait until the database has answered."""
        await self._answered.wait()


async def landed(flights: Iterable[Flight | None]) -> bool:
    """Wait until the database has answered all of these groups; tell whether there was anything to wait for."""
    has_waited = False
    for flight in flights:
        if flight is not None and not flight.is_over:
            has_waited = True
            await flight.wait()
    return has_waited


class Recalled(msgspec.Struct, frozen=True, kw_only=True):
    """Balances as they should stand."""

    balances: dict[BalanceKey, Balance]
    flights: set[Flight]
    """The groups that leave them so, and are still on their way."""


_UNKNOWN = (None, None)


class BalanceCache:
    """The balances as this process left them, so that a group can be decided before it has locked anything.

    Never more than a guess: the group before may still be on its way, or fail, and another process may post to the same
    accounts. Each group says from which balances it goes on, and the database refuses it where they stand differently.
    After a wrong guess the next groups lock first: as many more with each one in a row, since whoever else posts to these
    accounts will do so again.
    """

    def __init__(self, *, balances_max: int = BALANCES_MAX) -> None:
        self._balances: dict[BalanceKey, tuple[Balance | None, Flight | None]] = {}
        self._balances_max = balances_max
        self._pause = 0
        self._locking_left = 0
        self.looks = 0
        """Groups of this process that lock balances to look at them now."""

    def recall(self, keys: Iterable[BalanceKey]) -> Recalled | None:
        """Return the balances of these keys as they should stand; None when the group has to lock and look."""
        if self._locking_left:
            self._locking_left -= 1
            return None
        balances: dict[BalanceKey, Balance] = {}
        flights: set[Flight] = set()
        for key in keys:
            balance, flight = self._balances.get(key, _UNKNOWN)
            if balance is None:
                return None
            balances[key] = balance
            if flight is not None and not flight.is_over:
                flights.add(flight)
        return Recalled(balances=balances, flights=flights)

    async def settle(self, keys: Sequence[BalanceKey]) -> None:
        """Wait while groups of this process lock these balances to look at them: what they find will be remembered.

        Only for who holds no lock. Each group would otherwise line up behind the one before it to look for itself, and
        none would ever go on from memory.
        """
        while not self._locking_left:
            flights = {flight for balance, flight in map(self._entry, keys) if balance is None}
            if not await landed(flights):
                return

    @contextmanager
    def looking(self, keys: Sequence[BalanceKey]) -> Iterator[set[Flight | None]]:
        """Note, while the block runs, that a group locks these balances: what was remembered may not be what it leaves.

        What it leaves is remembered inside the block. Yields the groups that were on their way to these balances before;
        who holds no lock waits for them, so that none of them finds the balances changed.
        """
        flight = Flight()
        before = {self._entry(key)[1] for key in keys}
        self.looks += 1
        for key in keys:
            self._balances[key] = None, flight
        try:
            yield before
        finally:
            self.looks -= 1
            for key in keys:
                if self._entry(key) == (None, flight):
                    del self._balances[key]
            flight.land(is_lost=False)

    def _entry(self, key: BalanceKey) -> tuple[Balance | None, Flight | None]:
        return self._balances.get(key, _UNKNOWN)

    def remember(self, balances: Mapping[BalanceKey, Balance], flight: Flight | None = None) -> None:
        """Remember balances as a group leaves them, also while it is on its way: the next goes on from there."""
        remembered = self._balances
        for key, balance in balances.items():
            # Taken out first, so that it moves to the end: the oldest are at the beginning.
            remembered.pop(key, None)
            remembered[key] = balance, flight
        while len(remembered) > self._balances_max:
            del remembered[next(iter(remembered))]

    def forget(self, keys: Iterable[BalanceKey]) -> None:
        """Forget the balances of a group that was not committed, or may not have been."""
        for key in keys:
            self._balances.pop(key, None)

    def was_right(self) -> None:
        """Trust the memory sooner after the next wrong guess."""
        self._pause //= 2

    def was_wrong(self) -> None:
        """Let the next groups lock first."""
        self._pause = min(PAUSE_MAX, 2 * self._pause + 1)
        self._locking_left = self._pause
