"""The SQL of reports: what moved for a tenant, how far balances are off, and what is unsettled by age."""

from datetime import UTC, datetime, time
from typing import Any

from libs.common.contracts.gateway_reports import OpenTotal
from libs.common.contracts.ledger import EntryKind
from libs.common.db import Connection, Database
from libs.common.db.statements import Statement, reader_of
from services.gateway.reconciliation.reports.domain import AGES, OLDER, Moved, Off, carried_day

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
"""Nothing is carried to it, and nothing moved before."""

# All that was published of a tenant until the end of the window, as the books have it: by `ix_processor_movements_window`, from a day on
# before which everything is carried; and what became known of the time before since then, by `ix_processor_movements_late`.
MOVED = Statement("""
SELECT account_id, is_live, currency, kind,
       coalesce(sum(net) FILTER (WHERE NOT is_inside), 0)::int8 AS before_minor,
       count(*) FILTER (WHERE is_inside) AS number,
       coalesce(sum(greatest(amount, 0)) FILTER (WHERE is_inside), 0)::int8 AS in_minor,
       coalesce(-sum(least(amount, 0)) FILTER (WHERE is_inside), 0)::int8 AS out_minor,
       count(*) FILTER (WHERE is_inside AND fee <> 0) AS fees,
       coalesce(sum(greatest(fee, 0)) FILTER (WHERE is_inside), 0)::int8 AS kept_minor,
       coalesce(-sum(least(fee, 0)) FILTER (WHERE is_inside), 0)::int8 AS given_back_minor,
       coalesce(sum(net), 0)::int8 AS until_minor
  FROM (
    SELECT account_id, is_live, currency, 'carried' AS kind, 0::int8 AS amount, 0::int8 AS fee, net_minor AS net, false AS is_inside
      FROM carried_balances WHERE tenant_id = :tenant_id AND day = (:carried::timestamptz AT TIME ZONE 'UTC')::date
    UNION ALL
    SELECT account_id, is_live, currency, kind, amount_minor, fee_minor, net_minor, created_at >= :since
      FROM processor_movements WHERE tenant_id = :tenant_id AND created_at >= :carried AND created_at < :until AND is_booked
       AND (:known_until::timestamptz IS NULL OR seen_at < :known_until)
    UNION ALL
    SELECT account_id, is_live, currency, kind, amount_minor, fee_minor, net_minor, false
      FROM processor_movements WHERE tenant_id = :tenant_id AND created_at < :carried AND is_booked
       AND seen_at - created_at > interval '1 day' AND seen_at >= :carried::timestamptz + interval '1 day'
       AND (:known_until::timestamptz IS NULL OR seen_at < :known_until)
    UNION ALL
    SELECT account_id, is_live, currency, 'opening', pending_minor + available_minor, 0, pending_minor + available_minor,
           opened_at >= :since
      FROM processor_openings WHERE tenant_id = :tenant_id AND opened_at < :until
       AND (:known_until::timestamptz IS NULL OR opened_at < :known_until)
  ) AS each
 GROUP BY account_id, is_live, currency, kind
 ORDER BY account_id, is_live, currency, kind
""")

# The clock by which it is decided which days are settled: a gateway whose own is ahead would carry a day of which movements are still being written.
# Until the end of the transaction no day is deleted that is read after this.
_NOW = Statement("SELECT now() AS now, pg_advisory_xact_lock_shared(hashtextextended('carried_balances', 0))")

# Until which day what moved is carried, a window's beginning at most, by the primary key.
_CARRIED = Statement("SELECT max(day) AS day FROM carried_balances WHERE tenant_id = :tenant_id AND day <= :day")

# What moved before a day, from what is carried to an earlier one. Movements are never changed; which of them count is a matter of the day alone,
# so that whoever is first writes what everybody would. In the order of the key, so that two reports of a tenant never wait for each other in a circle.
_CARRY = Statement("""
INSERT INTO carried_balances (tenant_id, day, account_id, is_live, currency, net_minor)
SELECT :tenant_id, (:day::timestamptz AT TIME ZONE 'UTC')::date, account_id, is_live, currency, sum(net)::int8
  FROM (
    SELECT account_id, is_live, currency, net_minor AS net FROM carried_balances
     WHERE tenant_id = :tenant_id AND day = (:carried::timestamptz AT TIME ZONE 'UTC')::date
    UNION ALL
    SELECT account_id, is_live, currency, net_minor FROM processor_movements
     WHERE tenant_id = :tenant_id AND created_at >= :carried AND created_at < :day AND is_booked
       AND seen_at < :day::timestamptz + interval '1 day'
    UNION ALL
    SELECT account_id, is_live, currency, net_minor FROM processor_movements
     WHERE tenant_id = :tenant_id AND created_at < :carried AND is_booked AND seen_at - created_at > interval '1 day'
       AND seen_at >= :carried::timestamptz + interval '1 day' AND seen_at < :day::timestamptz + interval '1 day'
  ) AS each
 GROUP BY account_id, is_live, currency
 ORDER BY account_id, is_live, currency
ON CONFLICT DO NOTHING
""")

# The function keeps 90 days whatever is passed, since the role may not delete by itself.
_FORGET = Statement("SELECT forget_carried_balances(:before, :limit) AS number")

