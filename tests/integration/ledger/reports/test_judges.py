"""Independent judges: what beancount and hledger compute from the exported journal is what our trial balance says."""

import random
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from libs.common.clock import ManualClock
from libs.common.contracts.ledger import AccountType, EntryKind
from libs.common.contracts.ledger_closing import CloseYear, RevalueCurrencies
from libs.common.contracts.ledger_errors import EntryNotFound
from libs.common.contracts.ledger_money import PostConversion, RecordExchangeRate
from libs.common.contracts.ledger_reports import (
    EntryReport,
    JournalRecord,
    ReportEntry,
    ReportJournal,
    ReportTrialBalance,
)
from libs.common.contracts.ledger_units import AddOwnUnit
from libs.common.ids import new_id
from libs.common.money import format_minor
from libs.common.observability.correlation import Correlation
from services.api.books.schemas.plain_text import JournalText, TextFormat, account_name
from services.ledger.closing import Closing
from services.ledger.entries import EntryCommands
from services.ledger.exchange import ExchangeCommands
from services.ledger.posting import Booking, PostingService
from services.ledger.reports import ReportQueries
from services.ledger.units import UnitCommands
from tests.integration.ledger.bank import Bank
from tests.integration.ledger.books import Books, moved
from tests.support import judges
from tests.support.all_kinds import of_every_rule
from tests.support.databases import TestDatabase
from tests.support.judges import Totals
from tests.support.ledger_proof import START, WRITERS, prove
from tests.support.samples import seed

CODES = (
    *(
        "cash",
        "Cash",
        "CA_SH",
        "CA-SH",
        "CA__SH",
        "_CASH",
        "4000 Vendas/à vista",
        "VAT 10%",
        "A:B",
        "A;B",
        'A"B',
        "(A)",
    ),
    *(
        "[A]",
        "日本",
        "é",
        "½",
        "٣٤",
        "A--2d-B",
        "A- B",
        "X",
        "X---cash",
        "a\\b",
        "=1+1",
        "*",
        "!",
        "a,b",
        "A | B",
        "A@B{1}",
    ),
)
"""Codes that the chart takes, and that mean something else, or nothing, in the files of others."""
WORDS = (
    'a "quoted" \\ text; with, signs | and = more @ of {them}',
    "* (x) ! 2020-01-01 open Assets:Fake",
    "date:2020-01-01, type:L [2020-01-01]",
    "#tag ^link 'single' `back` \\",
    "=cmd|' /C calc'!A0",
    "Café 日本 \U0001f4b6 е",
)


OWN_UNITS = {"PT0": "7", "PT2": "12.34", "E8T": "0.123456789012345678"}
"""Own units, with an amount of each."""


async def journal(reports: ReportQueries, tenant_id: str, *, limit: int = 500) -> AsyncIterator[list[JournalRecord]]:
    """Read the whole journal, page by page."""
    requested = ReportJournal(tenant_id=tenant_id, limit=limit)
    while True:
        page = await reports.journal(requested)
        yield page.entries
        if page.next_cursor is None:
            return
        requested = msgspec.structs.replace(requested, cursor=page.next_cursor)


async def exported(reports: ReportQueries, tenant_id: str, folder: Path, text_format: TextFormat) -> Path:
    """Export a tenant's journal as the api does."""
    written = JournalText(text_format, zone=ZoneInfo("America/Sao_Paulo"))
    parts = [written.begin([("journal of tenant", tenant_id)])]
    parts += [written.page(entries) async for entries in journal(reports, tenant_id, limit=17)]
    path = folder / f"{tenant_id}.{text_format}"
    path.write_text("".join([*parts, written.end()]), encoding="utf-8")
    return path


