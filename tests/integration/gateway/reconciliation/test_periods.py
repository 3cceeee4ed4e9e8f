"""Months are closed once, by whoever is first, with a report that nothing changes and that what comes later does not slip into."""

import asyncio
import random
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import asyncpg
import pytest

from libs.common.contracts.gateway_errors import ReconciliationPeriodInvalid, ReconciliationPeriodOpen
from libs.common.contracts.gateway_periods import (
    GetReconciliationPeriod,
    GetReconciliationSeals,
    ListReconciliationPeriods,
)
from libs.common.errors import Unavailable
from libs.common.ids import first_id
from services.gateway.reconciliation.periods import queries
from tests.integration.gateway.reconciliation.conftest import Office
from tests.support.bank_histories import NOW, BankHistory
from tests.support.databases import TestDatabase

OCTOBER, NOVEMBER, DECEMBER = (datetime(2026, month, 1, tzinfo=UTC) for month in (10, 11, 12))


async def test_a_month_is_closed_once_and_what_comes_later_counts_in_the_next(
    office: Office, gateway_database: TestDatabase
) -> None:
    await office.move(-300, OCTOBER + timedelta(days=9))
    office.clock.advance(timedelta(minutes=5))
    with pytest.raises(ReconciliationPeriodOpen, match="no complete run"):
        await office.close("2026-10")
    dry = await office.compare(OCTOBER, NOVEMBER, is_dry=True)
    assert dry.report is not None
    short = await office.compare(OCTOBER + timedelta(seconds=1), NOVEMBER)
    assert short.found == {"NOT_BOOKED": 1}
    with pytest.raises(ReconciliationPeriodOpen, match="no complete run"):
        await office.close("2026-10")
    run = await office.compare(OCTOBER, NOVEMBER)
    assert run.report is not None
    assert [line.out_minor for line in run.report.statements[0].lines] == [300]
    office.clock.advance(timedelta(days=4))
    with pytest.raises(ReconciliationPeriodOpen, match="1 discrepancies have been open"):
        await office.close("2026-10")
    with pytest.raises(ReconciliationPeriodInvalid):
        await office.close("2026-11")

    # Known so shortly before that it might have been missed: it counts in the month after.
    await office.move(-20, NOVEMBER - timedelta(days=1))
    office.sides.fails = Unavailable("the ledger does not answer")
    with pytest.raises(Unavailable):
        await office.close("2026-10", override_reason="the bank answers later")
    office.sides.fails = None
    closed = await asyncio.gather(
        *(office.close("2026-10", override_reason="the bank answers later") for _ in range(5))
    )
    assert {each.sha256 for each in closed} == {closed[0].sha256}
    assert (closed[0].overridden, closed[0].override_reason) == (1, "the bank answers later")
    assert (await office.close("2026-10")).sha256 == closed[0].sha256

    owner = await asyncpg.connect(gateway_database.url("gateway_owner"))
    for statement in (
        "UPDATE gateway.reconciliation_periods SET closed_by = ''",
        "DELETE FROM gateway.reconciliation_periods",
        "TRUNCATE gateway.reconciliation_periods",
        "UPDATE gateway.reconciliation_seals SET sha256 = ''",
        "DELETE FROM gateway.reconciliation_seals",
        "TRUNCATE gateway.reconciliation_seals",
    ):
        with pytest.raises(asyncpg.RestrictViolationError):
            await owner.execute(statement)
    await owner.execute("ALTER TABLE gateway.reconciliation_periods DISABLE TRIGGER refuse_change")
    moved = await owner.fetch(
        "DELETE FROM gateway.reconciliation_periods WHERE tenant_id = $1 RETURNING *", office.tenant_id
    )
    check = await queries.verify(office.database, GetReconciliationSeals(tenant_id=office.tenant_id))
    assert check.faults == [f"2026-10: it was closed, with the checksum {closed[0].sha256}, and is missing"]
    names = ", ".join(moved[0].keys())
    values = ", ".join(f"${number}" for number in range(1, len(moved[0]) + 1))
    await owner.execute(f"INSERT INTO gateway.reconciliation_periods ({names}) VALUES ({values})", *moved[0])
    await owner.execute("ALTER TABLE gateway.reconciliation_periods ENABLE TRIGGER refuse_change")
    await owner.close()

    office.clock.advance(timedelta(hours=1))
    await office.move(-7, OCTOBER + timedelta(days=20))
    later = await office.compare(OCTOBER, NOVEMBER)
    assert later.found == {"LATE": 2, "NOT_BOOKED": 3}
    assert later.new == 4
    assert (await office.compare(OCTOBER, NOVEMBER)).new == 0
    details = {
        row["type"]: row["detail"]
        for row in await office.rows("SELECT type, detail FROM discrepancies WHERE tenant_id = $1 ORDER BY id")
    }
    assert "became known after 2026-10 was closed" in details["LATE"]
    assert details["NOT_BOOKED"].endswith("2026-10, in which it happened, is closed")

    await office.move(-1_000, NOVEMBER + timedelta(days=3))
    office.clock.advance(DECEMBER + timedelta(days=5) - office.clock.now())
    await office.compare(NOVEMBER, DECEMBER)
    with pytest.raises(ReconciliationPeriodOpen, match="5 discrepancies"):
        await office.close("2026-11")
    november = await office.close("2026-11", override_reason="all of it is known")
    assert november.previous_sha256 == closed[0].sha256
    sealed = await queries.show(office.database, GetReconciliationPeriod(tenant_id=office.tenant_id, month="2026-11"))
    (summary,) = sealed.report.statements
    assert [(line.kind, line.number, line.out_minor) for line in summary.lines] == [
        ("late", 2, 27),
        ("fee", 1, 1_000),
    ]
    assert (summary.opening_minor, summary.closing_minor) == (-300, -1_327)
    assert len(sealed.overridden_ids) == 5
    check = await queries.verify(office.database, GetReconciliationSeals(tenant_id=office.tenant_id))
    assert (check.periods, check.faults, check.last_sha256) == (2, [], november.sha256)
    page = await queries.list_page(office.database, ListReconciliationPeriods(tenant_id=office.tenant_id, limit=1))
    assert ([each.month for each in page.periods], page.next_before) == (["2026-11"], "2026-11")


