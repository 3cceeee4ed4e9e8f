"""The SQL of closed months: written once, and never changed."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from libs.common.contracts.gateway_periods import ClosedMonth
from libs.common.contracts.gateway_reports import MatchedTotal
from libs.common.db import Connection, Database
from libs.common.db.statements import Statement, columns_of, reader_of, values_of
from services.gateway.reconciliation.periods.domain import Closing, LastSeal, StoredMonth

# Steps of one tenant's runs follow each other: two never write down the same discrepancy as new. While a month is closed no discrepancy is written down, and of two who close it
# one is the second.
_LOCK = Statement("SELECT pg_advisory_xact_lock(hashtextextended('reconciliation:' || :tenant_id, 0))")

# A run that has compared all of the month after it was over, by `ix_reconciliation_runs_tenant`: its id is not before the first
# instant that follows. The last one that could say of all of it whether it agrees, else the last one.
_COVERED = Statement("""
SELECT id, started_at,
       coalesce((progress::jsonb ->> 'early_from')::timestamptz >= :ends_before, progress::jsonb ->> 'early' IS NULL) AS is_certain
  FROM reconciliation_runs
 WHERE tenant_id = :tenant_id AND id >= :first_id AND state = 'complete' AND NOT is_dry
   AND window_from <= :begins_at AND window_until >= :ends_before ORDER BY is_certain DESC, started_at DESC LIMIT 1
""")

# When something of a month last became known: by `ix_processor_movements_window`; and of the files that have days of it by
# `ix_file_imports_tenant`, as lines bear the time at which their transaction began, which may be minutes before they are seen.
_KNOWN = Statement("""
SELECT greatest(
    (SELECT max(seen_at) FROM processor_movements
      WHERE tenant_id = :tenant_id AND created_at >= :begins_at AND created_at < :ends_before AND is_booked AND seen_at < :known_until),
    (SELECT max(ended_at) FROM file_imports
      WHERE tenant_id = :tenant_id AND status = 'IMPORTED' AND first_on < :end_on AND last_on >= :first_on)
) AS at
""")

# Accounts in use whose statement is not known to the end of the month: those that the tenant owns, and others on which something of it moved.
_UNREAD = Statement("""
SELECT a.account_id FROM stripe_accounts AS a
  LEFT JOIN processor_readings AS r ON (r.account_id, r.is_live, r.list) = (a.account_id, a.is_live, 'movements')
 WHERE (a.tenant_id = :tenant_id OR a.account_id = ANY (:accounts::text[])) AND a.processor IS NOT NULL
   AND (r.complete_until IS NULL OR r.complete_until < :ends_before) ORDER BY a.account_id
""")

# What happened before the end of the month and has been known for too long, by `ix_discrepancies_unsettled`: ids are in the order of
# when it happened. Those about lines are in the order of imports, and most statements are imported after their month, so the day of the
# line counts too, by its primary key.
_OVERDUE = Statement("""
SELECT id, count(*) OVER () AS number FROM discrepancies AS d
 WHERE tenant_id = :tenant_id AND state IN ('open', 'assigned', 'pending', 'reopened') AND found_at <= :found_until
   AND (id < :end_id OR CASE WHEN subject_kind = 'line' THEN
          (SELECT l.booked_on FROM statement_lines AS l WHERE l.id = d.subject::uuid AND l.tenant_id = :tenant_id LIMIT 1) END
        < :end_on::date)
 ORDER BY id LIMIT :limit
""")

# What happened before a month began, and became known since the month before was closed: within a day by `ix_processor_movements_window`, and
# later by `ix_processor_movements_late`, so that what has long been known is not passed over.
_LATE = Statement("""
SELECT account_id, is_live, currency, count(*) AS number
  FROM (SELECT account_id, is_live, currency FROM processor_movements
         WHERE tenant_id = :tenant_id AND created_at >= :known_from::timestamptz - interval '1 day' AND created_at < :begins_at AND is_booked
           AND seen_at >= :known_from AND seen_at < :known_until
        UNION ALL
        SELECT account_id, is_live, currency FROM processor_movements
         WHERE tenant_id = :tenant_id AND created_at < least(:known_from::timestamptz - interval '1 day', :begins_at) AND is_booked
           AND seen_at - created_at > interval '1 day' AND seen_at >= :known_from AND seen_at < :known_until) AS m
 GROUP BY account_id, is_live, currency
