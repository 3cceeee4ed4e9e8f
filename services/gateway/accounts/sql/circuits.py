"""What every process of the gateway reports of the processors that it calls, for a moment: it is renewed all the time."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from libs.common.contracts.gateway_requests import CircuitReport
from libs.common.db import Database
from libs.common.db.statements import Statement, columns_of, reader_of
from services.gateway.accounts.domain import CircuitSeen

REPORTED_FOR = timedelta(seconds=30)
"""How long a report counts: several times as long as until the next one."""

# One statement: what is reported, and what a process that has ended, or no longer holds an account up, has left behind.
_REPORT = Statement(
    """
WITH gone AS (
    DELETE FROM circuits
     WHERE CASE process WHEN :process::text
           THEN (name, is_account) NOT IN (SELECT * FROM unnest(:seen[].name::text[], :seen[].is_account::bool[]))
           ELSE seen_at < :before END
)
INSERT INTO circuits AS c (process, name, is_account, state, since, until, waiting, per_second, seen_at)
SELECT :process::text, s.*, :at
  FROM unnest(:seen[].name::text[], :seen[].is_account::bool[], :seen[].state::text[], :seen[].since::timestamptz[],
              :seen[].until::timestamptz[], :seen[].waiting::int[], :seen[].per_second::float8[]) AS s
    ON CONFLICT (process, name, is_account) DO UPDATE
   SET state = excluded.state, since = excluded.since, until = excluded.until, waiting = excluded.waiting,
       per_second = excluded.per_second, seen_at = excluded.seen_at
"""
)

# Those that hold something up first.
_REPORTS = Statement(
    """
SELECT {columns} FROM circuits WHERE seen_at >= :after
 ORDER BY state = 'closed', is_account, name, process LIMIT :limit
""",
    columns=columns_of(CircuitReport),
)
_read = reader_of(CircuitReport)


async def report(database: Database, seen: Sequence[CircuitSeen], *, process: str, at: datetime) -> None:
    """Write down what a process calls, in place of what it reported before."""
    await _REPORT.write(database, seen=seen, process=process, at=at, before=at - 2 * REPORTED_FOR)


async def reports(database: Database, *, at: datetime, limit: int) -> list[CircuitReport]:
    """Read what the processes that run have reported."""
    return [_read(row) for row in await _REPORTS.fetch(database, after=at - REPORTED_FOR, limit=limit)]
