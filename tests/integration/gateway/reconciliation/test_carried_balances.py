"""Reports open with what is carried to a day: the same as all that has ever moved adds up to, and without looking at it again."""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from services.gateway.reconciliation.reports import sql
from services.gateway.reconciliation.reports.domain import carried_day
from tests.integration.gateway.reconciliation.conftest import Office

BEGAN = datetime(2026, 8, 1, tzinfo=UTC)
DAY = timedelta(days=1)


async def added_up(office: Office, since: datetime, until: datetime, **known: Any) -> dict[str, tuple[int, int]]:
    """Return what statements open and close with, by currency."""
    async with office.database.transaction() as tx:
        now = office.clock.now()
        carried = await sql.carry(tx, office.tenant_id, day=carried_day(since, now=now))
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


async def test_what_is_carried_is_all_that_moved_whenever_it_became_known(office: Office) -> None:
    chance = random.Random(11)
    office.clock.advance(BEGAN - office.clock.now())
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
        since = BEGAN + timedelta(hours=chance.randint(0, 24 * max(1, number)))
        await added_up(office, min(since, now), now, known_until=chance.choice([None, now - timedelta(minutes=5)]))
    end = office.clock.now() + DAY
    assert {currency: after for currency, (_, after) in (await added_up(office, end - DAY, end)).items()} == total
    days = await office.rows("SELECT count(DISTINCT day) AS number FROM carried_balances WHERE tenant_id = $1")
    assert days[0]["number"] > 10


def rows_of_movements(plan: dict[str, Any]) -> int:
    """Count the rows of movements that a plan has looked at."""
    here = (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
    mine = int(here) if plan.get("Relation Name") == "processor_movements" else 0
    return mine + sum(rows_of_movements(each) for each in plan.get("Plans", ()))


async def test_history_is_not_looked_at_again(office: Office) -> None:
    now = office.clock.now()
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
        carried = await sql.carry(tx, office.tenant_id, day=carried_day(since, now=now))
        await tx.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        values = sql.MOVED.arguments(
            {"tenant_id": office.tenant_id, "since": since, "until": now, "carried": carried, "known_until": None}
        )
        plan = await tx.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql.MOVED.text}", *values)
    assert rows_of_movements(json.loads(plan)[0]["Plan"]) < 100
