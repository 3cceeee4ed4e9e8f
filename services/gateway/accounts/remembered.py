"""What was read and stays good for a while: configurations, and the adapters made of them."""

from collections import OrderedDict
from collections.abc import Callable

_WHILE_READ_PART = 0.1
"""For which part of its time more a value is good while one of those who need it reads it again; then another one reads it."""


class Remembered[K, V]:
    """So many values for so many seconds; what is forgotten is read again.

    Whoever first finds that a value is old reads it, while the others go on with it: else all that is in progress at that moment
    would read the same, each on a connection of its own. Where that takes longer than a tenth of its time, or fails, the next one
    reads it too, and so on; a value that is twice as old as it may be is good for nobody.
    """

    def __init__(self, *, size_max: int, seconds: float, monotonic: Callable[[], float]) -> None:
        self._size_max, self._seconds, self._monotonic = size_max, seconds, monotonic
        self._values: OrderedDict[K, tuple[float, float, V]] = OrderedDict()

    def get(self, key: K) -> V | None:
        """Return what is remembered, if it is still good and the caller is not the one to read it."""
        found = self._values.get(key)
        if found is None:
            return None
        good_until, over_at, value = found
        now = self._monotonic()
        if good_until < now:
            if now < over_at:
                self._values[key] = (min(now + self._seconds * _WHILE_READ_PART, over_at), over_at, value)
            return None
        self._values.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> None:
        """Remember a value; the one that was used longest ago makes room."""
        now = self._monotonic()
        self._values[key] = (now + self._seconds, now + 2 * self._seconds, value)
        self._values.move_to_end(key)
        if len(self._values) > self._size_max:
            self._values.popitem(last=False)

    def forget(self, key: K) -> None:
        """Read one of them anew."""
        self._values.pop(key, None)
