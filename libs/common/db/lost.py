"""Statements that a network has lost: both sides take the connection for open, and the server waits for what was sent.

Nothing that the driver sees tells such a statement from a slow one, so its caller would wait for its deadline, and then as long for
the end of the transaction; and the session at the server would keep the locks of its transaction for hours. The server can tell: it
shows what each session does. So it is queried, by a new connection, for the sessions whose statements have no answer for seconds.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from time import monotonic
from typing import Any

from libs.common import outages
from libs.common.db.connections import PooledConnection
from libs.common.observability.logging import get_logger

log = get_logger("db")

LOOK_EVERY_SECONDS = 1.0
WAITED_SECONDS = 3.0
"""How long a statement may have no answer before the server is queried."""
_IDLE_SECONDS = 1.0
"""How long a session must have had nothing to do, and its statement no answer, to count as lost: an answer may be about to arrive."""
_QUERY_SECONDS = 5.0
"""How long the server may take to answer; without an answer there is no evidence."""

_IDLE = """
SELECT pid, extract(epoch FROM clock_timestamp() - state_change)::float8 AS seconds FROM pg_stat_activity
 WHERE pid = ANY($1::int[]) AND usename = session_user AND application_name = current_setting('application_name')
   AND state IN ('idle', 'idle in transaction', 'idle in transaction (aborted)')
"""
_END = "SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid"


class LostStatements:
    """Ends the connections of one pool whose statements were lost, at both ends."""

    def __init__(
        self,
        connections: Callable[[], Iterable[PooledConnection]],
        connect: Callable[[], Awaitable[Any]],
        *,
        on_lost: Callable[[], None],
    ) -> None:
        """Prepare the watch of a pool.

        Args:
            connections: the pool's connections at this moment.
            connect: opens one more connection to the same server, as the same user and with the same application name.
            on_lost: is called once connections were lost.
        """
        self._connections = connections
        self._connect = connect
        self._on_lost = on_lost

    async def run(self) -> None:
        """Look for lost statements until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_SECONDS)
            now = monotonic()
            waiting = {
                each.get_server_pid(): (each, each.waits_since)
                for each in self._connections()
                if each.waits_since and now - each.waits_since > _IDLE_SECONDS and not each.is_closed()
            }
            if any(now - since > WAITED_SECONDS for _, since in waiting.values()):
                try:
                    async with asyncio.timeout(_QUERY_SECONDS):
                        await self._end_lost(waiting)
                except Exception as fault:
                    if outages.is_outage(fault):
                        # The server is away: whoever waits learns that without us.
                        log.info("database.sessions_unknown", cause=outages.cause_of(fault))
                    else:
                        # A fault of ours must not end the watch.
                        log.exception("database.sessions_unknown")

    async def _end_lost(self, waiting: dict[int, tuple[PooledConnection, float]]) -> None:
        separate = await self._connect()
        try:
            rows = await separate.fetch(_IDLE, list(waiting))
            lost = {row["pid"]: waiting[row["pid"]] for row in rows if row["seconds"] > _IDLE_SECONDS}
            # What has been answered meanwhile, or ended, is not lost.
            pids = [pid for pid, (each, since) in lost.items() if each.waits_since == since and not each.is_closed()]
            if not pids:
                return
            log.warning("database.statements_lost", sessions=len(pids))
            self._on_lost()
            for pid in pids:
                lost[pid][0].terminate()
            # Their transactions hold locks until the server learns that nobody is there.
            await separate.execute(_END, pids)
        finally:
            separate.terminate()