""")

# What agrees of a month's movements that its report has, by `ix_processor_movements_window` and the primary key of matches.
_MATCHED = Statement("""
SELECT m.currency, count(*) AS number, sum(abs(m.amount_minor))::int8 AS amount_minor
  FROM processor_movements AS m JOIN reconciliation_matches AS r USING (movement_id, tenant_id)
 WHERE m.tenant_id = :tenant_id AND m.created_at >= :begins_at AND m.created_at < :ends_before
   AND m.is_booked AND m.seen_at < :known_until
 GROUP BY m.currency ORDER BY m.currency
""")

# Under the lock, so it is not there.
_ADD = Statement(
    "INSERT INTO reconciliation_periods ({columns}) VALUES ({values})",
    columns=columns_of(StoredMonth),
    values=values_of("month", StoredMonth),
)

# Of the same transaction as the month.
_REMEMBER = Statement("""
INSERT INTO reconciliation_seals AS s (tenant_id, month, sha256, months) VALUES (:month.tenant_id, :month.month, :month.sha256, 1)
    ON CONFLICT (tenant_id) DO UPDATE SET month = excluded.month, sha256 = excluded.sha256, months = s.months + 1
""")

# By its primary key.
_LAST_SEAL = Statement(
    "SELECT {columns} FROM reconciliation_seals WHERE tenant_id = :tenant_id", columns=columns_of(LastSeal)
)

# By its primary key.
_GET = Statement(
    "SELECT {columns} FROM reconciliation_periods WHERE tenant_id = :tenant_id AND month = :month",
    columns=columns_of(StoredMonth),
)

# The latest first, by the primary key; months as text are in the order of time.
_LIST = Statement(
    """
SELECT {columns} FROM reconciliation_periods WHERE tenant_id = :tenant_id AND (:before = '' OR month < :before)
 ORDER BY month DESC LIMIT :limit::int
""",
    columns=columns_of(StoredMonth),
)

# The same without what is sealed.
_LIST_SHOWN = Statement(
    """
SELECT {columns} FROM reconciliation_periods WHERE tenant_id = :tenant_id AND (:before = '' OR month < :before)
 ORDER BY month DESC LIMIT :limit::int
""",
    columns=columns_of(ClosedMonth),
)

# A row for each month, without its report: by the primary key.
_CLOSINGS = Statement(
    "SELECT {columns} FROM reconciliation_periods WHERE tenant_id = :tenant_id ORDER BY month",
    columns=columns_of(Closing),
)

_stored, _closing = reader_of(StoredMonth), reader_of(Closing)
_matched, _shown, _last_seal = reader_of(MatchedTotal), reader_of(ClosedMonth), reader_of(LastSeal)


class Covering(msgspec.Struct, frozen=True, kw_only=True):
    """A run that has compared all of a window."""

    id: UUID
    started_at: datetime
    is_certain: bool
    """Whether of nothing before the end of the window it was too early to say whether it agrees."""


class Overdue(msgspec.Struct, frozen=True, kw_only=True):
    """Discrepancies that have been open for too long."""

    ids: list[UUID]
    """The first of them."""
    number: int
    """How many there are."""


_covering = reader_of(Covering)


async def lock(tx: Connection, tenant_id: str) -> None:
    """Wait for steps of the tenant's runs and for who closes, and keep others away, until the end of the transaction."""
    await _LOCK.fetchval(tx, tenant_id=tenant_id)


async def run_of(
    tx: Connection, tenant_id: str, *, begins_at: datetime, ends_before: datetime, first_id: UUID
) -> Covering | None:
    """Return the run that has compared all of a window and began last, of those that are certain; None where none has."""
    row = await _COVERED.fetchrow(
        tx, tenant_id=tenant_id, begins_at=begins_at, ends_before=ends_before, first_id=first_id
    )
    return None if row is None else _covering(row)


