"""Exchange rates and conversions: looked up by index at any instant, listed in pages, only ever added to."""

from collections.abc import Sequence
from datetime import date, datetime
from functools import cache
from operator import itemgetter
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from libs.common.db import Connection
from libs.common.db.statements import Statement, columns_of, reader_of, values_of
from services.ledger.core import Exchange, Leg, Pair, Rate
from services.ledger.posting_rules import Conversion

_RATE = columns_of(Rate)


_read_rate = reader_of(Rate)


# A rate is never changed: the first one of a pair and instant stands, and the caller compares the content.
_ADD_RATE = Statement(
    """
INSERT INTO exchange_rates ({rate}) VALUES ({values}) ON CONFLICT DO NOTHING
""",
    rate=_RATE,
    values=values_of("rate", Rate),
)

# A statement of its own, since a rate that the INSERT has waited for is not in the snapshot of that one.
_ADD_RATE_2 = Statement(
    """
SELECT {rate} FROM exchange_rates WHERE tenant_id = :rate.tenant_id AND from_currency = :rate.from_currency::bpchar
AND to_currency = :rate.to_currency::bpchar AND effective_at = :rate.effective_at
""",
    rate=_RATE,
)


async def add_rate(tx: Connection, rate: Rate) -> Rate:
    """Record a rate, and return the one that stands for its pair and instant now: this one, or an earlier one."""
    await _ADD_RATE.execute(tx, rate=rate)
    row = await _ADD_RATE_2.fetchrow(tx, rate=rate)
    assert row is not None
    return _read_rate(row)


# LIMIT 1 for each pair, so that it is one probe of the primary key, however long the history.
_RATES_AT = Statement(
    """
SELECT last.* FROM unnest(:from_currencies::bpchar[], :to_currencies::bpchar[]) AS pair(from_currency, to_currency)
CROSS JOIN LATERAL (SELECT {rate} FROM exchange_rates AS r WHERE r.tenant_id = :tenant_id
AND r.from_currency = pair.from_currency AND r.to_currency = pair.to_currency AND r.effective_at <= :at
ORDER BY r.effective_at DESC LIMIT 1) AS last
""",
    rate=_RATE,
)


async def rates_at(connection: Connection, tenant_id: str, pairs: Sequence[Pair], *, at: datetime) -> dict[Pair, Rate]:
    """Find the rate of each pair that took effect last at or before an instant; one index probe each."""
    rows = await _RATES_AT.fetch(
        connection,
        tenant_id=tenant_id,
        from_currencies=[pair[0] for pair in pairs],
        to_currencies=[pair[1] for pair in pairs],
        at=at,
    )
    return {(row["from_currency"], row["to_currency"]): _read_rate(row) for row in rows}


_STEP = """
SELECT r.from_currency, r.to_currency FROM exchange_rates AS r
 WHERE r.tenant_id = :tenant_id AND (r.from_currency, r.to_currency) > ({after})
 ORDER BY r.from_currency, r.to_currency LIMIT 1
"""
# The pairs are found by stepping from one to the next in the key, so that a long history costs nothing.
_LATEST_RATES = Statement(
    """
WITH RECURSIVE pair AS (
    ({first}) UNION ALL SELECT next.* FROM pair CROSS JOIN LATERAL ({next}) AS next)
SELECT last.* FROM pair
 CROSS JOIN LATERAL (
       SELECT {rate} FROM exchange_rates AS r
        WHERE r.tenant_id = :tenant_id AND r.from_currency = pair.from_currency AND r.to_currency = pair.to_currency
          AND r.effective_at <= :at
        ORDER BY r.effective_at DESC LIMIT 1) AS last
 WHERE (:from_currency::text IS NULL OR pair.from_currency = :from_currency::bpchar)
   AND (:to_currency::text IS NULL OR pair.to_currency = :to_currency::bpchar)
 ORDER BY last.from_currency, last.to_currency LIMIT :limit
""",
    first=_STEP.replace("{after}", ":after_from::bpchar, :after_to::bpchar"),
    next=_STEP.replace("{after}", "pair.from_currency, pair.to_currency"),
    rate=_RATE,
)


async def latest_rates(
    connection: Connection,
    tenant_id: str,
    *,
    at: datetime,
    from_currency: str | None,
    to_currency: str | None,
    after: Pair | None,
    limit: int,
) -> list[Rate]:
    """List the rate of every pair that took effect last at or before an instant, by pair, from after a pair on."""
    after_from, after_to = after or ("", "")
    rows = await _LATEST_RATES.fetch(
        connection,
        tenant_id=tenant_id,
        after_from=after_from,
        after_to=after_to,
        at=at,
        from_currency=from_currency,
        to_currency=to_currency,
        limit=limit,
    )
    return [_read_rate(row) for row in rows]


# By the primary key, pair by pair. The day of a zone is ordered as its instants are, so the key's order is enough.
_LAST_OF_DAYS = Statement(
    """
SELECT DISTINCT ON (from_currency, to_currency, day) {rate}, (effective_at AT TIME ZONE :zone::text)::date AS day
  FROM exchange_rates WHERE tenant_id = :tenant_id AND effective_at < :ends_before
   AND (from_currency, to_currency) IN (SELECT * FROM unnest(:from_currencies::bpchar[], :to_currencies::bpchar[]))
 ORDER BY from_currency, to_currency, day, effective_at DESC
""",
    rate=_RATE,
)


