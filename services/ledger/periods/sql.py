"""Closed periods.

Nobody who posts waits for whoever closes. A period is written and committed first, so that every group that begins from
then on knows of it. A group that began before may still post into it: each holds a shared lock from its first statement to
its end, which nobody takes alone, and whoever closes waits until those that held it have gone.
"""

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from libs.common.contracts.ledger_books import Period
from libs.common.contracts.ledger_calendar import Calendar
from libs.common.db import Connection
from libs.common.db.statements import Statement
from libs.common.errors import Unavailable

# Two who close periods of one tenant do it one after the other; no group takes this lock.
_LOCK = Statement("SELECT pg_advisory_xact_lock(hashtextextended('closing a period of tenant ' || :tenant_id, 0))")

_LOCK_TIMEOUT_MILLISECONDS = 1000
"""How long the second one waits: the first one writes a line and is done."""


async def begin_closing(tx: Connection, tenant_id: str) -> None:
    """Keep others from closing a period of this tenant until the transaction ends.

    Raises:
        Unavailable: when somebody else takes too long about it.
    """
    await tx.execute(f"SET LOCAL lock_timeout = {_LOCK_TIMEOUT_MILLISECONDS}")
    try:
        await _LOCK.execute(tx, tenant_id=tenant_id)
    except asyncpg.LockNotAvailableError as fault:
        raise Unavailable("another period of the tenant is being closed") from fault


# A reader may rely on a period only once no group can post into it; whoever closes must see the others too, or would
# write one again.
_CLOSED_PERIODS = Statement("""
SELECT ends_before, closed_at, closed_by FROM periods AS p WHERE tenant_id = :tenant_id AND (:unfinished OR NOT EXISTS (
SELECT FROM closings_under_way AS c WHERE c.tenant_id = p.tenant_id AND c.ends_before = p.ends_before))
ORDER BY ends_before DESC
""")


async def closed_periods(connection: Connection, tenant_id: str, *, unfinished: bool) -> list[Period]:
    """List a tenant's closed periods, the latest first; those into which a group may still post only if `unfinished`."""
    rows = await _CLOSED_PERIODS.fetch(connection, tenant_id=tenant_id, unfinished=unfinished)
    return [Period(**dict(row)) for row in rows]


# In one commit: without the second row a reader would take the period for finished while a group still posts into it.
_WRITE_PERIOD = Statement("""
WITH closed AS (INSERT INTO periods (tenant_id, ends_before, closed_at, closed_by) VALUES (:tenant_id,
       :period.ends_before, :period.closed_at, :period.closed_by))
INSERT INTO closings_under_way (tenant_id, ends_before) VALUES (:tenant_id, :period.ends_before)
""")


async def write_period(tx: Connection, tenant_id: str, period: Period) -> None:
    """Write that a period is closed to the groups that begin after this transaction, and that others may not have ended."""
    await _WRITE_PERIOD.execute(tx, tenant_id=tenant_id, period=period)


# Before it is looked which groups are in progress: a period that is read here is committed, so a group that begins after
# that sees it.
_IN_PROGRESS = Statement("SELECT ends_before FROM closings_under_way WHERE tenant_id = :tenant_id")


async def closings_in_progress(connection: Connection, tenant_id: str) -> list[datetime]:
    """List the closed periods of a tenant into which a group may still post."""
    rows = await _IN_PROGRESS.fetch(connection, tenant_id=tenant_id)
    return [row["ends_before"] for row in rows]


# By name: the groups of a period that was closed meanwhile have not been waited for.
_END_CLOSINGS = Statement("""
DELETE FROM closings_under_way WHERE tenant_id = :tenant_id AND ends_before = ANY(:periods::timestamptz[])
""")


async def end_closings(connection: Connection, tenant_id: str, periods: Sequence[datetime]) -> None:
    """Write that no group is left that began before these periods were closed."""
    await _END_CLOSINGS.execute(connection, tenant_id=tenant_id, periods=list(periods))


# Who finishes the same closing at the same moment finds the same balances.
_WRITE_SEAL = Statement("""
INSERT INTO period_seals (tenant_id, ends_before, sha256, sealed_at)
VALUES (:tenant_id, :ends_before, :sha256, :sealed_at) ON CONFLICT DO NOTHING
""")


async def write_seal(
    tx: Connection, tenant_id: str, ends_before: datetime, *, sha256: bytes, sealed_at: datetime
) -> None:
    """Write what the books showed when a period was closed, as a checksum."""
    await _WRITE_SEAL.execute(tx, tenant_id=tenant_id, ends_before=ends_before, sha256=sha256, sealed_at=sealed_at)


# By the primary key, from its end.
_CALENDAR = Statement("""
SELECT zone, changed_at, changed_by FROM calendars WHERE tenant_id = :tenant_id ORDER BY revision DESC LIMIT 1
""")


async def calendar_of(connection: Connection, tenant_id: str) -> Calendar:
    """Read by which calendar a tenant's books are kept."""
    row = await _CALENDAR.fetchrow(connection, tenant_id=tenant_id)
    return Calendar(zone="UTC") if row is None else Calendar(**dict(row))


# Whoever writes one holds the lock of `begin_closing`, so that its number is the next.
_ADD_CALENDAR = Statement("""
INSERT INTO calendars (tenant_id, revision, zone, changed_at, changed_by)
SELECT :tenant_id, coalesce(max(revision), 0) + 1, :calendar.zone, :calendar.changed_at, :calendar.changed_by
  FROM calendars WHERE tenant_id = :tenant_id
""")


async def add_calendar(tx: Connection, tenant_id: str, calendar: Calendar) -> None:
    """Write by which calendar a tenant's books are kept from now on."""
    await _ADD_CALENDAR.execute(tx, tenant_id=tenant_id, calendar=calendar)
