"""Reports open with what is carried to a day: the same as all that has ever moved adds up to, and without looking at it again."""

import asyncio
import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.gateway.reconciliation.reports import forget_carried, sql
from tests.integration.gateway.reconciliation.conftest import Office

DAY = timedelta(days=1)


@pytest.fixture
async def now(office: Office) -> datetime:
    """The database's time, which decides what is settled; the gateway's own is the same."""
    [row] = await office.database.fetch("SELECT now() AS now")
    found: datetime = row["now"]
    office.clock.advance(found - office.clock.now())
    return found


async def days_of(office: Office) -> list[datetime]:
    """Return to which days something is carried."""
    rows = await office.rows("SELECT DISTINCT day FROM carried_balances WHERE tenant_id = $1 ORDER BY day")
    return [datetime(row["day"].year, row["day"].month, row["day"].day, tzinfo=UTC) for row in rows]


async def added_up(office: Office, since: datetime, until: datetime, **known: Any) -> dict[str, tuple[int, int]]:
    """Return what statements open and close with, by currency."""
    async with office.database.transaction() as tx:
        carried = await sql.carry(tx, office.tenant_id, since=since, at=office.clock.now())
        fields: dict[str, Any] = {"since": since, "until": until, "known_until": known.get("known_until")}
        found = await sql.moved(tx, office.tenant_id, carried=carried, **fields)
        whole = await sql.moved(tx, office.tenant_id, carried=sql._EARLIEST, **fields)
    sums: list[dict[str, tuple[int, int]]] = [{}, {}]
    for place, rows in enumerate((found, whole)):
        for each in rows:
            before, after = sums[place].get(each.currency, (0, 0))
            sums[place][each.currency] = before + each.before_minor, after + each.until_minor
    assert sums[0] == sums[1]
    # What moved in the window is the same line by line.
    inside = [[each for each in rows if each.number] for rows in (found, whole)]
    assert [(each.kind, each.number, each.in_minor, each.out_minor) for each in inside[0]] == [
        (each.kind, each.number, each.in_minor, each.out_minor) for each in inside[1]
    ]
    return sums[0]


async def test_what_is_carried_is_all_that_moved_whenever_it_became_known(office: Office, now: datetime) -> None:
    chance = random.Random(11)
    began = now.replace(hour=0, minute=0, second=0, microsecond=0) - 100 * DAY
    office.clock.advance(began - now)
    total: dict[str, int] = {}
    for number in range(60):
        office.clock.advance(timedelta(hours=chance.choice([1, 7, 24, 30])))
        now = office.clock.now()
        midnight = now.replace(hour=0, minute=0)
        for _ in range(3):
            at = chance.choice(
                [now, midnight, midnight - timedelta.resolution, now - DAY, midnight - 2 * DAY, now - 40 * DAY]
            )
            amount, currency = chance.randint(-500, 900), chance.choice(["BRL", "JPY"])
            is_booked = chance.random() < 0.9
            await office.move(amount, at, currency=currency, is_booked=is_booked)
            if is_booked:
                total[currency] = total.get(currency, 0) + amount
        # Windows of any age, in no order, of runs and of closed months.
        since = began + timedelta(hours=chance.randint(0, 24 * max(1, number)))
        await added_up(office, min(since, now), now, known_until=chance.choice([None, now - timedelta(minutes=5)]))
    end = office.clock.now() + DAY
    assert {currency: after for currency, (_, after) in (await added_up(office, end - DAY, end)).items()} == total
    assert len(await days_of(office)) > 10


