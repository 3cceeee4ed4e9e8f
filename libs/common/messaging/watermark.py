"""Where a relay's claim starts: a lower bound on `seq`, so that a claim never walks over what was sent long ago.

While an old snapshot is open (a dump, a long report) PostgreSQL keeps every deleted row and its index entry, and a claim
that starts at the lowest `seq` reads all of them. The bound follows the highest `seq` that was sent, and lags behind it,
since transactions commit in another order than they took their `seq`: a row that becomes visible within the lag is
claimed by the next round. One that comes later still is found by a scan without the bound, at the latest
`FULL_SCAN_SECONDS` after its commit, or after twenty times the duration of such a scan where that is longer.
"""

from collections import deque
from collections.abc import Sequence

LAG_SECONDS = 1.0
"""How far the bound stays behind: longer than nearly every transaction that publishes."""
FULL_SCAN_SECONDS = 5.0
"""Pause between two claims without the bound."""
_FULL_SCAN_SHARE = 20
"""A scan without the bound takes at most one part in so many of the relay's time."""
_MARK_SECONDS = 0.1
"""Rounds within this time share one mark."""


class Watermark:
    """The bound of one relay, in memory; instants are those of a monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._floor = 0
        self._marks: deque[tuple[float, int]] = deque()
        self._full_scan_at = 0.0

    def start(self, now: float) -> int:
        """The `seq` above which the next claim looks; 0 when a full scan is due."""
        if now >= self._full_scan_at:
            return 0
        while self._marks and self._marks[0][0] <= now - LAG_SECONDS:
            self._floor = self._marks.popleft()[1]
        return self._floor

    def scanned(self, *, began: float, now: float) -> None:
        """Note a claim without the bound, and when the next one is due."""
        self._full_scan_at = now + max(FULL_SCAN_SECONDS, (now - began) * _FULL_SCAN_SHARE)

    def sent(self, seqs: Sequence[int], now: float) -> None:
        """Note what was sent and deleted."""
        low, high = min(seqs), max(seqs)
        highest = self._marks[-1][1] if self._marks else self._floor
        if low <= self._floor or high < highest:
            # A row that committed late, or a sequence that a failover to another server has set back.
            self._floor = min(self._floor, low - 1)
            self._marks.clear()
        if len(self._marks) > 1 and self._marks[-1][0] - self._marks[-2][0] < _MARK_SECONDS:
            self._marks.pop()
        self._marks.append((now, high))

    def reset(self) -> None:
        """Forget the bound: after an outage the server may be another one."""
        self._floor, self._full_scan_at = 0, 0.0
        self._marks.clear()
