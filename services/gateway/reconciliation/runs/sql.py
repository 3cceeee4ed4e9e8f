"""The SQL of runs: which one is due, how far it is, and what it compares."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from libs.common.contracts.gateway_movements import MovementKind
from libs.common.db import Connection, Database
from libs.common.db.statements import Statement, columns_of, reader_of, values_of
from services.gateway.reconciliation.runs.domain import Match, MovementFact, PayoutFact
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

# Counts 0 where the lease ended and another process goes on: then nothing of the step may be written.
_SAVE = Statement("""
WITH saved AS (
    UPDATE reconciliation_runs
       SET state = :run.state, phase = :run.phase, cursor = :run.cursor, progress = :run.progress, failures = :run.failures,
           reason = :run.reason, ended_at = :run.ended_at, next_at = :run.next_at
     WHERE id = :run.id AND tenant_id = :run.tenant_id AND turn = :run.turn AND state = 'running' RETURNING tenant_id
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

_MOVEMENT = (
    "id, movement_id, is_booked, kind, source_ref, payment_intent_id, refund_id, amount_minor, net_minor, fee_details, currency, "
    "source_amount_minor, source_currency, created_at, seen_at, updated_at, status = 'available' AS is_available"
)

# Of a range of payments, by `ix_processor_movements_range`.
_OF_RANGE = Statement(
    """
SELECT {columns} FROM processor_movements
 WHERE payment_intent_id > :after AND payment_intent_id <= :until AND tenant_id = :tenant_id
 ORDER BY payment_intent_id LIMIT :limit
""",
    columns=_MOVEMENT,
)

# Of some payments, by `ix_processor_movements_payment`.
_OF_PAYMENTS = Statement(
    "SELECT {columns} FROM processor_movements WHERE payment_intent_id = ANY (:intents::uuid[]) AND tenant_id = :tenant_id",
    columns=_MOVEMENT,
)

# What became known in the window more than a day after it happened, by `ix_processor_movements_late`: hourly windows are two days
# long, so what came earlier than that was in one of them.
_LATELY_KNOWN = (
    "tenant_id = :run.tenant_id AND is_booked AND seen_at - created_at > interval '1 day' "
    "AND seen_at >= :run.window_from AND seen_at < :run.window_until"
)

# Payments of other times than the window: by `ix_processor_movements_window`, by `ix_processor_movements_late` and by
# `ix_discrepancies_unsettled`. In the order of their ids, so that the next page goes on behind the last one.
_OLDER = Statement(
    """
SELECT payment_intent_id FROM (
    SELECT payment_intent_id FROM processor_movements
     WHERE tenant_id = :run.tenant_id AND created_at >= :run.window_from AND created_at < :run.window_until
    UNION
    SELECT payment_intent_id FROM processor_movements WHERE {lately_known}
    UNION
    SELECT payment_intent_id FROM discrepancies
     WHERE tenant_id = :run.tenant_id AND state IN ('open', 'assigned', 'pending', 'reopened')
) AS p
 WHERE payment_intent_id > :after AND NOT (payment_intent_id >= :run.first_payment AND payment_intent_id < :run.end_of_payments)
 ORDER BY payment_intent_id LIMIT :limit
""",
    lately_known=_LATELY_KNOWN,
)

# What belongs to no payment: our ids of movements are in the order of their times, so a window is a range of them, by
# `ix_processor_movements_loose`; what became known lately, by `ix_processor_movements_late`; and what is unsettled, by `ix_discrepancies_unsettled`.
_LOOSE = Statement(
    """
SELECT {columns} FROM (
    (SELECT * FROM processor_movements
      WHERE tenant_id = :run.tenant_id AND payment_intent_id IS NULL AND movement_id > :after
        AND movement_id >= :run.first_payment AND movement_id < :run.end_of_payments
      ORDER BY movement_id LIMIT :limit)
    UNION ALL
    (SELECT m.* FROM processor_movements AS m
      WHERE m.tenant_id = :run.tenant_id AND m.payment_intent_id IS NULL AND m.movement_id > :after
        AND NOT (m.movement_id >= :run.first_payment AND m.movement_id < :run.end_of_payments)
        AND m.id = ANY (ARRAY(SELECT subject FROM discrepancies AS d
                               WHERE d.tenant_id = :run.tenant_id AND subject_kind = 'movement' AND d.payment_intent_id IS NULL
                                 AND state IN ('open', 'assigned', 'pending', 'reopened')
                              UNION SELECT id FROM processor_movements WHERE {lately_known} AND payment_intent_id IS NULL))
      ORDER BY m.movement_id LIMIT :limit)
) AS m ORDER BY movement_id LIMIT :limit
""",
    columns=_MOVEMENT,
    lately_known=_LATELY_KNOWN,
)

# Payouts of the window, and what is unsettled about others, with what their movements come to. In the order of our ids.
_PAYOUTS = Statement("""
SELECT p.id, p.payout_id, p.amount_minor, p.currency, p.status, p.bank, p.is_matched AS is_itemised, p.created_at, p.arrives_at, p.updated_at,
       coalesce(parts.net_minor, 0)::int8 AS parts_minor, coalesce(own.net_minor, 0)::int8 AS taken_minor,
       coalesce(own.number, 0) > 0 AS has_movement,
       NOT EXISTS (SELECT FROM stripe_accounts AS a
                    WHERE (a.account_id, a.is_live) = (p.account_id, p.is_live) AND p.created_at < a.booked_from
                      AND (a.opening_due OR a.opened_at IS NOT NULL)) AS is_booked
  FROM (SELECT * FROM processor_payouts
         WHERE tenant_id = :run.tenant_id AND payout_id > :after
           AND ((created_at >= :run.window_from AND created_at < :run.window_until)
                OR payout_id::text IN (SELECT subject FROM discrepancies AS d
                                        WHERE d.tenant_id = :run.tenant_id AND subject_kind = 'payout'
                                          AND state IN ('open', 'assigned', 'pending', 'reopened')))
         ORDER BY payout_id LIMIT :limit) AS p
  LEFT JOIN LATERAL (
    SELECT sum(net_minor) AS net_minor FROM processor_movements AS m
     WHERE (m.account_id, m.is_live, m.payout_ref) = (p.account_id, p.is_live, p.id) AND m.id NOT IN (p.movement_ref, p.failure_movement_ref)
       AND NOT (m.kind = 'payout' AND m.source_ref = p.id)
  ) AS parts ON true
  LEFT JOIN LATERAL (
    SELECT sum(amount_minor) AS net_minor, count(*) AS number FROM processor_movements AS m
     WHERE m.account_id = p.account_id AND m.is_live = p.is_live AND m.id IN (p.movement_ref, p.failure_movement_ref)
  ) AS own ON true
 ORDER BY p.payout_id
""")

# Through which processor payments went, by `ix_attempts_payment_intent`, and how far the statement of its account is known.
# Of several authorizations the one that went well counts, else the last: it is read last.
_WITNESSES = Statement("""
SELECT a.payment_intent_id, a.processor, s.complete_until, s.booked_from
  FROM attempts AS a
  LEFT JOIN LATERAL (
    SELECT r.complete_until, c.booked_from FROM processor_accounts AS p JOIN stripe_accounts AS c USING (account_id, is_live)
      LEFT JOIN processor_readings AS r ON (r.account_id, r.is_live, r.list) = (c.account_id, c.is_live, 'movements')
     WHERE p.processor = a.processor AND (p.tenant_id = a.tenant_id OR p.processor = 'stripe') LIMIT 1
  ) AS s ON true
 WHERE a.payment_intent_id = ANY (:intents::uuid[]) AND a.tenant_id = :tenant_id AND a.operation = 'authorize'
 ORDER BY a.payment_intent_id, a.status = 'APPROVED', a.number
""")

# Whether the schedule has made a run of a tenant since then, by the primary key of its time; and whether one goes on.
_SCHEDULED = Statement("""
SELECT coalesce(bool_or(id >= :since), false) AS is_made, coalesce(bool_or(next_at IS NOT NULL), false) AS goes_on
  FROM reconciliation_runs
 WHERE tenant_id = :tenant_id AND requested_by = '' AND (id >= :since OR next_at IS NOT NULL)
""")

# That they agree is written once, and that it was seen again once in 30 days: it must be kept for as long as a run is that saw it, and
# be written seldom.
_MATCH = Statement("""
INSERT INTO reconciliation_matches AS known (tenant_id, movement_id, rule, confidence, subject_kind, subject, entry_id, run_id, matched_at)
SELECT :tenant_id, m.movement_id, m.rule, 100, m.subject_kind, m.subject, m.entry_id, :run_id, :at
  FROM unnest(:rows[].movement_id::uuid[], :rows[].rule::text[], :rows[].subject_kind::text[], :rows[].subject::text[],
       :rows[].entry_id::uuid[]) AS m (movement_id, rule, subject_kind, subject, entry_id)
ON CONFLICT (movement_id, tenant_id) DO UPDATE SET run_id = excluded.run_id, matched_at = excluded.matched_at
 WHERE known.matched_at < :at::timestamptz - interval '30 days'
""")

# What was looked at and agrees no more.
_UNMATCH = Statement(
    "DELETE FROM reconciliation_matches WHERE tenant_id = :tenant_id AND movement_id = ANY (:movements::uuid[])"
)

# Every run that goes on, by `ix_reconciliation_runs_due`.
_RUNNING = Statement("""
SELECT count(*) AS number, coalesce(max(extract(epoch FROM :now::timestamptz - started_at)), 0) AS seconds
  FROM reconciliation_runs WHERE next_at IS NOT NULL
""")


class MovementPage(msgspec.Struct, frozen=True, kw_only=True):
    """What moved for a range of payments."""

    items: list[MovementFact]
    """The movements."""
    next_after: UUID | None = None
    """The last payment of the page; None: there are no more."""


class Witness(msgspec.Struct, frozen=True, kw_only=True):
    """Who can tell of a payment beside us."""

    processor: str
    """The account that it went through, as attempts name it."""
    complete_until: datetime | None
    """Until when its statement is known; None: it was never read."""
    booked_from: datetime | None
    """From when on it is surely read; None: the account is not known."""


_witness = reader_of(Witness)


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


async def movements_of_range(
    database: Database, tenant_id: str, *, after: UUID, until: UUID, limit: int
) -> MovementPage:
    """Read what moved for the payments of a range of ids, in their order: those of a payment are never parted."""
    rows = await _OF_RANGE.fetch(database, tenant_id=tenant_id, after=after, until=until, limit=limit)
    found = _movements(rows)
    if len(found) < limit:
        return MovementPage(items=found)
    last = found[-1].payment_intent_id
    whole = [each for each in found if each.payment_intent_id != last]
    if not whole or last is None:
        # One payment with more movements than a step takes: all of them, and nothing else.
        return MovementPage(
            items=await movements_of_payments(database, tenant_id, [last] if last else []), next_after=last
        )
    return MovementPage(items=whole, next_after=whole[-1].payment_intent_id)


async def movements_of_payments(database: Database, tenant_id: str, intents: Sequence[UUID]) -> list[MovementFact]:
    """Read what moved for some payments."""
    return _movements(await _OF_PAYMENTS.fetch(database, tenant_id=tenant_id, intents=[*intents]))


async def older_payments(database: Database, run: Run, *, after: UUID, limit: int) -> list[UUID]:
    """List payments of other times than the window that are to be compared as well."""
    return [row["payment_intent_id"] for row in await _OLDER.fetch(database, run=run, after=after, limit=limit)]


async def loose_movements(database: Database, run: Run, *, after: UUID, limit: int) -> list[MovementFact]:
    """Read what moved for no payment."""
    return _movements(await _LOOSE.fetch(database, run=run, after=after, limit=limit))


async def payouts(database: Database, run: Run, *, after: UUID, limit: int) -> list[PayoutFact]:
    """Read payouts with what their movements come to."""
    return [PayoutFact(**dict(row)) for row in await _PAYOUTS.fetch(database, run=run, after=after, limit=limit)]


async def witnesses(database: Database, tenant_id: str, intents: Sequence[UUID]) -> dict[UUID, Witness]:
    """Return through which processor payments went, as far as we know of them, and how far its statement is known."""
    rows = await _WITNESSES.fetch(database, tenant_id=tenant_id, intents=[*intents])
    return {row["payment_intent_id"]: _witness(row) for row in rows}


async def scheduled_since(database: Database, tenant_id: str, since: UUID) -> tuple[bool, bool]:
    """Return whether the schedule has made a run of a tenant since then, and whether an earlier one of it goes on."""
    row = await _SCHEDULED.fetchrow(database, tenant_id=tenant_id, since=since)
    return (False, False) if row is None else (row["is_made"], row["goes_on"])


async def match(tx: Connection, tenant_id: str, matches: Sequence[Match], *, run_id: UUID, at: datetime) -> None:
    """Write down what agrees."""
    await _MATCH.execute(tx, tenant_id=tenant_id, rows=matches, run_id=run_id, at=at)


async def unmatch(tx: Connection, tenant_id: str, movements: Sequence[UUID]) -> None:
    """Remove what agrees no more."""
    await _UNMATCH.execute(tx, tenant_id=tenant_id, movements=[*movements])


async def running(database: Database, *, now: datetime) -> tuple[int, float]:
    """Count runs that go on, and say for how many seconds the oldest does."""
    row = await _RUNNING.fetchrow(database, now=now)
    return (0, 0.0) if row is None else (row["number"], float(row["seconds"]))


def _movements(rows: Sequence[asyncpg.Record]) -> list[MovementFact]:
    return [_movement(dict(row)) for row in rows]


def _movement(row: dict[str, Any]) -> MovementFact:
    details = row.pop("fee_details")
    fees = () if details == "[]" else tuple((kind, amount) for kind, amount in json.loads(details))
    return MovementFact(**{**row, "kind": MovementKind(row["kind"])}, fees=fees)
