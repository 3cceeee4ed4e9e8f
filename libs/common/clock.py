"""Time comes from a `Clock` that every decision receives, so that tests can turn it."""

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Something that knows the present instant."""

    def now(self) -> datetime:
        """Return the present instant, aware and in UTC."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the present instant, aware and in UTC."""
        return datetime.now(UTC)


class ManualClock:
    """A clock that stands still until it is turned; for tests and simulations."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        """Return the instant that the clock was last turned to."""
        return self._now

    def advance(self, by: timedelta) -> None:
        """Turn the clock forward by `by`."""
        self._now += by


def iso(instant: datetime) -> str:
    """Write an instant as RFC 3339 in UTC, for example `2026-11-22T17:57:07.701598+00:00`."""
    return instant.astimezone(UTC).isoformat()
