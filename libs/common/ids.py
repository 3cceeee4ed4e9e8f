"""Identifiers: UUIDv7, minted before the write by whoever starts the work (RFC 9562, section 5.7)."""

import hashlib
import secrets
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID, SafeUUID

__all__ = ["Minter", "derived_id", "first_id", "may_be_derived", "new_id", "parse_id", "time_of_id"]

_EPOCH = datetime.fromtimestamp(0, UTC)
_RANDOM_BITS = 80
"""What follows the time in a UUIDv7, its version and variant included."""
_TAIL_BITS = 74
"""The bits of a UUIDv7 that are free: 12 before the variant, 62 after it."""
_FREE = ((1 << _RANDOM_BITS) - 1) & ~(0xF << 76) & ~(0x3 << 62)
"""What follows the time, without version and variant."""
_MARKS = 0x7 << 76 | 0x2 << 62
"""Version and variant, in their places."""
_STEP_BITS = 40
_TAIL_MAX = (1 << _TAIL_BITS) - (1 << (_STEP_BITS + 1))


_REWIND_MAX = 10_000
"""Milliseconds by which the real clock may go back, as when it is corrected, without ids going back with it."""


class Minter:
    """Mints UUIDv7 that ascend: within a millisecond, and while the clock is behind the last id by no more than a bound.

    A clock that is further behind was wrong before, so ids follow it: else they would be ahead until the process ends.
    """

    def __init__(self, *, rewind_max: int = 0) -> None:
        self._rewind_max = rewind_max
        self._milliseconds = -1
        self._tail = 0

    def mint(self, milliseconds: int) -> UUID:
        """Mint the next id, with this time or that of the last one."""
        last = self._milliseconds
        if last - self._rewind_max <= milliseconds <= last and self._tail < _TAIL_MAX:
            self._tail += 1 + secrets.randbits(_STEP_BITS)
        else:
            self._milliseconds, self._tail = milliseconds, secrets.randbits(_TAIL_BITS - 1)
        high, low = self._tail >> 62, self._tail & ((1 << 62) - 1)
        return UUID(int=(self._milliseconds << 80) | (0x7 << 76) | (high << 64) | (0b10 << 62) | low)


_given = Minter()
_real = Minter(rewind_max=_REWIND_MAX)


def new_id(at: datetime | None = None) -> UUID:
    """Mint a UUIDv7: unique, and ordered by its time, so that indexes stay compact.

    The time is `at`, which whoever has a clock passes on, so that a row's id and its instants agree; else the real one.
    Ids of one millisecond are in the order in which this process has minted them (RFC 9562, section 6.2, method 2).
    """
    return _real.mint(time.time_ns() // 1_000_000) if at is None else _given.mint(_milliseconds(at))


def first_id(at: datetime) -> UUID:
    """Return the least UUIDv7 of an instant, to the millisecond: the lower bound of a range of ids."""
    return UUID(int=max(0, _milliseconds(at)) << _RANDOM_BITS)


def time_of_id(identifier: UUID) -> datetime:
    """Return when a UUIDv7 was minted, to the millisecond."""
    return _EPOCH + timedelta(milliseconds=identifier.int >> _RANDOM_BITS)


def _milliseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(milliseconds=1)


def derived_id(source: UUID, purpose: str) -> UUID:
    """Derive the one identifier that `source` always yields for `purpose`.

    Used where the same cause must lead to the same effect however often it is received: the journal entry of a capture, the
    webhook message of an event. The time part of `source` is kept, the rest is a hash (SHA-256), so the derived
    identifiers sort like their sources.
    """
    number = source.int
    tail = int.from_bytes(hashlib.sha256(number.to_bytes(16) + purpose.encode()).digest()[:10])
    return _uuid((number >> _RANDOM_BITS << _RANDOM_BITS) | (tail & _FREE) | _MARKS)


def may_be_derived(identifier: UUID, source: UUID) -> bool:
    """Return whether an id may be derived from another one: it has the time of that one."""
    marks = 0xF << 76 | 0x3 << 62
    return identifier.int >> _RANDOM_BITS == source.int >> _RANDOM_BITS and identifier.int & marks == _MARKS


def _uuid(number: int) -> UUID:
    """Make a UUID of its number as the class itself does, in a third of the time: reconciliation derives several of each payment."""
    made = object.__new__(UUID)
    object.__setattr__(made, "int", number)
    object.__setattr__(made, "is_safe", SafeUUID.unknown)
    return made


def parse_id(text: str) -> UUID | None:
    """Read a UUID in its usual form of 36 characters; anything else is None."""
    if len(text) != 36:
        return None
    try:
        return UUID(text)
    except ValueError:
        return None
