"""What this process remembers of balances, as its last groups left them, and of what tenants let nobody do alone."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import msgspec

from services.ledger.core import Balance
from services.ledger.posting.domain.decision import BalanceKey
from services.ledger.posting.sql.approval import KnownPolicies

BALANCES_MAX = 20_000
"""Balances that are remembered; those that were not posted to for longest are forgotten."""

PAUSE_MAX = 64
"""Groups that lock first, at most, before one is decided by memory again."""


class PendingWrite:
    """A group that is being written."""

    __slots__ = ("_answered", "is_lost")

    def __init__(self) -> None:
        self._answered = asyncio.Event()
        self.is_lost = False
        """Whether it was not written, or may not have been: whatever was decided after it is wrong."""

    @property
    def is_ended(self) -> bool:
        """Whether the database has answered."""
        return self._answered.is_set()

    def end(self, *, is_lost: bool) -> None:
        """Let those go on who wait for it."""
        self.is_lost = is_lost
        self._answered.set()

    async def wait(self) -> None:
        """Wait until the database has answered."""
        await self._answered.wait()


async def wait_for(writes: Iterable[PendingWrite | None]) -> bool:
    """Wait until the database has answered all of these groups; returns whether there was anything to wait for."""
    has_waited = False
    for write in writes:
        if write is not None and not write.is_ended:
            has_waited = True
            await write.wait()
    return has_waited


class Recalled(msgspec.Struct, frozen=True, kw_only=True):
    """Balances as they should be in the books."""

    balances: dict[BalanceKey, Balance]
    pending: set[PendingWrite]
    """The groups that leave them so, and are still being written."""


_UNKNOWN = (None, None)


class BalanceCache:
    """The balances as this process left them, so that a group can be decided before it has locked anything.

    Never more than a guess: the group before may still be pending, or fail, and another process may post to the same
    accounts. Each group names the balances that it follows, and the database refuses it where they differ.
    After a wrong guess the next groups lock first: as many more with each one in a row, since whoever else posts to these
    accounts will do so again.
    """

    def __init__(self, *, balances_max: int = BALANCES_MAX) -> None:
        self._balances: dict[BalanceKey, tuple[Balance | None, PendingWrite | None]] = {}
        self._balances_max = balances_max
        self._pause = 0
        self._locking_left = 0
        self.lockings = 0
        """Groups of this process that lock balances at this moment."""
        self._held: Counter[BalanceKey] = Counter()
        """Balances that are locked for a long list of entries."""
        self.policies = KnownPolicies()
        """What tenants let nobody do alone."""

    def recall(self, keys: Iterable[BalanceKey]) -> Recalled | None:
        """Return the balances of these keys as they should be; None when the group has to lock them."""
        if self._locking_left:
            self._locking_left -= 1
            return None
        balances: dict[BalanceKey, Balance] = {}
        pending: set[PendingWrite] = set()
        for key in keys:
            balance, write = self._balances.get(key, _UNKNOWN)
            if balance is None:
                return None
            balances[key] = balance
            if write is not None and not write.is_ended:
                pending.add(write)
        return Recalled(balances=balances, pending=pending)

    async def settle(self, keys: Sequence[BalanceKey]) -> None:
        """Wait while groups of this process lock these balances: what they read will be remembered.

        Only for who holds no lock. Each group would otherwise queue behind the one before it for the same lock, and
        none would ever be decided by memory.
        """
        while not self._locking_left:
            pending = {write for balance, write in map(self._entry, keys) if balance is None}
            if not await wait_for(pending):
                return

    @contextmanager
    def holding(self, keys: Sequence[BalanceKey]) -> Iterator[None]:
        """As `locking`, for a list of entries that takes seconds: others do not share a group with who waits for its end."""
        self._held.update(keys)
        try:
            with self.locking(keys):
                yield
        finally:
            self._held.subtract(keys)
            self._held = +self._held

    @property
    def is_holding(self) -> bool:
        """Whether any balances are locked for a long list of entries of this process."""
        return bool(self._held)

    def holds(self, keys: Iterable[BalanceKey]) -> bool:
        """Whether one of these balances is locked for a long list of entries of this process."""
        return any(key in self._held for key in keys)

    @contextmanager
    def locking(self, keys: Sequence[BalanceKey]) -> Iterator[set[PendingWrite | None]]:
        """Note, while the block runs, that a group locks these balances: what was remembered may not be what it leaves.

        What it leaves is remembered inside the block. Yields the groups that were being written to these balances before;
        who holds no lock waits for them, so that none of them finds the balances changed.
        """
        write = PendingWrite()
        before = {self._entry(key)[1] for key in keys}
        self.lockings += 1
        for key in keys:
            self._balances[key] = None, write
        try:
            yield before
        finally:
            self.lockings -= 1
            for key in keys:
                if self._entry(key) == (None, write):
                    del self._balances[key]
            write.end(is_lost=False)

    def _entry(self, key: BalanceKey) -> tuple[Balance | None, PendingWrite | None]:
        return self._balances.get(key, _UNKNOWN)

    def remember(self, balances: Mapping[BalanceKey, Balance], write: PendingWrite | None = None) -> None:
        """Remember balances as a group leaves them, also while it is being written: the next follows it."""
        remembered = self._balances
        for key, balance in balances.items():
            # Taken out first, so that it moves to the end: the oldest are at the beginning.
            remembered.pop(key, None)
            remembered[key] = balance, write
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
