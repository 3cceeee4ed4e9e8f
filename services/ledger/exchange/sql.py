# ruff: noqa: S608 - statements are put together from our own words; every value is a parameter
"""Exchange rates and conversions: looked up by index at any instant, listed in pages, only ever added to."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from libs.common.db import Connection
from services.ledger.core import Exchange, Leg, Pair, Rate
from services.ledger.posting_rules import Conversion

_RATE = "tenant_id, id, from_currency, to_currency, rate, effective_at, source, recorded_at, recorded_by"


def _rate(row: asyncpg.Record) -> Rate:
    return Rate(**dict(row))


async def add_rate(tx: Connection, rate: Rate) -> Rate:
    """Record a rate, and return the one that stands for its pair and instant now: this one, or an earlier one."""
    await tx.execute(
        f"INSERT INTO exchange_rates ({_RATE}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
        rate.tenant_id,
        rate.id,
        rate.from_currency,
        rate.to_currency,
        rate.rate,
        rate.effective_at,
        rate.source,
        rate.recorded_at,
        rate.recorded_by,
    )
    row = await tx.fetchrow(
        f"SELECT {_RATE} FROM exchange_rates WHERE tenant_id = $1 AND from_currency = $2::bpchar "
        "AND to_currency = $3::bpchar AND effective_at = $4",
        rate.tenant_id,
        rate.from_currency,
        rate.to_currency,
        rate.effective_at,
    )
    assert row is not None
    return _rate(row)


async def rates_at(connection: Connection, tenant_id: str, pairs: Sequence[Pair], *, at: datetime) -> dict[Pair, Rate]:
    """Find the rate of each pair that took effect last at or before an instant; one index probe each."""
    rows = await connection.fetch(
        f"SELECT last.* FROM unnest($2::bpchar[], $3::bpchar[]) AS pair(from_currency, to_currency) "
        f"CROSS JOIN LATERAL (SELECT {_RATE} FROM exchange_rates AS r WHERE r.tenant_id = $1 "
        "AND r.from_currency = pair.from_currency AND r.to_currency = pair.to_currency AND r.effective_at <= $4 "
        "ORDER BY r.effective_at DESC LIMIT 1) AS last",
        tenant_id,
        [pair[0] for pair in pairs],
        [pair[1] for pair in pairs],
        at,
    )
    return {(row["from_currency"], row["to_currency"]): _rate(row) for row in rows}


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
    """List the rate of every pair that took effect last at or before an instant, by pair, from after a pair on.

    The pairs are found by stepping from one to the next in the key, so that a long history costs nothing.
    """
    step = (
        "SELECT r.from_currency, r.to_currency FROM exchange_rates AS r WHERE r.tenant_id = $1 "
        "AND (r.from_currency, r.to_currency) > ({}::bpchar, {}::bpchar) "
        "ORDER BY r.from_currency, r.to_currency LIMIT 1"
    )
    rows = await connection.fetch(
        f"WITH RECURSIVE pair AS (({step.format('$2', '$3')}) UNION ALL SELECT next.* FROM pair "
        f"CROSS JOIN LATERAL ({step.format('pair.from_currency', 'pair.to_currency')}) AS next) "
        f"SELECT last.* FROM pair CROSS JOIN LATERAL (SELECT {_RATE} FROM exchange_rates AS r WHERE r.tenant_id = $1 "
        "AND r.from_currency = pair.from_currency AND r.to_currency = pair.to_currency AND r.effective_at <= $4 "
        "ORDER BY r.effective_at DESC LIMIT 1) AS last "
        "WHERE ($5::text IS NULL OR pair.from_currency = $5::bpchar) "
        "AND ($6::text IS NULL OR pair.to_currency = $6::bpchar) "
        "ORDER BY last.from_currency, last.to_currency LIMIT $7",
        tenant_id,
        *(after or ("", "")),
        at,
        from_currency,
        to_currency,
        limit,
    )
    return [_rate(row) for row in rows]


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
    """List recorded rates, those that take effect last first, from before (effective_at, from, to) on.

    Only what is asked for stands in the statement: a plan for every combination at once would walk the whole history.
    """
    arguments: list[object] = [tenant_id]

    def slot(value: object) -> str:
        arguments.append(value)
        return f"${len(arguments)}"

    conditions = ["tenant_id = $1"]
    if from_currency is not None:
        conditions.append(f"from_currency = {slot(from_currency)}::bpchar")
    if to_currency is not None:
        conditions.append(f"to_currency = {slot(to_currency)}::bpchar")
    if at is not None:
        conditions.append(f"effective_at <= {slot(at)}")
    if before is not None:
        instant, last_from, last_to = (slot(part) for part in before)
        # The first half is implied by the second, and lets an index begin at the right place.
        conditions.append(
            f"effective_at <= {instant} AND (effective_at, from_currency, to_currency) "
            f"< ({instant}, {last_from}::bpchar, {last_to}::bpchar)"
        )
    rows = await connection.fetch(
        f"SELECT {_RATE} FROM exchange_rates WHERE {' AND '.join(conditions)} "
        f"ORDER BY effective_at DESC, from_currency DESC, to_currency DESC LIMIT {slot(limit)}",
        *arguments,
    )
    return [_rate(row) for row in rows]


class StandingConversion(msgspec.Struct, frozen=True, kw_only=True):
    """A conversion as it is recorded: what was done, by which rates, and by whom."""

    tenant_id: str
    digest: bytes
    """SHA-256 of what was asked."""
    conversion: Conversion
    legs: tuple[Leg, ...]
    """The rates by which it was made, as they were recorded."""
    recorded_at: datetime
    recorded_by: str


async def add_conversion(tx: Connection, standing: StandingConversion) -> bool:
    """Record a conversion; false when there is one of this id, which was committed by then."""
    done, amounts = standing.conversion, standing.conversion.amounts
    row = await tx.fetchrow(
        "INSERT INTO conversions (tenant_id, id, digest, from_account_id, to_account_id, from_currency, to_currency, "
        "sold_minor, bought_minor, valued_minor, rates, occurred_at, recorded_at, recorded_by) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::text::jsonb, $12, $13, $14) "
        "ON CONFLICT DO NOTHING RETURNING id",
        standing.tenant_id,
        done.id,
        standing.digest,
        done.from_account_id,
        done.to_account_id,
        done.from_currency,
        done.to_currency,
        amounts.sold_minor,
        amounts.bought_minor,
        amounts.valued_minor,
        msgspec.json.encode(standing.legs).decode(),
        done.occurred_at,
        standing.recorded_at,
        standing.recorded_by,
    )
    return row is not None


async def conversion(connection: Connection, tenant_id: str, conversion_id: UUID) -> StandingConversion | None:
    """Find one conversion of a tenant."""
    row = await connection.fetchrow(
        "SELECT *, rates::text AS legs FROM conversions WHERE tenant_id = $1 AND id = $2", tenant_id, conversion_id
    )
    if row is None:
        return None
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
