"""Keeping the log of requests: noted as they are answered, written some at a time, and never waited for."""

from collections.abc import Sequence
from datetime import datetime

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.ids import new_id
from libs.common.observability.logging import get_logger
from services.api import metrics
from services.api.http.passages import Passage
from services.api.request_log import sql
from services.api.request_log.domain import LoggedRequest

log = get_logger("api.request_log")

WAITING_MAX = 5_000
"""Lines that wait to be written at most; where the database is slower than requests come, what is above it is left out."""
_TOGETHER = 500
"""Lines that are written at a time."""


class RequestLog:
    """The log of this process's requests. It costs a request a few microseconds, and whoever waits for one nothing."""

    def __init__(self, database: Database, *, clock: Clock, per_second: int, waiting_max: int = WAITING_MAX) -> None:
        """Prepare.

        Args:
            database: where it is written.
            clock: the time.
            per_second: lines of one tenant in a second at most, so that a busy one fills no disk; what is above is counted.
            waiting_max: lines that wait to be written at most.
        """
        self._database = database
        self._clock = clock
        self._per_second = per_second
        self._waiting_max = waiting_max
        self._waiting: list[LoggedRequest] = []
        self._second = 0
        self._counts: dict[str, int] = {}

    def has_place(self, tenant_id: str) -> bool:
        """Whether one more request of a tenant is noted in this second; what is not is counted."""
        second = int(self._clock.now().timestamp())
        if second != self._second:
            self._second = second
            self._counts.clear()
        count = self._counts[tenant_id] = self._counts.get(tenant_id, 0) + 1
        reason = "rate" if count > self._per_second else "full" if len(self._waiting) >= self._waiting_max else ""
        if reason:
            metrics.REQUESTS_UNLOGGED.labels(reason).inc()
        return not reason

    def note(self, passage: Passage) -> None:
        """Note a request that was answered."""
        self._waiting.append(_line_of(passage, self._clock.now()))

    async def write(self) -> None:
        """Write what waits; what the database does not take is left out, since it would be in the way of what comes."""
        while self._waiting:
            lines, self._waiting = self._waiting[:_TOGETHER], self._waiting[_TOGETHER:]
            await self._write(lines)

    async def _write(self, lines: Sequence[LoggedRequest]) -> None:
        try:
            await sql.write(self._database, lines)
        except BaseException:
            metrics.REQUESTS_UNLOGGED.labels("store").inc(len(lines))
            raise
        metrics.REQUESTS_LOGGED.inc(len(lines))


def _line_of(passage: Passage, now: datetime) -> LoggedRequest:
    return LoggedRequest(
        tenant_id=passage.tenant_id,
        id=new_id(now),
        answered_at=now,
        method=passage.method,
        route=passage.route,
        path=passage.path,
        status=passage.status,
        code=passage.code,
        duration_ms=passage.duration_ms,
        actor=passage.actor,
        correlation_id=passage.correlation_id,
        idempotency_key=passage.idempotency_key,
        address=passage.address,
        user_agent=passage.user_agent,
    )