# Of the accounts that the tenant owns; they are few.
_OFF = Statement("""
SELECT b.account_id, b.is_live, b.currency, b.total_off_minor, b.compared_at
  FROM processor_balances AS b JOIN stripe_accounts AS a USING (account_id, is_live)
 WHERE a.tenant_id = :tenant_id AND a.processor IS NOT NULL
""")

# All that is unsettled, by `ix_discrepancies_unsettled`. Where one thing is missing, sides differ in several aspects: in the statement, in the
# books, in the entries that the books alone have, in a report. So of what is about one payment, or one subject of none, the aspect that comes
# to most counts, and fees for themselves, which nobody else has; entries of what we lack are one aspect, those of what the processor lacks another.
# By which a movement can be paid out is an entry that names no payment: it counts where nothing is left of its millisecond whose entry of the
# movement itself counts already, as the ids of both follow from the movement. The processor's times are seconds, so that many are of one.
_UNSETTLED = Statement(
    """
WITH unsettled AS MATERIALIZED (
    SELECT id, type, currency, found_at, coalesce(payment_intent_id::text, concat_ws(' ', subject_kind, subject)) AS about,
           CASE WHEN aspect = 'entry' AND subject_kind IN ('movement', 'payout') THEN 'entry of the processor' ELSE aspect END AS side,
           CASE WHEN aspect = 'entry' AND subject_kind = 'movement' THEN left(subject, 13) END AS at,
           aspect = 'entry' AND starts_with(detail, 'the books have the entry ''{available}'' of ') AS is_available,
           type = 'FEE_MISMATCH' AS is_fee, abs(coalesce(actual_minor, 0) - coalesce(expected_minor, 0)) AS minor
      FROM discrepancies
     WHERE tenant_id = :tenant_id AND state IN ('open', 'assigned', 'pending', 'reopened')
), named AS MATERIALIZED (
    SELECT u.*, is_available AND row_number() OVER (PARTITION BY at, currency, is_available ORDER BY minor DESC, id)
                             <= count(*) FILTER (WHERE NOT is_available) OVER (PARTITION BY at, currency) AS follows
      FROM unsettled AS u
), counted AS MATERIALIZED (
    SELECT DISTINCT ON (about, currency, is_fee) about, currency, is_fee, side
      FROM named WHERE NOT follows GROUP BY about, currency, is_fee, side ORDER BY about, currency, is_fee, sum(minor) DESC, side
)
SELECT type, currency, CASE {ages} ELSE '{older}' END AS age, count(*) AS number,
       coalesce(sum(minor) FILTER (
           WHERE NOT follows AND (about, currency, is_fee, side) IN (SELECT about, currency, is_fee, side FROM counted)), 0)::int8 AS amount_minor
  FROM named
 GROUP BY 1, 2, 3 ORDER BY 1, 2, max(found_at) DESC
""",
    ages=" ".join(f"WHEN :now::timestamptz - found_at < '{age}'::interval THEN '{name}'" for name, age in AGES.items()),
    older=OLDER,
    available=EntryKind.AVAILABLE,
)

_moved, _off, _open = reader_of(Moved), reader_of(Off), reader_of(OpenTotal)


async def moved(
    connection: Connection | Database,
    tenant_id: str,
    *,
    since: datetime,
    until: datetime,
    carried: datetime,
    known_until: datetime | None,
) -> list[Moved]:
    """Add up what moved for a tenant before a window and in it, and was known by then, from what is carried to a day."""
    rows: list[Any] = await MOVED.fetch(
        connection, tenant_id=tenant_id, since=since, until=until, carried=carried, known_until=known_until
    )
    return [_moved(row) for row in rows]


async def carry(tx: Connection, tenant_id: str, *, since: datetime, at: datetime) -> datetime:
    """Write down what moved before the day of a window's beginning, as far as that is settled.

    Returns to which day that is carried: that one or, where nothing moved, an earlier one.
    """
    row = await _NOW.fetchrow(tx)
    assert row is not None
    day = carried_day(since, now=min(at, row["now"]))
    row = await _CARRIED.fetchrow(tx, tenant_id=tenant_id, day=day.date())
    known = _EARLIEST if row is None or row["day"] is None else datetime.combine(row["day"], time(), UTC)
    if known == day:
        return day
    return day if await _CARRY.execute(tx, tenant_id=tenant_id, carried=known, day=day) else known


async def forget_carried(database: Database, *, before: datetime, limit: int) -> int:
    """Delete what is carried to days of before, but for the last of them; returns how many days, each of one tenant, 0 where a report is being made."""
    row = await _FORGET.fetchrow(database, before=before, limit=limit)
    return 0 if row is None else int(row["number"])


async def off(connection: Connection | Database, tenant_id: str) -> list[Off]:
    """Read how far the balances of a tenant's accounts are from what is known of them."""
    return [_off(row) for row in await _OFF.fetch(connection, tenant_id=tenant_id)]


async def unsettled(connection: Connection | Database, tenant_id: str, *, now: datetime) -> list[OpenTotal]:
    """Add up what is unsettled, by type, currency and age."""
    return [_open(row) for row in await _UNSETTLED.fetch(connection, tenant_id=tenant_id, now=now)]
