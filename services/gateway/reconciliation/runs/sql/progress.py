"""Runs: which one is due, and how far it is."""

from datetime import datetime, timedelta
from uuid import UUID

from libs.common.db import Connection, Database
from libs.common.db.statements import Statement, columns_of, reader_of, values_of
from services.gateway.reconciliation.runs.domain.run import Run

_COLUMNS = columns_of(Run)
_read = reader_of(Run)

# Requested or due again: the row that is there counts.
_ADD = Statement(
    "INSERT INTO reconciliation_runs ({columns}) VALUES ({values}) ON CONFLICT (id, tenant_id) DO NOTHING",
    columns=_COLUMNS,
    values=values_of("run", Run),
)

# What somebody has requested and is not over: by `ix_reconciliation_runs_due`.
_COUNT_OPEN = Statement(
    "SELECT count(*) FROM reconciliation_runs WHERE tenant_id = :tenant_id AND next_at IS NOT NULL AND requested_by <> ''"
)

# By its primary key.
_GET = Statement(
    "SELECT {columns} FROM reconciliation_runs WHERE id = :id AND tenant_id = :tenant_id", columns=_COLUMNS
)

# Once, in the transaction that completes the run.
_KEEP_REPORT = Statement(
    "UPDATE reconciliation_runs SET report = :report WHERE id = :run.id AND tenant_id = :run.tenant_id AND report IS NULL"
)

# By its primary key. Apart from `_GET`: lists and steps need no reports.
_REPORT = Statement("SELECT report FROM reconciliation_runs WHERE id = :id AND tenant_id = :tenant_id")

# Newest first, by `ix_reconciliation_runs_tenant`.
_LIST = Statement(
    """
SELECT {columns} FROM reconciliation_runs WHERE tenant_id = :tenant_id AND (:before::uuid IS NULL OR id < :before)
 ORDER BY id DESC LIMIT :limit::int
""",
    columns=_COLUMNS,
)

# One process at a time goes on with a run, and one run of a tenant at a time; whoever crashes leaves both to another when the lease
# ends. Whose tenant was served longest ago comes first, so that none waits for all runs of another. Of two processes that take two runs
# of one tenant the second updates no turn, and takes none.
_CLAIM = Statement(
    """
WITH due AS (
    SELECT r.id, r.tenant_id FROM reconciliation_runs AS r LEFT JOIN reconciliation_turns AS t USING (tenant_id)
     WHERE r.next_at <= :now AND (t.busy_until IS NULL OR t.busy_until <= :now)
     ORDER BY t.served_at NULLS FIRST, r.next_at LIMIT 1 FOR UPDATE OF r SKIP LOCKED
), turn AS (
    INSERT INTO reconciliation_turns AS t (tenant_id, served_at, busy_until)
    SELECT tenant_id, :now, :now::timestamptz + :lease::interval FROM due
        ON CONFLICT (tenant_id) DO UPDATE SET served_at = excluded.served_at, busy_until = excluded.busy_until
     WHERE t.busy_until <= :now
    RETURNING t.tenant_id
)
UPDATE reconciliation_runs AS r SET next_at = :now::timestamptz + :lease::interval, turn = r.turn + 1
  FROM due JOIN turn USING (tenant_id)
 WHERE (r.id, r.tenant_id) = (due.id, due.tenant_id)
RETURNING {columns}
""",
    columns=", ".join(f"r.{name}" for name in Run.__struct_fields__),
)

# Counts 0 where the lease ended and another process goes on, with this run or with another one of the tenant: then nothing of the step
# may be written. As long as a run is held, the turn of its tenant ends when its lease does.
_SAVE = Statement("""
WITH held AS (
    SELECT r.id, r.tenant_id FROM reconciliation_runs AS r JOIN reconciliation_turns AS t USING (tenant_id)
     WHERE r.id = :run.id AND r.tenant_id = :run.tenant_id AND r.turn = :run.turn AND r.state = 'running' AND t.busy_until = r.next_at
       FOR UPDATE
), saved AS (
    UPDATE reconciliation_runs AS r
       SET state = :run.state, phase = :run.phase, cursor = :run.cursor, progress = :run.progress, failures = :run.failures,
           reason = :run.reason, ended_at = :run.ended_at, next_at = :run.next_at
      FROM held WHERE (r.id, r.tenant_id) = (held.id, held.tenant_id) RETURNING r.tenant_id
)
UPDATE reconciliation_turns AS t SET busy_until = :busy_until FROM saved WHERE t.tenant_id = saved.tenant_id
""")