async def last_of_days(
    connection: Connection, tenant_id: str, pairs: Sequence[Pair], *, zone: str, ends_before: datetime
) -> list[tuple[date, Rate]]:
    """List the rate of some pairs that took effect last on each day of a zone, until an instant; the first day first."""
    rows = await _LAST_OF_DAYS.fetch(
        connection,
        tenant_id=tenant_id,
        from_currencies=[pair[0] for pair in pairs],
        to_currencies=[pair[1] for pair in pairs],
        zone=zone,
        ends_before=ends_before,
    )
    found = [(row["day"], _read_rate(row)) for row in rows]
    return sorted(found, key=itemgetter(0))


_HISTORY = {
    "from_currency": "from_currency = :from_currency::bpchar",
    "to_currency": "to_currency = :to_currency::bpchar",
    "at": "effective_at <= :at",
    # The first half is implied by the second, and lets an index begin at the right place.
    "before_at": "effective_at <= :before_at AND (effective_at, from_currency, to_currency) "
    "< (:before_at, :before_from::bpchar, :before_to::bpchar)",
}


@cache
def _history_by(names: frozenset[str]) -> Statement:
    """Return the statement for the filters of these names: a plan for all at once would walk the whole history."""
    return Statement(
        """
SELECT {rate} FROM exchange_rates WHERE tenant_id = :tenant_id{conditions}
 ORDER BY effective_at DESC, from_currency DESC, to_currency DESC LIMIT :limit
""",
        rate=_RATE,
        conditions="".join(f" AND {condition}" for name, condition in _HISTORY.items() if name in names),
    )


async def rate_history(
    connection: Connection,
    tenant_id: str,
    *,
    at: datetime | None,
    from_currency: str | None,
    to_currency: str | None,
    before: tuple[datetime, str, str] | None,
    limit: int,
) -> list[Rate]:
    """List recorded rates, those that take effect last first, from before (effective_at, from, to) on."""
    before_at, before_from, before_to = before or (None, None, None)
    filters: dict[str, Any] = {
        "from_currency": from_currency,
        "to_currency": to_currency,
        "at": at,
        "before_at": before_at,
        "before_from": before_from,
        "before_to": before_to,
    }
    present = {name: value for name, value in filters.items() if value is not None}
    rows = await _history_by(frozenset(present)).fetch(connection, tenant_id=tenant_id, limit=limit, **present)
    return [_read_rate(row) for row in rows]


class StandingConversion(msgspec.Struct, frozen=True, kw_only=True):
    """A conversion as it is recorded: what was done, by which rates, and by whom."""

    tenant_id: str
    digest: bytes
    """SHA-256 of what was requested."""
    conversion: Conversion
    legs: tuple[Leg, ...]
    """The rates by which it was made, as they were recorded."""
    recorded_at: datetime
    recorded_by: str


# Before its entries are posted: a concurrent one of the same id waits here, then gets no row and posts nothing.
_ADD_CONVERSION = Statement("""
INSERT INTO conversions (tenant_id, id, digest, from_account_id, to_account_id, from_currency, to_currency,
sold_minor, bought_minor, valued_minor, rates, occurred_at, recorded_at, recorded_by)
VALUES (:standing.tenant_id, :done.id, :standing.digest, :done.from_account_id, :done.to_account_id,
       :done.from_currency, :done.to_currency, :amounts.sold_minor, :amounts.bought_minor, :amounts.valued_minor,
       :rates::text::jsonb, :done.occurred_at, :standing.recorded_at, :standing.recorded_by)
ON CONFLICT DO NOTHING RETURNING id
""")


async def add_conversion(tx: Connection, standing: StandingConversion) -> bool:
    """Record a conversion; false when there is one of this id, which was committed by then."""
    done, amounts = standing.conversion, standing.conversion.amounts
    row = await _ADD_CONVERSION.fetchrow(
        tx, standing=standing, done=done, amounts=amounts, rates=msgspec.json.encode(standing.legs).decode()
    )
    return row is not None


# Before `_ADD_CONVERSION`, and again where that gave no row: the second snapshot has the one that was waited for.
_CONVERSION = Statement("""
SELECT *, rates::text AS legs FROM conversions WHERE tenant_id = :tenant_id AND id = :conversion_id
""")


# By the primary key, backwards from where the page before ended.
_CONVERSIONS = Statement("""
SELECT *, rates::text AS legs FROM conversions
 WHERE tenant_id = :tenant_id AND (:before::uuid IS NULL OR id < :before::uuid)
 ORDER BY id DESC LIMIT :limit
""")


async def conversion(connection: Connection, tenant_id: str, conversion_id: UUID) -> StandingConversion | None:
    """Find one conversion of a tenant."""
    row = await _CONVERSION.fetchrow(connection, tenant_id=tenant_id, conversion_id=conversion_id)
    return None if row is None else _standing(row)


async def conversions(
    connection: Connection, tenant_id: str, *, before: UUID | None, limit: int
) -> list[StandingConversion]:
    """List the conversions of a tenant, the newest ids first."""
    rows = await _CONVERSIONS.fetch(connection, tenant_id=tenant_id, before=before, limit=limit)
    return [_standing(row) for row in rows]


def _standing(row: asyncpg.Record) -> StandingConversion:
    return StandingConversion(
        tenant_id=row["tenant_id"],
        digest=row["digest"],
        conversion=Conversion(
            id=row["id"],
            from_account_id=row["from_account_id"],
            to_account_id=row["to_account_id"],
            from_currency=row["from_currency"],
            to_currency=row["to_currency"],
            amounts=Exchange(
                sold_minor=row["sold_minor"], bought_minor=row["bought_minor"], valued_minor=row["valued_minor"]
            ),
            occurred_at=row["occurred_at"],
        ),
        legs=msgspec.json.decode(row["legs"], type=tuple[Leg, ...]),
        recorded_at=row["recorded_at"],
        recorded_by=row["recorded_by"],
    )