async def test_a_month_is_compared_again_where_something_became_known(office: Office) -> None:
    await office.move(-300, OCTOBER + timedelta(days=9))
    await office.compare(OCTOBER, NOVEMBER)
    office.clock.advance(timedelta(hours=1))
    await office.move(-70, OCTOBER + timedelta(days=10))
    office.clock.advance(timedelta(hours=1))
    # No override stands for what nobody has looked at.
    with pytest.raises(ReconciliationPeriodOpen, match="became known at 2026-11-02T13:00:00"):
        await office.close("2026-10", override_reason="it is known")
    run = await office.compare(OCTOBER, NOVEMBER)
    assert (await office.close("2026-10")).run_id == run.id


async def test_a_month_is_not_closed_before_its_statement_is_known(office: Office) -> None:
    account, now = f"acct_{office.tenant_id}", office.clock.now()
    async with office.database.connection() as connection:
        await connection.execute(
            "INSERT INTO stripe_accounts (account_id, is_live, tenant_id, processor, known_at, booked_from) "
            "VALUES ($1, false, 'another', $2, $3, $3)",
            account,
            f"stripe:{office.tenant_id}",
            OCTOBER,
        )
    # Of the account of another, through which the tenant charges.
    await office.move(-300, OCTOBER + timedelta(days=9))
    office.clock.advance(timedelta(minutes=10))
    await office.compare(OCTOBER, NOVEMBER)
    with pytest.raises(ReconciliationPeriodOpen, match=f"the statement is not known until .* of {account}"):
        await office.close("2026-10")
    async with office.database.connection() as connection:
        await connection.execute(
            "INSERT INTO processor_readings (account_id, is_live, list, next_at, complete_until) "
            "VALUES ($1, false, 'movements', $2, $3)",
            account,
            now,
            NOVEMBER - timedelta(seconds=1),
        )
    with pytest.raises(ReconciliationPeriodOpen, match="the statement is not known"):
        await office.close("2026-10", override_reason="\u200b .")
    closed = await office.close("2026-10", override_reason="the account is blocked")
    assert (closed.overridden, closed.override_reason) == (0, "the account is blocked")
    sealed = await queries.show(office.database, GetReconciliationPeriod(tenant_id=office.tenant_id, month="2026-10"))
    assert sealed.unread == [account]
    async with office.database.connection() as connection:
        await connection.execute(
            "UPDATE processor_readings SET complete_until = $2 WHERE account_id = $1", account, DECEMBER
        )
    office.clock.advance(DECEMBER - office.clock.now())
    await office.compare(NOVEMBER, DECEMBER)
    office.sides.requests.clear()
    with pytest.raises(ReconciliationPeriodOpen, match="1 discrepancies"):
        await office.close("2026-11")


