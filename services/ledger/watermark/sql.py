"""The watermark's one row."""

from datetime import datetime, timedelta

from libs.common.db import Connection
from libs.common.db.statements import Statement

# Without a lock: it only moves forward, and an earlier one is as right.
_FINAL_BEFORE = Statement("SELECT final_before FROM watermark WHERE id = 1")


async def final_before(connection: Connection) -> datetime:
    """Read the instant before which all that was recorded can be read, and nothing is added any more."""
    found: datetime = await _FINAL_BEFORE.fetchval(connection)
    return found


# Never ahead of the database's own clock: one host whose clock is ahead would move the time of record of everybody. Never
# back: of two that announce, the later instant stands.
_ANNOUNCE = Statement("""
UPDATE watermark SET refused_before = greatest(refused_before, least(:instant, clock_timestamp() - :lag::interval))
WHERE id = 1 RETURNING refused_before
""")


async def announce(connection: Connection, instant: datetime, *, lag: timedelta) -> datetime:
    """Let no group that begins from now on record anything before an instant; returns the one that holds."""
    found: datetime = await _ANNOUNCE.fetchval(connection, instant=instant, lag=lag)
    return found


# Never back: of two that have waited, the later instant stands.
_REACH = Statement("""
UPDATE watermark SET final_before = greatest(final_before, :instant) WHERE id = 1 RETURNING final_before
""")


async def reach(connection: Connection, instant: datetime) -> datetime:
    """Write that the groups have ended which began before this instant was announced; returns how far it is final."""
    found: datetime = await _REACH.fetchval(connection, instant=instant)
    return found
