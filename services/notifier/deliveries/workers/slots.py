"""How many attempts may be in progress, in total and towards each endpoint, so that the slow do not delay the quick.

An endpoint earns its share: it begins with a few attempts at once, gets twice as many with every quick answer up to the
limit, loses half when it says that it is overloaded, and is down to one when it does not answer. All endpoints that have
not proved themselves share one half of the slots, so the other half is always there for those that answer.
"""

from collections import Counter, OrderedDict
from uuid import UUID

from services.notifier.sending import Answer

_SLOTS_FIRST = 4
"""Attempts at once towards an endpoint of which nothing is known."""
_QUICK_SECONDS = 1.0
"""An answer that took longer earns nothing."""
_KNOWN_MAX = 2_000
"""Endpoints remembered beside those with attempts in progress; the longest unused is forgotten first."""
_UNPROVED_SHARE = 2
"""Endpoints that have not proved themselves may hold one part in so many."""


class _Share:
    __slots__ = ("in_flight", "is_proved", "slots")

    def __init__(self) -> None:
        self.in_flight = 0
        self.slots = _SLOTS_FIRST
        self.is_proved = False


class Slots:
    """The slots of one process."""

    def __init__(self, *, total: int, endpoint_max: int) -> None:
        self._total = total
        self._endpoint_max = endpoint_max
        self._first = min(_SLOTS_FIRST, endpoint_max)
        self._unproved_max = max(1, total // _UNPROVED_SHARE)
        self._shares: OrderedDict[UUID, _Share] = OrderedDict()
        self.in_flight = 0
        self.of_tenants: Counter[str] = Counter()
        self._unproved = 0

    @property
    def free(self) -> int:
        """Attempts that may begin now."""
        return max(0, self._total - self.in_flight)

    @property
    def for_unknown(self) -> int:
        """Attempts that may begin now towards an endpoint of which nothing is known."""
        return self._first if self._unproved < self._unproved_max else 0

    def for_known(self) -> dict[UUID, int]:
        """Attempts that may begin now, for each endpoint of which something is known."""
        has_room = self._unproved < self._unproved_max
        return {
            endpoint_id: max(0, min(share.slots, self._endpoint_max) - share.in_flight)
            if has_room or share.is_proved
            else 0
            for endpoint_id, share in self._shares.items()
        }

    def take(self, endpoint_id: UUID, *, tenant_id: str) -> None:
        """Begin an attempt."""
        self.of_tenants[tenant_id] += 1
        share = self._shares.setdefault(endpoint_id, _Share())
        self._shares.move_to_end(endpoint_id)
        share.in_flight += 1
        self.in_flight += 1
        self._unproved += not share.is_proved

    def give_back(self, endpoint_id: UUID, answer: Answer | None, *, tenant_id: str, seconds: float) -> None:
        """End an attempt; `answer` is None when none was made after all."""
        self.of_tenants[tenant_id] -= 1
        if self.of_tenants[tenant_id] == 0:
            del self.of_tenants[tenant_id]
        share = self._shares[endpoint_id]
        share.in_flight -= 1
        self.in_flight -= 1
        self._unproved -= not share.is_proved
        if answer is not None:
            self._judge(share, answer, seconds=seconds)
        self._forget()

    def _judge(self, share: _Share, answer: Answer, *, seconds: float) -> None:
        was_proved = share.is_proved
        if answer.error is not None or answer.status_code is None:
            share.slots, share.is_proved = 1, False
        elif answer.status_code == 429 or answer.status_code >= 500:
            share.slots = max(1, share.slots // 2)
        elif seconds <= _QUICK_SECONDS:
            share.slots, share.is_proved = min(self._endpoint_max, share.slots * 2), True
        # Attempts still in progress move to the other half with their endpoint.
        self._unproved += share.in_flight * (was_proved - share.is_proved)

    def _forget(self) -> None:
        excess = len(self._shares) - _KNOWN_MAX
        if excess <= 0:
            return
        idle = [endpoint_id for endpoint_id, share in self._shares.items() if share.in_flight == 0][:excess]
        for endpoint_id in idle:
            del self._shares[endpoint_id]
