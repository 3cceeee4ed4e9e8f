"""The open connections of one server: how many there may be, and for how long each may keep us waiting.

Each connection has the instant by which something must have happened; one sweep a second looks at all of them. A timer
for each would be made and cancelled several times in every request.
"""

import asyncio
import resource
from collections.abc import Collection
from typing import Protocol

from libs.common.observability import metrics
from libs.common.observability.logging import get_logger
from libs.common.settings import HttpSettings

log = get_logger("web.connections")

_SWEEP_SECONDS = 1.0
_SWEEPS_PER_LIMIT = 4
"""A limit is exceeded by at most one part of so many of it, or by a second."""
_CROWDED = 0.75
"""From this part of the connections on, idle ones make room."""
_CROWDED_IDLE_SECONDS = 5.0
"""How long a connection may then be idle."""
_LINGERING_MAX = 200
"""Connections beyond the limit that may wait for their refusal to be read; the next one is cut off."""
_FREE_BODY_BYTES = 16_384
"""The beginning of each body counts for nothing: a payment finds room however many files are being sent."""

LARGE_BODY_BYTES = 262_144
"""A body of more bytes than this is large: only lists of journal entries are."""
_LARGE_PART = 0.75
"""The part of all bytes of bodies that large ones may take together: however slowly they come, others find room."""

_OTHER_FILES = 500
"""Files and connections of other kinds that a process may have open."""


def allow_open_files(http: HttpSettings) -> None:
    """Raise this process's own limit of open files to what its connections need, as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = http.http_connections_max + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        if allowed < needed:
            log.warning("files.limited", allowed=allowed, needed=needed, setting="HTTP_CONNECTIONS_MAX")


class Connection(Protocol):
    """What is swept."""

    def sweep(self, now: float, *, idle_max_seconds: float) -> None:
        """End what has kept us waiting for too long, by the clock of the event loop."""


class Connections:
    """The bounds of a server's connections, and the sweep that enforces those of time."""

    def __init__(self, http: HttpSettings) -> None:
        self.http = http
        self._large_bytes_max = large_bodies_bytes_max(http)
        limits = (
            http.http_header_seconds,
            http.http_body_seconds,
            http.http_write_seconds,
            float(http.http_keep_alive_seconds),
        )
        self._every_seconds = min(_SWEEP_SECONDS, min(limits) / _SWEEPS_PER_LIMIT)
        self._is_sweeping = False
        self._body_bytes = 0
        """Bytes of bodies that are held or promised, without the beginnings that count for nothing."""
        self._large_bytes = 0
        """Those of large bodies among them."""
        self._count_shown = self._body_bytes_shown = 0
        """What the metrics show of these."""

    def admits(self, count: int) -> bool:
        """Whether there may be so many connections."""
        return count <= self.http.http_connections_max

    def may_linger(self, count: int) -> bool:
        """Whether so many connections leave room for one that is refused politely."""
        return count <= self.http.http_connections_max + _LINGERING_MAX

    def has_room(self, body_bytes: int) -> bool:
        """Whether a body of so many bytes could be held besides those that are."""
        counted, large = _counted(body_bytes), _counted_large(body_bytes)
        if self._body_bytes + counted > self.http.http_bodies_bytes_max:
            return False
        return not large or self._large_bytes + large <= self._large_bytes_max

    def promised(self, body_bytes: int) -> int:
        """Return what of a body that is announced counts from now on: all of a large one, so that none is begun in vain."""
        return body_bytes if body_bytes > LARGE_BODY_BYTES else 0

    def hold(self, before: int, after: int) -> bool:
        """Count a body that grows; whether there is room for it. `hold(n, 0)` gives all of it back."""
        self._body_bytes += _counted(after) - _counted(before)
        large = _counted_large(after)
        self._large_bytes += large - _counted_large(before)
        if self._body_bytes > self.http.http_bodies_bytes_max:
            return False
        return not large or self._large_bytes <= self._large_bytes_max

    def show(self, count: int) -> None:
        """Bring the metrics up to date: once a second and when a connection ends, not at each part of a body."""
        # By the difference, since a process may have several servers.
        metrics.HTTP_CONNECTIONS.inc(count - self._count_shown)
        metrics.HTTP_BODY_BYTES.inc(self._body_bytes - self._body_bytes_shown)
        self._count_shown, self._body_bytes_shown = count, self._body_bytes

    def watch(self, loop: asyncio.AbstractEventLoop, connections: Collection[Connection]) -> None:
        """Sweep `connections` until there are none left."""
        if not self._is_sweeping:
            self._is_sweeping = True
            loop.call_later(self._every_seconds, self._sweep, loop, connections)

    def _sweep(self, loop: asyncio.AbstractEventLoop, connections: Collection[Connection]) -> None:
        now, count = loop.time(), len(connections)
        self.show(count)
        is_crowded = count > self.http.http_connections_max * _CROWDED
        keep = float(self.http.http_keep_alive_seconds)
        idle_max_seconds = min(_CROWDED_IDLE_SECONDS, keep) if is_crowded else keep
        for connection in list(connections):
            connection.sweep(now, idle_max_seconds=idle_max_seconds)
        self._is_sweeping = count > 0
        if self._is_sweeping:
            loop.call_later(self._every_seconds, self._sweep, loop, connections)


def large_bodies_bytes_max(http: HttpSettings) -> int:
    """Return how many bytes large bodies may take together: one of the largest always finds room when there is no other."""
    return max(int(http.http_bodies_bytes_max * _LARGE_PART), _counted(http.http_body_bytes_max))


def _counted(body_bytes: int) -> int:
    return max(0, body_bytes - _FREE_BODY_BYTES)


def _counted_large(body_bytes: int) -> int:
    return _counted(body_bytes) if body_bytes > LARGE_BODY_BYTES else 0
