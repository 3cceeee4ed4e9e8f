"""Reports show exactly what the books hold: compared with a plain Python model over random entries."""

import asyncio
import base64
import random
from datetime import UTC, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from libs.common.clock import ManualClock
from libs.common.contracts.ledger import AccountType, Side
from libs.common.contracts.ledger_errors import AccountUnknown, QueryInvalid
from libs.common.contracts.ledger_reports import (
    Granularity,
    JournalRecord,
    RefreshReports,
    ReportBalances,
    ReportJournal,
    ReportRevenue,
    ReportRevenueByTenant,
    ReportStatement,
    ReportTrialBalance,
    StatementLine,
    StatementPage,
)
from libs.common.db import Database
from services.ledger import metrics
from tests.integration.ledger.books import Books, Fact, facts_of, moved, revenue_model, totals, within
from tests.support.databases import TestDatabase

ZONES = (
    "UTC",
    "America/Sao_Paulo",
    "America/New_York",
    "Europe/Lisbon",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "America/Havana",
    "Pacific/Chatham",
)
ACCOUNTS = ("CASH", "REVENUE", "REFUND_EXPENSE", "FEES")
SEED = 20261122


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands shortly before Europe, America and Oceania change theirs."""
    return ManualClock(datetime(2026, 9, 30, 22, 51, 7, 3, tzinfo=UTC))


async def random_history(books: Books, tenant_ids: list[str], dice: random.Random, calls: int) -> list[Fact]:
    """Post random entries over about eight months of record; returns every posting."""
    facts: list[Fact] = []
    for tenant_id in tenant_ids:
        await books.open_account(tenant_id, "FEES", AccountType.EXPENSE)
    for _ in range(calls):
        tenant_id = dice.choice(tenant_ids)
        entries = [
            moved(
                *dice.choice(
                    [
                        ("CASH", "REVENUE"),
                        ("CASH", "REVENUE"),
                        ("REFUND_EXPENSE", "CASH"),
                        ("CASH", "REFUND_EXPENSE"),
                        ("REVENUE", "CASH"),
                        ("FEES", "CASH"),
                    ]
                ),
                f"{dice.randint(1, 999_999) / 100:.2f}",
                dice.choice(["BRL", "USD"]),
            )
            for _ in range(dice.randint(1, 4))
        ]
        facts += facts_of(tenant_id, entries, await books.post(tenant_id, *entries))
        step = dice.choice([timedelta(microseconds=1), timedelta(seconds=40), timedelta(minutes=11)])
        # Now and then to the very edge of a quarter of an hour, which may be the midnight of some zone.
        if dice.random() < 0.3:
            now = books.clock.now()
            step = timedelta(minutes=15) - (now - datetime(1970, 1, 1, tzinfo=UTC)) % timedelta(minutes=15)
            step -= timedelta(microseconds=dice.choice([0, 0, 1, 2]))
        if dice.random() < 0.25:
            step += timedelta(hours=dice.randint(1, 120))
        books.clock.advance(step)
    return facts


def some_spans(facts: list[Fact], dice: random.Random) -> list[tuple[datetime | None, datetime | None]]:
    """Spans that begin and end anywhere: on postings, a microsecond beside them, on quarters, in the wrong order."""
    instants: list[datetime | None] = [None, facts[0].posted_at - timedelta(days=1)]
    for fact in dice.sample(facts, 12):
        instants += [fact.posted_at, fact.posted_at + timedelta(microseconds=1)]
        instants.append(fact.posted_at.replace(minute=15, second=0, microsecond=0))
    found = [(dice.choice(instants), dice.choice(instants)) for _ in range(40)]
    near = [fact.posted_at for fact in dice.sample(facts, 10)]
    return [(None, None), *found, *((at, at + timedelta(minutes=4)) for at in near)]


async def test_revenue_is_what_the_model_shows_in_every_zone_and_span(books: Books, tenant_id: str) -> None:
    dice = random.Random(SEED)
    tenants = [tenant_id, f"{tenant_id}-b"]
    facts = await random_history(books, tenants, dice, 260)
    await books.refresh()
    # What is posted after the refresh is in no figure, not even in a span that ends within the same quarter.
    await books.post(tenant_id, moved("CASH", "REVENUE", "7777.77"))
    own = [fact for fact in facts if fact.tenant_id == tenant_id]
    compared = 0
    for begins_at, ends_at in some_spans(own, dice):
        granularity, zone = dice.choice(list(Granularity)), ZoneInfo(dice.choice(ZONES))
        report = await books.reports.revenue(
            ReportRevenue(
                tenant_id=tenant_id,
                granularity=granularity,
                zone=zone.key,
                posted_from=begins_at,
                posted_until=ends_at,
            )
        )
        found = {(r.period_at, r.currency): (r.gross_minor, r.reversals_minor, r.refunds_minor) for r in report.rows}
        assert found == revenue_model(within(own, begins_at, ends_at), granularity, zone), (begins_at, ends_at, zone)
        assert [(r.period_at, r.currency) for r in report.rows] == sorted(found)
        compared += len(found)
    assert compared > 100


async def test_every_period_of_every_zone(books: Books, tenant_id: str) -> None:
    facts = await random_history(books, [tenant_id], random.Random(SEED), 60)
    await books.refresh()
    for zone, granularity in product(ZONES, Granularity):
        report = await books.reports.revenue(
            ReportRevenue(tenant_id=tenant_id, granularity=granularity, zone=zone, currency="BRL")
        )
        found = {(r.period_at, r.currency): (r.gross_minor, r.reversals_minor, r.refunds_minor) for r in report.rows}
        expected = revenue_model([f for f in facts if f.currency == "BRL"], granularity, ZoneInfo(zone))
        assert found == expected, (zone, granularity)


async def test_week_begins_on_monday_and_a_day_of_a_clock_change_is_one_day(books: Books, tenant_id: str) -> None:
    new_york = ZoneInfo("America/New_York")
    # Sunday, 1 November 2026, has 25 hours in New York.
    for at in (
        datetime(2026, 11, 1, 0, 0, tzinfo=new_york),
        datetime(2026, 11, 1, 1, 30, fold=0, tzinfo=new_york),
        datetime(2026, 11, 1, 1, 30, fold=1, tzinfo=new_york),
        datetime(2026, 11, 1, 23, 59, 59, tzinfo=new_york),
        datetime(2026, 11, 2, 0, 0, tzinfo=new_york),
    ):
        books.clock.advance(at.astimezone(UTC) - books.clock.now())
        await books.post(tenant_id, moved("CASH", "REVENUE", "1.00"))
    await books.refresh()

    async def periods(granularity: Granularity) -> list[tuple[str, int]]:
        report = await books.reports.revenue(
            ReportRevenue(tenant_id=tenant_id, granularity=granularity, zone="America/New_York")
        )
        return [
            (row.period_at.astimezone(new_york).isoformat(), row.gross_minor) for row in report.rows if row.period_at
        ]

    assert await periods(Granularity.DAY) == [("2026-11-01T00:00:00-04:00", 400), ("2026-11-02T00:00:00-05:00", 100)]
    assert await periods(Granularity.WEEK) == [("2026-10-26T00:00:00-04:00", 400), ("2026-11-02T00:00:00-05:00", 100)]
    assert await periods(Granularity.MONTH) == [("2026-11-01T00:00:00-04:00", 500)]


async def test_revenue_by_tenant_comes_page_by_page(books: Books, tenant_id: str) -> None:
    dice = random.Random(SEED)
    tenants = [f"{tenant_id}-{letter}" for letter in "abcde"]
    facts = await random_history(books, tenants, dice, 60)
    await books.refresh()
    found: dict[tuple[str, str], tuple[int, int, int]] = {}
    cursor, pages = None, 0
    while pages == 0 or cursor is not None:
        page = await books.reports.revenue_by_tenant(ReportRevenueByTenant(limit=2, cursor=cursor))
        found |= {
            (r.tenant_id, r.currency): (r.gross_minor, r.reversals_minor, r.refunds_minor)
            for r in page.rows
            if r.tenant_id in tenants
        }
        cursor, pages = page.next_cursor, pages + 1
    assert pages > 2
    expected = {
        (tenant, currency): (
            sums.get(("REVENUE", currency), (0, 0))[1],
            sums.get(("REVENUE", currency), (0, 0))[0],
            sums.get(("REFUND_EXPENSE", currency), (0, 0))[0] - sums.get(("REFUND_EXPENSE", currency), (0, 0))[1],
        )
        for tenant in tenants
        for sums in [totals(f for f in facts if f.tenant_id == tenant)]
        for currency in ("BRL", "USD")
        if {("REVENUE", currency), ("REFUND_EXPENSE", currency)} & set(sums)
    }
    assert found == expected


async def test_balances_are_those_of_the_last_refresh(books: Books, tenant_id: str) -> None:
    dice = random.Random(SEED)
    facts = await random_history(books, [tenant_id], dice, 60)
    await books.refresh()
    await books.post(tenant_id, moved("CASH", "REVENUE", "7777.77"))
    for begins_at, ends_at in some_spans(facts, dice):
        report = await books.reports.balances(
            ReportBalances(tenant_id=tenant_id, posted_from=begins_at, posted_until=ends_at)
        )
        found = {(b.account, b.currency): (b.debits_minor, b.credits_minor) for b in report.balances}
        assert found == totals(within(facts, begins_at, ends_at)), (begins_at, ends_at)


async def test_a_trial_balance_balances_now_and_then(books: Books, tenant_id: str) -> None:
    dice = random.Random(SEED)
    facts = await random_history(books, [tenant_id], dice, 60)
    for as_of in [None, *(f.posted_at for f in dice.sample(facts, 10))]:
        found = await books.reports.trial_balance(ReportTrialBalance(tenant_id=tenant_id, as_of=as_of))
        rows = {(r.account, r.currency): (r.debits_minor, r.credits_minor) for r in found.rows}
        assert rows == totals(within(facts, None, as_of))
        for currency in ("BRL", "USD"):
            of_currency = [r for r in found.rows if r.currency == currency]
            assert sum(r.debits_minor for r in of_currency) == sum(r.credits_minor for r in of_currency)


async def whole_statement(
    books: Books, request: ReportStatement, *, meanwhile: bool = False
) -> tuple[StatementPage, list[StatementLine]]:
    """Read all pages of a statement; with `meanwhile`, more is posted between them."""
    first = page = await books.reports.statement(request)
    lines = list(page.lines)
    while page.next_cursor is not None:
        if meanwhile:
            await books.post(request.tenant_id, moved("CASH", "REVENUE", "1.00"))
        page = await books.reports.statement(
            ReportStatement(
                tenant_id=request.tenant_id,
                account=request.account,
                currency=request.currency,
                posted_from=request.posted_from,
                posted_until=request.posted_until,
                limit=request.limit,
                cursor=page.next_cursor,
            )
        )
        assert (page.opening_debits_minor, page.closing_debits_minor, page.closing_credits_minor) == (
            first.opening_debits_minor,
            first.closing_debits_minor,
            first.closing_credits_minor,
        )
        lines += page.lines
    return first, lines


async def test_opening_and_lines_make_the_closing_whatever_is_posted_meanwhile(books: Books, tenant_id: str) -> None:
    dice = random.Random(SEED)
    facts = await random_history(books, [tenant_id], dice, 80)
    for number, (begins_at, ends_at) in enumerate(some_spans(facts, dice)):
        account = dice.choice(ACCOUNTS)
        request = ReportStatement(
            tenant_id=tenant_id,
            account=account,
            currency="BRL",
            posted_from=begins_at,
            posted_until=ends_at,
            limit=dice.choice([1, 7, 1000]),
        )
        page, lines = await whole_statement(books, request)
        expected = [
            (fact.posted_at, fact.side, fact.amount_minor)
            for fact in within(facts, begins_at, ends_at)
            if fact.account == account and fact.currency == "BRL"
        ]
        assert [(line.posted_at, line.side, line.amount_minor) for line in lines] == expected, number
        debits = sum(line.amount_minor for line in lines if line.side is Side.DEBIT)
        credits_ = sum(line.amount_minor for line in lines if line.side is Side.CREDIT)
        assert page.opening_debits_minor + debits == page.closing_debits_minor
        assert page.opening_credits_minor + credits_ == page.closing_credits_minor
        opening = totals(within(facts, None, begins_at)) if begins_at is not None else {}
        assert (page.opening_debits_minor, page.opening_credits_minor) == opening.get((account, "BRL"), (0, 0))
    # Of one statement, however much is posted while it is read.
    request = ReportStatement(tenant_id=tenant_id, account="CASH", currency="BRL", limit=10)
    page, lines = await whole_statement(books, request, meanwhile=True)
    assert len(lines) == len([f for f in facts if f.account == "CASH" and f.currency == "BRL"])
    assert page.closing_debits_minor == sum(line.amount_minor for line in lines if line.side is Side.DEBIT)


async def test_the_journal_has_every_entry_once_in_the_order_of_record(books: Books, tenant_id: str) -> None:
    facts = await random_history(books, [tenant_id], random.Random(SEED), 40)
    found: list[JournalRecord] = []
    cursor = None
    while not found or cursor is not None:
        page = await books.reports.journal(ReportJournal(tenant_id=tenant_id, limit=7, cursor=cursor))
        found, cursor = [*found, *page.entries], page.next_cursor
    assert [(entry.posted_at, entry.id) for entry in found] == sorted({(e.posted_at, e.id) for e in found})
    lines = [
        (entry.posted_at, line.account, line.side, line.amount_minor, line.currency)
        for entry in found
        for line in entry.lines
    ]
    assert sorted(lines) == sorted((f.posted_at, f.account, f.side, f.amount_minor, f.currency) for f in facts)
    assert {entry.description for entry in found} == {"By hand"}


async def test_only_one_of_many_processes_refreshes_and_only_when_it_is_time(
    books: Books, database: Database, clock: ManualClock
) -> None:
    processes = [Books(database, clock).refreshing for _ in range(5)]
    await books.refresh()
    # As in a process that has started since: whoever has refreshed, all say when it was.
    metrics.REPORTS_REFRESHED_AT.set(0)
    assert not any(await asyncio.gather(*(process.refresh_when_old() for process in processes)))
    running = asyncio.create_task(processes[0].keep_fresh())
    before = await books.database.fetchrow("SELECT max(refreshed_at) AS at FROM report_refreshes")
    assert before is not None
    assert metrics.REPORTS_REFRESHED_AT._value.get() == before["at"].timestamp()
    answer = await processes[0].refresh(RefreshReports())
    assert answer.is_done
    assert answer.refreshed_at > before["at"]
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_views_that_are_too_old_are_refreshed_by_exactly_one_of_many(
    database: Database, clock: ManualClock, ledger_database: TestDatabase
) -> None:
    owner = await asyncpg.connect(ledger_database.url("ledger_owner"))
    await owner.execute("UPDATE ledger.report_refreshes SET refreshed_at = refreshed_at - interval '15 minutes'")
    await owner.close()
    processes = [Books(database, clock).refreshing for _ in range(6)]
    refreshed = await asyncio.gather(*(process.refresh_when_old() for process in processes))
    assert sorted(refreshed) == [False] * 5 + [True]


async def test_while_one_refreshes_the_others_go_on_and_readers_read(
    books: Books, ledger_database: TestDatabase, tenant_id: str
) -> None:
    await books.post(tenant_id, moved("CASH", "REVENUE"))
    await books.refresh()
    leader = await asyncpg.connect(ledger_database.url("ledger_app"), server_settings={"search_path": "ledger"})
    try:
        transaction = leader.transaction()
        await transaction.start()
        assert await leader.fetchval("SELECT refresh_reports(interval '0')") is not None
        assert not await books.refreshing.refresh_when_old()
        report = await books.reports.revenue(ReportRevenue(tenant_id=tenant_id))
        assert [row.gross_minor for row in report.rows] == [1000]
        await transaction.rollback()
    finally:
        await leader.close()


async def test_the_runtime_role_refreshes_without_owning_anything(ledger_database: TestDatabase) -> None:
    connection = await asyncpg.connect(ledger_database.url("ledger_app"), server_settings={"search_path": "ledger"})
    try:
        assert await connection.fetchval("SELECT refresh_reports(interval '0')") is not None
        for statement in (
            "UPDATE account_turnover SET credits_minor = 0",
            "DROP TABLE account_turnover",
            "INSERT INTO report_refreshes VALUES (now(), now())",
            "UPDATE manual_entries SET made_by = 'nobody'",
            "DELETE FROM proposals",
            "UPDATE proposals SET made_by = 'nobody'",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


async def test_spans_to_the_ends_of_time_are_answered(books: Books, tenant_id: str) -> None:
    await books.post(tenant_id, moved("CASH", "REVENUE"))
    await books.refresh()
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    for begins_at, ends_at, rows in ((first, last, 1), (first, first, 0), (last, last, 0), (last, first, 0)):
        revenue = await books.reports.revenue(
            ReportRevenue(tenant_id=tenant_id, posted_from=begins_at, posted_until=ends_at)
        )
        assert len(revenue.rows) == rows


async def test_what_cannot_be_requested_is_refused(books: Books, tenant_id: str) -> None:
    for zone in ("Mars/Olympus", "../etc/passwd", "", "UTC; DROP TABLE postings", "A" * 200):
        with pytest.raises(QueryInvalid, match="tz must be"):
            await books.reports.revenue(ReportRevenue(tenant_id=tenant_id, zone=zone))
    with pytest.raises(AccountUnknown):
        await books.reports.statement(ReportStatement(tenant_id=tenant_id, account="NONE", currency="BRL"))
    await books.post(tenant_id, moved("CASH", "REVENUE"))
    too_late = base64.urlsafe_b64encode(b"\x7f" + b"\xff" * 23).decode()
    for cursor in ("x", "AAAA", "////////", too_late, "é"):
        with pytest.raises(QueryInvalid, match="cursor"):
            await books.reports.statement(
                ReportStatement(tenant_id=tenant_id, account="CASH", currency="BRL", cursor=cursor)
            )
        with pytest.raises(QueryInvalid, match="cursor"):
            await books.reports.journal(ReportJournal(tenant_id=tenant_id, cursor=cursor))
    with pytest.raises(QueryInvalid, match="limit"):
        await books.reports.journal(ReportJournal(tenant_id=tenant_id, limit=0))
