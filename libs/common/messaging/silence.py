"""How long a connection is left alone that did not confirm in time what was published together.

One queue of another team that confirms nothing holds up all that is published with it, for the whole deadline, however well the
connection answers otherwise. So only time ends a silence, and each is longer than the one before.
"""

_FIRST_SECONDS = 10.0
_LONGEST_SECONDS = 300.0
_FORGOTTEN_AFTER_SECONDS = 600.0
"""A silence so long after the end of the last one is a first one again. One confirm in between proves nothing: other routing keys
may lead past the queue that is silent."""


class Silence:
    """The silences of one connection; instants are of a clock in seconds that never goes back."""

    def __init__(self) -> None:
        self._until = 0.0
        self._seconds = 0.0

    def note(self, now: float) -> None:
        """Note that what was published was not confirmed in time; what was published beside it counts once."""
        if self.lasts(now):
            return
        is_first = not self._seconds or now - self._until > _FORGOTTEN_AFTER_SECONDS
        self._seconds = _FIRST_SECONDS if is_first else min(self._seconds * 2, _LONGEST_SECONDS)
        self._until = now + self._seconds

    def lasts(self, now: float) -> bool:
        """Whether nothing should be published now that others would have to wait for."""
        return now < self._until
