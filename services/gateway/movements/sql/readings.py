"""The SQL of readings: which list of which account is due, claimed by one process at a time."""

from datetime import datetime, timedelta

import msgspec

from libs.common.db import Database
from libs.common.db.statements import Statement, reader_of
from services.gateway.movements.domain import ListKind, Reading, StatementAccount

# Whatever is there already is only looked up.
_ENSURE = Statement("""
INSERT INTO processor_readings (account_id, is_live, list, next_at)
SELECT a.account_id, a.is_live, l.list, :now FROM stripe_accounts AS a CROSS JOIN unnest(:lists::text[]) AS l (list)
 WHERE a.processor IS NOT NULL AND NOT EXISTS (
       SELECT FROM processor_readings AS r WHERE (r.account_id, r.is_live, r.list) = (a.account_id, a.is_live, l.list))
ON CONFLICT DO NOTHING
""")

# Accounts that nobody charges through any more are left out, as is whatever another process holds.
_CLAIM = Statement(
    """
WITH due AS (
    SELECT r.account_id, r.is_live, r.list, a.tenant_id, a.processor, a.known_at, a.booked_from, a.opening_due, a.opened_at
      FROM processor_readings AS r JOIN stripe_accounts AS a USING (account_id, is_live)
     WHERE r.next_at <= :now AND a.processor IS NOT NULL
     ORDER BY r.next_at LIMIT :limit FOR UPDATE OF r SKIP LOCKED
)
UPDATE processor_readings AS r SET next_at = :now + :lease::interval, turn = r.turn + 1 FROM due
 WHERE (r.account_id, r.is_live, r.list) = (due.account_id, due.is_live, due.list)
RETURNING {columns}, due.tenant_id, due.processor, due.known_at, due.booked_from, due.opening_due, due.opened_at
""",
    columns=", ".join(f"r.{name}" for name in Reading.__struct_fields__),
)

# Whose lease has ended saves nothing once another has claimed the list.
_SAVE = Statement("""
UPDATE processor_readings
   SET since = :reading.since, cursor = :reading.cursor, began_at = :reading.began_at,
       complete_until = :reading.complete_until, deep_at = :reading.deep_at, next_at = :reading.next_at,
       failures = :reading.failures, is_whole = :reading.is_whole
 WHERE account_id = :reading.account_id AND is_live = :reading.is_live AND list = :reading.list AND turn = :reading.turn
""")

# Counts 0 where the lease ended and another process has claimed the list: whoever renews it then reads no further.
_RENEW = Statement("""
UPDATE processor_readings SET next_at = :now::timestamptz + :lease::interval
 WHERE account_id = :reading.account_id AND is_live = :reading.is_live AND list = :reading.list AND turn = :reading.turn
""")

# By `ix_processor_movements_pending`. What is to become available later need not be read again yet.
_OLDEST_MOVEMENT = Statement("""
SELECT min(created_at) AS oldest FROM processor_movements
 WHERE account_id = :account.account_id AND is_live = :account.is_live AND status = 'pending' AND available_at <= :now
""")

# A payout that is paid may still fail, for some days.
_OLDEST_PAYOUT = Statement("""
SELECT min(created_at) AS oldest FROM processor_payouts
 WHERE account_id = :account.account_id AND is_live = :account.is_live
   AND (status IN ('pending', 'in_transit') OR (status = 'paid' AND created_at > :now::timestamptz - interval '15 days'))
""")

# From `known_at` where no round was complete yet, so that a list that could never be read shows as well.
_LAG = Statement("""
SELECT r.list, max(extract(epoch FROM :now::timestamptz - coalesce(r.complete_until, a.known_at))) AS seconds, max(r.failures) AS failures
  FROM processor_readings AS r JOIN stripe_accounts AS a USING (account_id, is_live)
 WHERE a.processor IS NOT NULL GROUP BY r.list
""")

_read = reader_of(Reading)
_read_account = reader_of(StatementAccount)


class Lag(msgspec.Struct, frozen=True, kw_only=True):
    """How far behind the lists of one kind are, over all accounts."""

    list: ListKind
    """Which list."""
    seconds: float
    """Since when the furthest one behind was not read completely."""
    failures: int
    """Pages in a row that one of them could not have."""


async def ensure(database: Database, *, now: datetime) -> None:
    """Make every list of every account in use known."""
    async with database.connection() as connection:
        await _ENSURE.execute(connection, now=now, lists=[kind.value for kind in ListKind])


async def claim(
    database: Database, *, now: datetime, lease: timedelta, limit: int
) -> list[tuple[Reading, StatementAccount]]:
    """Take lists that are due, each for one process at a time, until the lease ends."""
    rows = await _CLAIM.fetch(database, now=now, lease=lease, limit=limit)
    return [(_read(row), _read_account(row)) for row in rows]


async def save(database: Database, reading: Reading) -> None:
    """Write down how far a list was read."""
    async with database.connection() as connection:
        await _SAVE.execute(connection, reading=reading)


async def renew(database: Database, reading: Reading, *, now: datetime, lease: timedelta) -> bool:
    """Keep a list for as long again; returns False where another process has it since."""
    async with database.connection() as connection:
        return await _RENEW.execute(connection, reading=reading, now=now, lease=lease) == 1


async def oldest_open(
    database: Database, account: StatementAccount, kind: ListKind, *, now: datetime
) -> datetime | None:
    """When the oldest thing of a list was made that is still to change; None where nothing is."""
    statement = {ListKind.MOVEMENTS: _OLDEST_MOVEMENT, ListKind.PAYOUTS: _OLDEST_PAYOUT}.get(kind)
    if statement is None:
        return None
    row = await statement.fetchrow(database, account=account, now=now)
    return None if row is None else row["oldest"]


async def lags(database: Database, *, now: datetime) -> list[Lag]:
    """How far behind each kind of list is."""
    return [
        Lag(list=ListKind(row["list"]), seconds=float(row["seconds"]), failures=row["failures"])
        for row in await _LAG.fetch(database, now=now)
    ]