# The function keeps 90 days whatever is passed, since the role may not delete by itself.
_FORGET = Statement("SELECT forget_reconciliation(:before, :limit) AS number")

# Tenants with an account of their own, and tenants for whom something moved; the second by steps through
# `ix_processor_movements_window`.
_TENANTS = Statement("""
WITH RECURSIVE moved (tenant_id) AS (
    (SELECT tenant_id FROM processor_movements ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT m.tenant_id FROM processor_movements AS m WHERE m.tenant_id > moved.tenant_id ORDER BY m.tenant_id LIMIT 1)
      FROM moved WHERE moved.tenant_id IS NOT NULL
)
SELECT tenant_id FROM moved WHERE tenant_id IS NOT NULL UNION SELECT tenant_id FROM stripe_accounts WHERE processor IS NOT NULL
""")

# Whether the schedule has made a run of a tenant since then, by the primary key of its time; and whether one goes on.
_SCHEDULED = Statement("""
SELECT coalesce(bool_or(id >= :since), false) AS is_made, coalesce(bool_or(next_at IS NOT NULL), false) AS goes_on
  FROM reconciliation_runs
 WHERE tenant_id = :tenant_id AND requested_by = '' AND (id >= :since OR next_at IS NOT NULL)
""")

# Every run that goes on, by `ix_reconciliation_runs_due`.
_RUNNING = Statement("""
SELECT count(*) AS number, coalesce(max(extract(epoch FROM :now::timestamptz - started_at)), 0) AS seconds
  FROM reconciliation_runs WHERE next_at IS NOT NULL
""")


async def add(database: Database, run: Run) -> Run:
    """Write a run, unless it is there; returns the one that is."""
    async with database.connection() as connection:
        await _ADD.execute(connection, run=run)
    found = await get(database, run.tenant_id, run.id)
    return run if found is None else found


async def count_open(database: Database, tenant_id: str) -> int:
    """Count the requested runs of a tenant that are not over."""
    row = await _COUNT_OPEN.fetchrow(database, tenant_id=tenant_id)
    return 0 if row is None else int(row["count"])


async def get(database: Database, tenant_id: str, run_id: UUID) -> Run | None:
    """Read a run; None where the tenant has no such."""
    row = await _GET.fetchrow(database, tenant_id=tenant_id, id=run_id)
    return None if row is None else _read(row)


async def keep_report(tx: Connection, run: Run, report: str) -> None:
    """Write down the report of a run, as JSON."""
    await _KEEP_REPORT.execute(tx, run=run, report=report)


async def report_of(database: Database, tenant_id: str, run_id: UUID) -> str | None:
    """Read the report of a run, as JSON; None where it has none."""
    row = await _REPORT.fetchrow(database, tenant_id=tenant_id, id=run_id)
    return None if row is None else row["report"]


async def list_newest(database: Database, tenant_id: str, *, before: UUID | None, limit: int) -> list[Run]:
    """List runs, newest first."""
    return [_read(row) for row in await _LIST.fetch(database, tenant_id=tenant_id, before=before, limit=limit)]


async def claim(database: Database, *, now: datetime, lease: timedelta) -> Run | None:
    """Take the run that has been due for longest; None where none is."""
    rows = await _CLAIM.fetch(database, now=now, lease=lease)
    return _read(rows[0]) if rows else None


async def save(tx: Connection, run: Run, *, busy_until: datetime) -> bool:
    """Write down how far a run is, and until when no other run of the tenant goes on; returns False where it is another process's by now."""
    return await _SAVE.execute(tx, run=run, busy_until=busy_until) == 1


async def forget(database: Database, *, before: datetime, limit: int) -> int:
    """Delete runs, matches and settled discrepancies of long ago; returns how many of the kind of which there were most."""
    row = await _FORGET.fetchrow(database, before=before, limit=limit)
    return 0 if row is None else int(row["number"])


async def tenants(database: Database) -> list[str]:
    """List the tenants that have something to compare."""
    return sorted(row["tenant_id"] for row in await _TENANTS.fetch(database))


async def scheduled_since(database: Database, tenant_id: str, since: UUID) -> tuple[bool, bool]:
    """Return whether the schedule has made a run of a tenant since then, and whether an earlier one of it goes on."""
    row = await _SCHEDULED.fetchrow(database, tenant_id=tenant_id, since=since)
    return (False, False) if row is None else (row["is_made"], row["goes_on"])


async def running(database: Database, *, now: datetime) -> tuple[int, float]:
    """Count runs that go on, and say for how many seconds the oldest does."""
    row = await _RUNNING.fetchrow(database, now=now)
    return (0, 0.0) if row is None else (row["number"], float(row["seconds"]))