def rows_of_movements(plan: dict[str, Any]) -> int:
    """Count the rows of movements that a plan has looked at."""
    here = (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
    mine = int(here) if plan.get("Relation Name") == "processor_movements" else 0
    return mine + sum(rows_of_movements(each) for each in plan.get("Plans", ()))


async def test_days_are_forgotten_but_for_the_last_of_them(office: Office, now: datetime) -> None:
    for number in (300, 250, 200, 150):
        await office.move(5, now - number * DAY, seen_at=now - number * DAY)
        await added_up(office, now - (number - 10) * DAY, now)
    days = await days_of(office)
    assert len(days) == 4
    async with office.database.transaction() as tx:
        # While a report is being made, no day is deleted under it.
        await sql.carry(tx, office.tenant_id, since=now - 240 * DAY, at=now)
        await forget_carried(office.database, before=now - 180 * DAY)
        assert await days_of(office) == days
    await forget_carried(office.database, before=now - 180 * DAY)
    assert await days_of(office) == days[2:]
    # A report about what is older adds up all of it once more; `before` cannot reach into the last 90 days.
    assert (await added_up(office, now - 245 * DAY, now))["BRL"] == (10, 20)
    await forget_carried(office.database, before=now)
    assert len(await days_of(office)) == 1


async def test_day_is_forgotten_whole_or_not_at_all(office: Office, now: datetime) -> None:
    for number in (300, 200):
        for currency in ("BRL", "EUR", "JPY"):
            await office.move(5, now - number * DAY, seen_at=now - number * DAY, currency=currency)
        await added_up(office, now - (number - 10) * DAY, now)
    # Killed after the first batch.
    await sql.forget_carried(office.database, before=now - 100 * DAY, limit=1)
    since = now - 250 * DAY
    assert await added_up(office, since, now) == {"BRL": (5, 10), "EUR": (5, 10), "JPY": (5, 10)}


async def test_reports_that_carry_the_same_day_wait_in_one_order(office: Office, now: datetime) -> None:
    accounts = [f"acct_{number}_{office.tenant_id}" for number in range(20)]
    for account in accounts:
        await office.move(5, now - 10 * DAY, seen_at=now - 10 * DAY, account_id=account)
    day = (now - 5 * DAY).replace(hour=0, minute=0, second=0, microsecond=0)
    write = (
        "INSERT INTO carried_balances (tenant_id, day, account_id, is_live, currency, net_minor) "
        "SELECT $1, $2::timestamptz::date, a, false, 'BRL', 5 FROM unnest($3::text[]) AS a"
    )

    async def another() -> datetime:
        async with office.database.transaction() as its:
            # Nothing is in order but what has to be.
            await its.execute("SET LOCAL enable_sort = off; SET LOCAL jit = off")
            return await sql.carry(its, office.tenant_id, since=day, at=now)

    first, *others = sorted(accounts)
    async with office.database.transaction() as tx:
        await tx.execute(write, office.tenant_id, day, [first])
        other = asyncio.create_task(another())
        waits = "SELECT count(*) AS number FROM pg_stat_activity WHERE wait_event = 'transactionid' AND query LIKE '%carried_balances%'"
        async with asyncio.timeout(20):
            while (await office.database.fetch(waits))[0]["number"] == 0:
                assert not other.done()
                await asyncio.sleep(0.01)
        # Whoever waits for the first has written none of the others: else both would wait for each other now.
        await tx.execute(write, office.tenant_id, day, others)
    assert await other != day
    assert (await added_up(office, day, now))["BRL"] == (100, 100)
    assert len(await office.rows("SELECT 1 FROM carried_balances WHERE tenant_id = $1")) == 20


async def test_clock_of_a_gateway_that_is_ahead_settles_no_day(office: Office, now: datetime) -> None:
    await office.move(5, now - 10 * DAY, seen_at=now - 10 * DAY)
    office.clock.advance(30 * DAY)
    await added_up(office, office.clock.now(), office.clock.now())
    assert await days_of(office) == [(now - 2 * DAY).replace(hour=0, minute=0, second=0, microsecond=0)]


async def test_history_is_not_looked_at_again(office: Office, now: datetime) -> None:
    await office.move(5, now - 200 * DAY, seen_at=now - 200 * DAY)
    columns = [
        row["attname"]
        for row in await office.database.fetch(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'processor_movements'::regclass AND attnum > 0 AND NOT attisdropped"
        )
    ]
    changed = {
        "id": "'txn_' || n",
        "movement_id": "gen_random_uuid()",
        "created_at": "created_at + n * interval '1 hour'",
        "seen_at": "seen_at + n * interval '1 hour'",
    }
    async with office.database.connection() as connection:
        await connection.execute(
            f"INSERT INTO processor_movements ({', '.join(columns)}) SELECT {', '.join(changed.get(c, c) for c in columns)} "
            "FROM processor_movements, generate_series(2, 4000) AS n WHERE tenant_id = $1",
            office.tenant_id,
        )
        await connection.execute("ANALYZE processor_movements")
    since = now - 2 * DAY
    assert (await added_up(office, since, now))["BRL"][1] == 4_000 * 5
    async with office.database.transaction() as tx:
        carried = await sql.carry(tx, office.tenant_id, since=since, at=now)
        await tx.execute("SET LOCAL jit = off; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        values = sql.MOVED.arguments(
            {"tenant_id": office.tenant_id, "since": since, "until": now, "carried": carried, "known_until": None}
        )
        plan = await tx.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql.MOVED.text}", *values)
    assert rows_of_movements(json.loads(plan)[0]["Plan"]) < 100, (carried, plan)
