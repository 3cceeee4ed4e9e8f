"""What was read and stays good for a while: configurations, and the adapters made of them."""

from collections import OrderedDict
from collections.abc import Callable


class Remembered[K, V]:
    """So many values for so many seconds; what is forgotten is read again."""

    def __init__(self, *, size_max: int, seconds: float, monotonic: Callable[[], float]) -> None:
        self._size_max, self._seconds, self._monotonic = size_max, seconds, monotonic
        self._values: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def get(self, key: K) -> V | None:
        """Return what is remembered, if it is still good."""
        found = self._values.get(key)
        if found is None or found[0] < self._monotonic():
            return None
        self._values.move_to_end(key)
        return found[1]

    def put(self, key: K, value: V) -> None:
        """Remember a value; the one that was used longest ago makes room."""
        self._values[key] = (self._monotonic() + self._seconds, value)
        self._values.move_to_end(key)
        if len(self._values) > self._size_max:
            self._values.popitem(last=False)

    def forget(self, key: K) -> None:
        """Read one of them anew."""
        self._values.pop(key, None)
