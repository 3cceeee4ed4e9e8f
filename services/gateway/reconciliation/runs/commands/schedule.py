"""When runs are made, how patient they are, and how long what they leave is kept."""

from datetime import timedelta

import msgspec


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """When runs are made by themselves, and how long sides may be apart."""

    every: timedelta
    """How often; zero: never."""
    window: timedelta
    """How far back."""
    deep: timedelta
    """How far back once a day."""
    quiet: timedelta
    """For so long nothing is reported."""
    timing: timedelta
    """For so long it is a matter of time."""
    kept: timedelta = timedelta(days=3_650)
    """How long runs, matches and what is settled are kept."""
    arrival: timedelta = timedelta()
    """So long after the day of its arrival a payout may come."""
    carried: timedelta = timedelta(days=400)
    """How long it is kept what each account had at the beginning of a day."""