async def judged(reports: ReportQueries, tenant_id: str, folder: Path) -> int:
    """Compare the totals of both judges with ours, account by account; returns how many there are."""
    ours: Totals = {}
    left: dict[str, int] = {}
    rows = (await reports.trial_balance(ReportTrialBalance(tenant_id=tenant_id))).rows
    for row in rows:
        debits, credits_ = (Decimal(format_minor(n, row.currency)) for n in (row.debits_minor, row.credits_minor))
        ours[account_name(row.account_type, row.account), row.currency] = (debits, credits_)
        left[row.currency] = left.get(row.currency, 0) + row.debits_minor - row.credits_minor
    assert len(ours) == len(rows), "two codes have one name"
    assert set(left.values()) <= {0}
    found, codes = judges.by_beancount(await exported(reports, tenant_id, folder, TextFormat.BEANCOUNT))
    assert found == ours
    assert set(codes.values()) == {row.account for row in rows}
    if program := judges.hledger():
        path = await exported(reports, tenant_id, folder, TextFormat.HLEDGER)
        assert judges.by_hledger(program, path) == ours
    return len(ours)


async def test_judges_agree_over_the_history_of_the_model(ledger_database: TestDatabase, tmp_path: Path) -> None:
    number = seed("judges") % 10_000
    async with ledger_database.open("ledger") as one, ledger_database.open("ledger") as two:
        await prove(one, two, operations=1200, seed=number)
        reports = ReportQueries(one, clock=ManualClock(START))
        compared = [await judged(reports, f"proof-{number}-{writer}", tmp_path) for writer in range(WRITERS)]
    assert min(compared) > 10


async def test_judges_agree_over_entries_of_every_kind(bank: Bank, books: Books, tmp_path: Path) -> None:
    """Whatever the kind, the currency, the code of an account, and the words of a person."""
    dice, tenant_id = random.Random(seed("kinds")), bank.tenant_id
    for code in CODES:
        await books.open_account(tenant_id, code, dice.choice([*AccountType]))
    await books.open_account(tenant_id, "SPARE", AccountType.ASSET)
    service = PostingService(bank.database, clock=bank.clock)
    for _ in range(5):
        bank.clock.advance(timedelta(hours=dice.randint(1, 60)))
        for entry in of_every_rule(tenant_id, dice, at=bank.clock.now()):
            correlation = Correlation(correlation_id="judges", tenant_id=tenant_id)
            await service.post(Booking(entry=entry, correlation=correlation))
    spoken = [moved(code, "SPARE", "7.01", "USD", description=dice.choice(WORDS)) for code in CODES]
    spoken += [moved("SPARE", "BANK", "3", "JPY", description=words) for words in WORDS]
    for code, amount in OWN_UNITS.items():
        await UnitCommands(bank.database, clock=bank.clock).add(
            AddOwnUnit(tenant_id=tenant_id, code=code, name=code, created_by="ana")
        )
        spoken.append(moved("SPARE", "REVENUE", amount, code))
    answer = await books.post(tenant_id, *spoken)
    reversed_id = answer.results[0].id
    assert reversed_id is not None
    await EntryCommands(bank.database, service, clock=bank.clock).reverse(tenant_id, reversed_id)
    await bank.capture(await bank.hold(300), 200)
    conversion_id = await converted(bank)
    await ended(bank, books)
    assert await judged(books.reports, tenant_id, tmp_path) > 100
    # Nothing of an entry is lost by its way through another program.
    known = judges.facts_by_beancount(tmp_path / f"{tenant_id}.{TextFormat.BEANCOUNT}")
    records = [entry async for page in journal(books.reports, tenant_id) for entry in page]
    assert {record.kind for record in records} == {*EntryKind}
    assert [facts["entry"] for facts in known] == [str(record.id) for record in records]
    assert {facts["narration"] for facts in known if facts["kind"] == "manual"} >= {*WORDS}
    assert {facts["number"] for facts in known} == {record.number for record in records}
    assert len({record.number for record in records}) == len(records)
    assert [facts.get("author") for facts in known] == [record.made_by for record in records]
    assert [facts.get("author") for facts in known].count("ops@example.com") == len(spoken)
    assert [facts["conversion"] for facts in known if "conversion" in facts] == [str(conversion_id)] * 2
    assert [facts["reverses"] for facts in known if "reverses" in facts] == [str(reversed_id)]
    first = records[0].posted_at
    assert known[0]["posted"] == first.isoformat()
    assert known[0]["date"] == first.astimezone(ZoneInfo("America/Sao_Paulo")).date().isoformat()


