"""A ledger whose books are filled by hand, and a plain Python model of what reports must show of them."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import msgspec

from libs.common.clock import ManualClock
from libs.common.contracts.ledger import AccountType, OpenAccount, Side
from libs.common.contracts.ledger_journal import (
    EntriesPosted,
    ManualEntry,
    ManualLine,
    Mode,
    Outcome,
    PostEntries,
)
from libs.common.contracts.ledger_reports import Granularity
from libs.common.db import Database
from libs.common.ids import new_id
from services.ledger.accounts import AccountCommands
from services.ledger.entries import EntryQueries
from services.ledger.manual_entries import Journal, JournalQueries
from services.ledger.manual_entries.commands import post
from services.ledger.policies import Policies, PolicyQueries
from services.ledger.reports import ReportCommands, ReportQueries
from services.ledger.watermark import Watermark

PROPOSAL_LIFETIME = timedelta(days=7)


class Books:
    """One ledger process without its broker: what people enter, and what is reported."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        self.database = database
        self.clock = clock
        self.commands = AccountCommands(database, clock=clock)
        self.queries = EntryQueries(database, watermark=Watermark(database, clock=clock))
        self.journal = Journal(database, clock=clock, proposal_lifetime=PROPOSAL_LIFETIME)
        self.proposals = JournalQueries(database, clock=clock)
        self.policies = Policies(database, clock=clock, lifetime=PROPOSAL_LIFETIME)
        self.policy = PolicyQueries(database, clock=clock)
        self.reports = ReportQueries(database, clock=clock)
        self.refreshing = ReportCommands(database, age_max=timedelta(minutes=15), timeout_seconds=60)

    async def open_account(self, tenant_id: str, code: str, account_type: AccountType) -> None:
        """Open an account in a tenant's chart."""
        await self.commands.open_account(
            OpenAccount(tenant_id=tenant_id, account_id=new_id(), code=code, label=code, account_type=account_type)
        )

    async def post(
        self,
        tenant_id: str,
        *entries: ManualEntry,
        mode: Mode = Mode.ATOMIC,
        key: str | None = None,
        is_dry_run: bool = False,
    ) -> EntriesPosted:
        """Post entries as one call."""
        return await post.post_entries(
            self.journal,
            PostEntries(
                tenant_id=tenant_id,
                made_by="ops@example.com",
                key=key or uuid4().hex,
                mode=mode,
                is_dry_run=is_dry_run,
                entries=list(entries),
            ),
        )

    async def refresh(self) -> None:
        """Refresh the report views, whatever their age."""
        async with self.database.connection() as connection:
            assert await connection.fetchval("SELECT refresh_reports(interval '0')") is not None

    async def count(self, tenant_id: str) -> tuple[int, int, int]:
        """Count a tenant's entries, postings and notes about who made them."""
        row = await self.database.fetchrow(
            "SELECT (SELECT count(*) FROM journal_entries WHERE tenant_id = $1), "
            "(SELECT count(*) FROM postings WHERE tenant_id = $1), "
            "(SELECT count(*) FROM manual_entries WHERE tenant_id = $1)",
            tenant_id,
        )
        assert row is not None
        return (row[0], row[1], row[2])


def moved(
    debit: str,
    credit: str,
    amount: str = "10.00",
    currency: str = "BRL",
    *,
    entry_id: UUID | None = None,
    description: str = "By hand",
) -> ManualEntry:
    """An entry that debits one account and credits another."""
    return ManualEntry(
        id=entry_id,
        description=description,
        lines=[
            ManualLine(account=debit, side=Side.DEBIT, amount=amount, currency=currency),
            ManualLine(account=credit, side=Side.CREDIT, amount=amount, currency=currency),
        ],
    )


class Fact(msgspec.Struct, frozen=True):
    """One posting, as the model remembers it."""

    tenant_id: str
    account: str
    side: Side
    amount_minor: int
    currency: str
    posted_at: datetime


def facts_of(tenant_id: str, entries: Iterable[ManualEntry], answer: EntriesPosted) -> list[Fact]:
    """Remember what was posted; amounts are in currencies of two decimals."""
    found = []
    for entry, result in zip(entries, answer.results, strict=True):
        assert result.outcome is Outcome.POSTED
        assert result.posted_at is not None
        found += [
            Fact(tenant_id, line.account, line.side, round(float(line.amount) * 100), line.currency, result.posted_at)
            for line in entry.lines
        ]
    return found


def period_of(at: datetime, granularity: Granularity, zone: ZoneInfo) -> datetime:
    """The first instant of the period that an instant belongs to, by the calendar on the wall."""
    day = at.astimezone(zone).date()
    if granularity is Granularity.WEEK:
        day -= timedelta(days=day.weekday())
    elif granularity is Granularity.MONTH:
        day = day.replace(day=1)
    return datetime.combine(day, datetime.min.time(), tzinfo=zone).astimezone(UTC)


def revenue_model(
    facts: Iterable[Fact], granularity: Granularity, zone: ZoneInfo
) -> dict[tuple[datetime, str], tuple[int, int, int]]:
    """Gross, reversals and refunds of each period and currency."""
    sums: dict[tuple[datetime, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for fact in facts:
        slot = sums[period_of(fact.posted_at, granularity, zone), fact.currency]
        if fact.account == "REVENUE":
            slot[0 if fact.side is Side.CREDIT else 1] += fact.amount_minor
        elif fact.account == "REFUND_EXPENSE":
            slot[2] += fact.amount_minor if fact.side is Side.DEBIT else -fact.amount_minor
    touched = {
        (period_of(f.posted_at, granularity, zone), f.currency)
        for f in facts
        if f.account in {"REVENUE", "REFUND_EXPENSE"}
    }
    return {key: (slot[0], slot[1], slot[2]) for key, slot in sums.items() if key in touched}


def within(facts: Iterable[Fact], begins_at: datetime | None, ends_at: datetime | None) -> list[Fact]:
    """The postings of a span of record."""
    return [
        fact
        for fact in facts
        if (begins_at is None or fact.posted_at >= begins_at) and (ends_at is None or fact.posted_at < ends_at)
    ]


def totals(facts: Iterable[Fact]) -> dict[tuple[str, str], tuple[int, int]]:
    """Debits and credits of each account and currency."""
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for fact in facts:
        sums[fact.account, fact.currency][fact.side is Side.CREDIT] += fact.amount_minor
    return {key: (debits, credits_) for key, (debits, credits_) in sums.items()}
