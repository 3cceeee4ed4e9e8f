"""The large bodies that are being received or worked on, by tenant: the flood of one leaves room for those of another."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from libs.common.errors import Overloaded
from libs.common.settings import HttpSettings
from libs.common.web.connections import LARGE_BODY_BYTES, large_bodies_bytes_max

_TENANT_PARTS = 2
"""One tenant has one of so many parts of the room for large bodies."""


class LargeBodies:
    """Counts what tenants have announced; each may always send one large body."""

    def __init__(self, http: HttpSettings) -> None:
        self._tenant_bytes_max = large_bodies_bytes_max(http) // _TENANT_PARTS
        self._held: Counter[str] = Counter()

    @contextmanager
    def of(self, tenant_id: str, body_bytes: int) -> Iterator[None]:
        """Hold the room of a body for the length of the block; of one that is not large, none.

        Raises:
            HttpProblem: 503 when the tenant has too many of them in progress.
        """
        if body_bytes <= LARGE_BODY_BYTES:
            yield
            return
        held = self._held[tenant_id]
        if held and held + body_bytes > self._tenant_bytes_max:
            raise Overloaded("too many large bodies of this tenant are in progress; try again shortly")
        self._held[tenant_id] += body_bytes
        try:
            yield
        finally:
            self._held[tenant_id] -= body_bytes
            if not self._held[tenant_id]:
                del self._held[tenant_id]


__all__ = ["LargeBodies"]