async def rate(bank: Bank, currency: str, rate: str, at: datetime | None = None) -> None:
    """Let a currency be worth so many BRL, from now on or from an instant on."""
    await ExchangeCommands(bank.database, clock=bank.clock).record_rate(
        RecordExchangeRate(
            tenant_id=bank.tenant_id,
            rate_id=new_id(),
            from_currency=currency,
            to_currency="BRL",
            rate=Decimal(rate),
            effective_at=at,
            source="ECB",
            actor="admin@example.com",
        )
    )


async def ended(bank: Bank, books: Books) -> None:
    """End the year: value other currencies on its last day, and close it."""
    year = bank.clock.now().year
    end = datetime(year + 1, 1, 1, tzinfo=UTC)
    rows = (await books.reports.trial_balance(ReportTrialBalance(tenant_id=bank.tenant_id))).rows
    for currency in {row.currency for row in rows} - {"BRL", *OWN_UNITS}:
        await rate(bank, currency, "4", bank.clock.now() - timedelta(days=365))
        await rate(bank, currency, "5", end - timedelta(hours=1))
    bank.clock.advance(end + timedelta(days=1) - bank.clock.now())
    closing, made_by = Closing(books.journal), "chief@example.com"
    await closing.revalue(
        RevalueCurrencies(tenant_id=bank.tenant_id, day=date(year, 12, 31), currency="BRL", made_by=made_by)
    )
    await closing.close_year(CloseYear(tenant_id=bank.tenant_id, year=year, made_by=made_by))


async def test_an_entry_by_its_id_is_that_of_the_journal(bank: Bank, books: Books) -> None:
    """With its conversion, and the entry that takes it back; another tenant has none of this id."""
    await books.open_account(bank.tenant_id, "SPARE", AccountType.ASSET)
    answer = await books.post(bank.tenant_id, moved("SPARE", "BANK", "3", "JPY", description="Twice"))
    reversed_id = answer.results[0].id
    assert reversed_id is not None
    service = PostingService(bank.database, clock=bank.clock)
    back = await EntryCommands(bank.database, service, clock=bank.clock).reverse(bank.tenant_id, reversed_id)
    await converted(bank)
    records = [entry async for page in journal(books.reports, bank.tenant_id) for entry in page]
    # The bank has an entry from its beginning; a conversion is two.
    assert len(records) == 5
    assert {reversed_id, back.id} < {record.id for record in records}
    for record in records:
        found = await books.reports.entry(ReportEntry(tenant_id=bank.tenant_id, entry_id=record.id))
        assert found == EntryReport(entry=record, reversed_by=back.id if record.id == reversed_id else None)
        with pytest.raises(EntryNotFound):
            await books.reports.entry(ReportEntry(tenant_id="another", entry_id=record.id))


async def converted(bank: Bank) -> object:
    """Exchange some money; returns the conversion's id."""
    exchange = ExchangeCommands(bank.database, clock=bank.clock)
    await rate(bank, "USD", "5.4321")
    requested = PostConversion(
        tenant_id=bank.tenant_id,
        conversion_id=new_id(bank.clock.now()),
        from_currency="USD",
        to_currency="BRL",
        amount_minor=100_00,
        actor="ops@example.com",
    )
    await exchange.convert(requested)
    return requested.conversion_id


@pytest.mark.parametrize("text_format", TextFormat)
def test_an_export_of_nothing_is_valid(text_format: TextFormat, tmp_path: Path) -> None:
    written = JournalText(text_format, zone=UTC)
    path = tmp_path / f"nothing.{text_format}"
    path.write_text(written.begin([("journal of tenant", 'x\ny"; z')]) + written.page([]) + written.end())
    if text_format is TextFormat.BEANCOUNT:
        assert judges.by_beancount(path) == ({}, {})
    elif program := judges.hledger():
        assert judges.by_hledger(program, path) == {}
