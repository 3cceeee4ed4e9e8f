"""A place with one processor: the routing port where there is nothing to choose from."""

from contextlib import AbstractAsyncContextManager

from services.gateway.errors import ProcessorUnavailable
from services.gateway.processors.port import GuardedProcessor
from services.gateway.resilience import Bulkhead


class SoleProcessor:
    """A place with one processor, which serves everybody."""

    def __init__(self, processor: GuardedProcessor, bulkhead: Bulkhead | None = None) -> None:
        self._processor = processor
        self._bulkhead = bulkhead or Bulkhead(places=500, wait_seconds=5)

    async def choose(self, *, tenant_id: str, currency: str) -> str:
        """Name the one processor."""
        return self._processor.name

    def named(self, name: str) -> GuardedProcessor:
        """Return the one processor.

        Raises:
            ProcessorUnavailable: when another one is needed.
        """
        if name != self._processor.name:
            raise ProcessorUnavailable(f"there is no processor {name} in this place")
        return self._processor

    def place(self, name: str) -> AbstractAsyncContextManager[None]:
        """Wait in line for a place at the one processor."""
        return self._bulkhead.place(name)

    def available(self) -> list[str]:
        """Name the one processor, while it takes calls."""
        try:
            self._processor.ensure_available()
        except ProcessorUnavailable:
            return []
        return [self._processor.name]