async def known_at(
    tx: Connection, tenant_id: str, *, begins_at: datetime, ends_before: datetime, known_until: datetime
) -> datetime | None:
    """Return when a movement or a file with days of a window last became known; None where it has none."""
    row = await _KNOWN.fetchrow(
        tx,
        tenant_id=tenant_id,
        begins_at=begins_at,
        ends_before=ends_before,
        first_on=begins_at.date(),
        end_on=ends_before.date(),
        known_until=known_until,
    )
    return None if row is None else row["at"]


async def overdue(
    tx: Connection, tenant_id: str, *, end_id: UUID, end_on: date, found_until: datetime, limit: int
) -> Overdue:
    """Find what happened before an id's time, or was booked before a day, and has been open since `found_until` or longer."""
    rows = await _OVERDUE.fetch(
        tx, tenant_id=tenant_id, end_id=end_id, end_on=end_on, found_until=found_until, limit=limit
    )
    return Overdue(ids=[row["id"] for row in rows], number=rows[0]["number"] if rows else 0)


async def late(
    tx: Connection, tenant_id: str, *, begins_at: datetime, known_from: datetime, known_until: datetime
) -> dict[tuple[str, bool, str], int]:
    """Count what became known too late, by account, mode and currency."""
    rows: Sequence[Any] = await _LATE.fetch(
        tx, tenant_id=tenant_id, begins_at=begins_at, known_from=known_from, known_until=known_until
    )
    return {(row["account_id"], row["is_live"], row["currency"]): row["number"] for row in rows}


async def unread(tx: Connection, tenant_id: str, *, ends_before: datetime, accounts: Sequence[str]) -> list[str]:
    """Find the tenant's accounts, and which of some others, whose statement is not known until then."""
    rows = await _UNREAD.fetch(tx, tenant_id=tenant_id, ends_before=ends_before, accounts=[*accounts])
    return [row["account_id"] for row in rows]


async def matched(
    tx: Connection, tenant_id: str, *, begins_at: datetime, ends_before: datetime, known_until: datetime
) -> list[MatchedTotal]:
    """Add up what agrees of what moved in a month and was known by then."""
    rows = await _MATCHED.fetch(
        tx, tenant_id=tenant_id, begins_at=begins_at, ends_before=ends_before, known_until=known_until
    )
    return [_matched(row) for row in rows]


async def add(tx: Connection, month: StoredMonth) -> None:
    """Write a closed month, for ever, and that it is the last one."""
    await _ADD.execute(tx, month=month)
    await _REMEMBER.execute(tx, month=month)


async def last_seal(tx: Connection, tenant_id: str) -> LastSeal | None:
    """Read which month was closed last; None where none was."""
    row = await _LAST_SEAL.fetchrow(tx, tenant_id=tenant_id)
    return None if row is None else _last_seal(row)


async def get(connection: Connection | Database, tenant_id: str, month: str) -> StoredMonth | None:
    """Read a closed month; None where it is open."""
    row = await _GET.fetchrow(connection, tenant_id=tenant_id, month=month)
    return None if row is None else _stored(row)


async def latest(
    connection: Connection | Database, tenant_id: str, *, before: str = "", limit: int
) -> list[StoredMonth]:
    """Read closed months, the latest first."""
    rows = await _LIST.fetch(connection, tenant_id=tenant_id, before=before, limit=limit)
    return [_stored(row) for row in rows]


async def shown(database: Database, tenant_id: str, *, before: str, limit: int) -> list[ClosedMonth]:
    """List closed months without their reports, the latest first."""
    rows = await _LIST_SHOWN.fetch(database, tenant_id=tenant_id, before=before, limit=limit)
    return [_shown(row) for row in rows]


async def last(connection: Connection | Database, tenant_id: str) -> StoredMonth | None:
    """Read the month that was closed last."""
    found = await latest(connection, tenant_id, limit=1)
    return found[0] if found else None


async def closings(connection: Connection | Database, tenant_id: str) -> list[Closing]:
    """Read which months are closed, in the order of time."""
    return [_closing(row) for row in await _CLOSINGS.fetch(connection, tenant_id=tenant_id)]
