"""Reports about payments: sums by period, what is in flight, and for how long an old period is remembered."""

from datetime import UTC, datetime, timedelta

from libs.common.clock import ManualClock
from libs.common.db import Database
from libs.common.ids import new_id
from services.api.payments.domain import PeriodTotals, Span
from services.api.payments.queries import Activity
from tests.integration.api.conftest import Api
from tests.support.databases import TestDatabase

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
_ADD = """
INSERT INTO payment_intents (tenant_id, id, amount_minor, currency, status, customer_ref, version, captured_minor, refunded_minor,
                             authorized_at, created_at, updated_at)
VALUES ($1, $2, 1000, $3, $4, 'c', 1, $5, $6, $7, $8, $8)
"""


async def add(
    database: Database, tenant: str, status: str, at: datetime, *, captured: int = 0, refunded: int = 0
) -> None:
    authorized_at = at if status not in {"FAILED", "PROCESSING"} else None
    await database.fetch(_ADD, tenant, new_id(), "BRL", status, captured, refunded, authorized_at, at)


def days(*back: int) -> list[Span]:
    midnight = NOW.replace(hour=0)
    return [Span(midnight - timedelta(days=n), midnight - timedelta(days=n - 1)) for n in back]


async def test_periods_are_summed_and_only_old_ones_are_remembered(api_database: TestDatabase, tenant_id: str) -> None:
    clock = ManualClock(NOW)
    async with api_database.open("api") as database:
        activity = Activity(database, clock)
        old, new = NOW - timedelta(days=10), NOW - timedelta(hours=1)
        await add(database, tenant_id, "SETTLED", old, captured=1000)
        await add(database, tenant_id, "FAILED", new)
        spans = days(10, 5, 0)

        found, read_at = await activity.totals(tenant_id, spans)
        one = PeriodTotals(
            currency="BRL",
            payments=1,
            amount_minor=1000,
            authorized=1,
            failed=0,
            captured_minor=1000,
            refunded_minor=0,
            disputed_minor=0,
        )
        assert (found[0], found[1], found[2][0].failed, read_at) == ([one], [], 1, NOW)

        await add(database, tenant_id, "REFUNDED", old, captured=1000, refunded=1000)
        await add(database, tenant_id, "FAILED", new)
        clock.advance(timedelta(minutes=4))
        found, read_at = await activity.totals(tenant_id, spans)
        assert (found[0], found[2][0].failed, read_at) == ([one], 2, NOW)

        clock.advance(timedelta(minutes=2))
        found, read_at = await activity.totals(tenant_id, spans)
        assert (found[0][0].payments, found[0][0].refunded_minor, read_at) == (2, 1000, clock.now())
        assert (await Activity(database, clock).totals("somebody-else", spans))[0] == [[], [], []]


async def test_of_the_running_period_what_is_older_is_remembered_for_a_minute(
    api_database: TestDatabase, tenant_id: str
) -> None:
    clock = ManualClock(NOW)
    async with api_database.open("api") as database:
        activity = Activity(database, clock)

        async def counted() -> tuple[int, int, datetime]:
            # It ends with the request, as that of a report does.
            today = Span(NOW.replace(hour=0), clock.now())
            (rows,), read_at = await activity.totals(tenant_id, [today])
            return rows[0].payments, rows[0].failed, read_at

        for at in (NOW - timedelta(hours=3), NOW - timedelta(minutes=1)):
            await add(database, tenant_id, "SETTLED", at, captured=1000)
        assert await counted() == (2, 0, NOW)

        for at in (NOW - timedelta(hours=3), NOW - timedelta(minutes=1)):
            await add(database, tenant_id, "FAILED", at)
        clock.advance(timedelta(seconds=50))
        assert await counted() == (3, 1, NOW)

        clock.advance(timedelta(seconds=11))
        assert await counted() == (4, 2, clock.now())


async def test_a_report_names_what_is_in_flight_and_what_is_over(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    await client.create("150.50")
    await client.create("20", currency="USD")
    waiting = await client.create("1.50")
    await api.database.write("UPDATE payment_intents SET status = 'PROCESSING' WHERE id = $1", waiting["id"])

    answer = await client.call("GET", "/v1/reports/payments?granularity=hour&tz=America/Sao_Paulo")

    assert answer.status == 200, answer.raw
    assert [(row["currency"], row["payments"], row["amount"]) for row in answer.json["periods"]] == [
        ("BRL", 2, "152.00"),
        ("USD", 1, "20.00"),
    ]
    assert {row["period"][-6:] for row in answer.json["periods"]} == {"-03:00"}
    [flying] = answer.json["in_flight"]
    assert (flying["stage"], flying["currency"], flying["number"], flying["amount"]) == ("processing", "BRL", 1, "1.50")
    assert answer.headers["age"] == "0"
    one = await client.call("GET", "/v1/reports/payments?currency=USD")
    assert [row["currency"] for row in one.json["periods"] + one.json["in_flight"]] == ["USD"]


async def test_a_report_of_too_many_periods_is_refused(api: Api, tenant_id: str) -> None:
    for query, name in (
        ("granularity=hour&from=2026-01-01&to=2026-03-01", "granularity"),
        ("granularity=month&from=2020-01-01&to=2026-03-01", "from"),
        ("granularity=year", "granularity"),
    ):
        answer = await api.client(tenant_id).call("GET", f"/v1/reports/payments?{query}")
        assert (answer.status, answer.json["errors"][0]["pointer"]) == (422, name), answer.raw