async def test_lines_of_a_month_count_though_imported_after_it(office: Office) -> None:
    bank = BankHistory(office.database, office.tenant_id)
    await bank.source()
    for name, on in (("rent", date(2026, 10, 31)), ("later", date(2026, 11, 1))):
        await bank.line(name, -70_000, on)
    office.clock.advance(NOW - office.clock.now())
    assert (await office.compare(OCTOBER, NOVEMBER)).found == {"FOREIGN": 2}
    office.clock.advance(timedelta(days=4))
    with pytest.raises(ReconciliationPeriodOpen, match="1 discrepancies have been open"):
        await office.close("2026-10")
    assert (await office.close("2026-10", override_reason="it is the rent")).overridden == 1


async def test_what_no_window_reaches_is_found_late_all_the_same(office: Office) -> None:
    await office.compare(OCTOBER, NOVEMBER)
    await office.close("2026-10")
    office.clock.advance(timedelta(days=60))
    # One that belongs to no payment, and one of a payment of then.
    await office.move(-300, OCTOBER + timedelta(days=9))
    payment = first_id(OCTOBER + timedelta(days=2))
    await office.move(5_000, OCTOBER + timedelta(days=3), kind="charge", payment_intent_id=payment)
    office.clock.advance(timedelta(hours=1))
    now = office.clock.now()
    run = await office.compare(now - timedelta(days=2), now)
    assert run.found["LATE"] == 2
    late = await office.rows(
        "SELECT actual_minor FROM discrepancies WHERE tenant_id = $1 AND type = 'LATE' ORDER BY actual_minor"
    )
    assert [row["actual_minor"] for row in late] == [-300, 5_000]


async def test_months_tie_whatever_moves_and_whenever_it_is_known(office: Office) -> None:
    chance = random.Random(7)
    months = [datetime(2026, month, 1, tzinfo=UTC) for month in range(7, 12)]
    office.clock.advance(months[0] - office.clock.now())
    edge = timedelta(microseconds=1)
    known: dict[str, int] = {}
    closings: dict[str, int] = {}
    for begins, ends in pairwise(months):
        office.clock.advance(ends + timedelta(days=1) - office.clock.now())
        moments = [begins, ends - edge, begins - edge, months[0] - edge, begins + timedelta(days=3)]
        for number in range(30):
            amount, fee = chance.randint(-9_000, 9_000), chance.randint(-50, 300)
            currency = chance.choice(["BRL", "JPY", "KWD"])
            await office.move(
                amount,
                moments[number % len(moments)],
                kind=chance.choice(["charge", "refund", "dispute", "payout", "fee", "other"]),
                fee_minor=fee,
                net_minor=amount - fee,
                currency=currency,
            )
            known[currency] = known.get(currency, 0) + amount - fee
        await office.move(1, ends, is_booked=False)
        office.clock.advance(timedelta(minutes=10))
        await office.compare(begins, ends)
        month = f"{begins:%Y-%m}"
        await office.close(month, override_reason="it is known")
        sealed = await queries.show(office.database, GetReconciliationPeriod(tenant_id=office.tenant_id, month=month))
        for each in sealed.report.statements:
            assert each.opening_minor == closings.get(each.currency, each.opening_minor)
            assert each.opening_minor + sum(x.in_minor - x.out_minor for x in each.lines) == each.closing_minor
            assert each.in_minor == sum(x.in_minor for x in each.lines)
            closings[each.currency] = each.closing_minor
        assert closings == known
    check = await queries.verify(office.database, GetReconciliationSeals(tenant_id=office.tenant_id))
    assert check.faults == []
