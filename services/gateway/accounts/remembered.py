"""What was read and stays good for a while: configurations, and the adapters made of them."""

from collections import OrderedDict
from collections.abc import Callable

_WHILE_READ_PART = 0.1
"""For which part of its time more a value is good while one of those who need it reads it again."""


class Remembered[K, V]:
    """So many values for so many seconds; what is forgotten is read again.

    Whoever first finds that a value is old reads it, while the others go on with it for a tenth of its time: else all that is in
    progress at that moment would read the same, each on a connection of its own.
    """

    def __init__(self, *, size_max: int, seconds: float, monotonic: Callable[[], float]) -> None:
        self._size_max, self._seconds, self._monotonic = size_max, seconds, monotonic
        self._values: OrderedDict[K, tuple[float, V, bool]] = OrderedDict()

    def get(self, key: K) -> V | None:
        """Return what is remembered, if it is still good and the caller is not the one to read it."""
        found = self._values.get(key)
        if found is None:
            return None
        good_until, value, is_being_read = found
        if good_until < self._monotonic():
            if not is_being_read:
                self._values[key] = (good_until + self._seconds * _WHILE_READ_PART, value, True)
            return None
        self._values.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> None:
        """Remember a value; the one that was used longest ago makes room."""
        self._values[key] = (self._monotonic() + self._seconds, value, False)
        self._values.move_to_end(key)
        if len(self._values) > self._size_max:
            self._values.popitem(last=False)

    def forget(self, key: K) -> None:
        """Read one of them anew."""
        self._values.pop(key, None)
