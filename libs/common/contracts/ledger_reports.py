"""Requests for reports. Amounts are integer minor units; the api turns them into decimal strings.

Periods are of record: a posting belongs to the period in which it was posted, so a period that is over never changes.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from libs.common.contracts.base import Message, request
from libs.common.contracts.ledger import AccountBalance, AccountType, Side

_TENANT = "00000000-0000-0000-0000-000000000002"
_REFRESH_TIMEOUT_SECONDS = 20.0


class Granularity(StrEnum):
    """How long a period of a report is, on the calendar of its time zone."""

    DAY = "day"
    WEEK = "week"
    """From Monday on (ISO 8601)."""
    MONTH = "month"


class RevenueRow(msgspec.Struct, frozen=True, kw_only=True):
    """What was earned in one currency: by a tenant in one period, or by one tenant."""

    period_at: datetime | None = None
    """When the period begins, in UTC; None where the report has no periods."""
    tenant_id: str
    """Whose revenue it is."""
    currency: str
    """ISO 4217 code."""
    gross_minor: int
    """Credits to the accounts that play the role of revenue."""
    reversals_minor: int
    """Debits to them: earlier revenue taken back by a reversal or a correction."""
    refunds_minor: int
    """Debits less credits of the accounts that play the role of refund expense; below zero where refunds failed."""


class RevenueReport(msgspec.Struct, frozen=True, kw_only=True):
    """Revenue, as the books stood when the report views were last refreshed."""

    rows: list[RevenueRow]
    """By period and currency, or by tenant and currency."""
    refreshed_at: datetime
    """Everything committed before this instant is in it."""
    next_cursor: str | None = None
    """Continue here; None on the last page."""


@request(
    "reports.revenue",
    owner="ledger",
    published_by=("api",),
    reply=RevenueReport,
    example={"tenant_id": _TENANT, "granularity": "month", "zone": "America/Sao_Paulo"},
    is_heavy=True,
)
class ReportRevenue(Message, frozen=True, kw_only=True):
    """What did this tenant earn in each period? Requested by the api."""

    tenant_id: str
    """The tenant."""
    granularity: Granularity = Granularity.MONTH
    """How long a period is."""
    zone: str = "UTC"
    """IANA name of the time zone whose calendar cuts the periods."""
    posted_from: datetime | None = None
    """Postings recorded at or after this instant."""
    posted_until: datetime | None = None
    """Postings recorded before this instant."""
    currency: str | None = None
    """This currency only."""


@request(
    "reports.revenue_by_tenant",
    owner="ledger",
    published_by=("api",),
    reply=RevenueReport,
    example={"currency": "BRL"},
    is_heavy=True,
)
class ReportRevenueByTenant(Message, frozen=True, kw_only=True):
    """What did each tenant earn? Requested by the api for operators of the platform only."""

    posted_from: datetime | None = None
    """Postings recorded at or after this instant."""
    posted_until: datetime | None = None
    """Postings recorded before this instant."""
    currency: str | None = None
    """This currency only."""
    limit: int = 200
    """Tenants on a page, 1 to 1000."""
    cursor: str | None = None
    """The `next_cursor` of the page before."""


class BalancesReport(msgspec.Struct, frozen=True, kw_only=True):
    """Balances by account code and currency, as the books stood when the report views were last refreshed."""

    balances: list[AccountBalance]
    refreshed_at: datetime
    """Everything committed before this instant is in it."""


@request(
    "reports.balances",
    owner="ledger",
    published_by=("api",),
    reply=BalancesReport,
    example={"tenant_id": _TENANT},
    is_heavy=True,
)
class ReportBalances(Message, frozen=True, kw_only=True):
    """What did this tenant's accounts hold, or turn over in a period? Requested by the api."""

    tenant_id: str
    """The tenant."""
    posted_from: datetime | None = None
    """Postings recorded at or after this instant."""
    posted_until: datetime | None = None
    """Postings recorded before this instant."""
    currency: str | None = None
    """This currency only."""


class TrialBalanceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One account in one currency."""

    account: str
    """Its code."""
    label: str
    """Its name for people."""
    account_type: AccountType
    """Fixes the normal balance."""
    currency: str
    """ISO 4217 code."""
    debits_minor: int
    """Sum of all its debits."""
    credits_minor: int
    """Sum of all its credits."""


class TrialBalance(msgspec.Struct, frozen=True, kw_only=True):
    """All accounts at one instant, read in one statement: debits equal credits in each currency, or a book is broken."""

    as_of: datetime
    """The instant of record."""
    rows: list[TrialBalanceRow]
    """By account code and currency."""
    final_before: datetime | None = None
    """An instant of record up to here is over and shows the same for ever; None where now was requested."""


@request(
    "reports.trial_balance",
    owner="ledger",
    published_by=("api",),
    reply=TrialBalance,
    example={"tenant_id": _TENANT},
    is_heavy=True,
)
class ReportTrialBalance(Message, frozen=True, kw_only=True):
    """Do this tenant's debits equal its credits? Requested by the api; answered from the books themselves."""

    tenant_id: str
    """The tenant."""
    as_of: datetime | None = None
    """With every posting recorded before this instant; None: now."""


class StatementLine(msgspec.Struct, frozen=True, kw_only=True):
    """One posting on an account."""

    posted_at: datetime
    """When it was recorded."""
    occurred_at: datetime
    """When it happened in the world."""
    entry_id: UUID
    """The entry that it is a line of."""
    kind: str
    """What the entry records."""
    number: str | None = None
    """The entry's place in the record, as in the journal; None from a ledger of before."""
    description: str | None = None
    """The words of whoever made the entry, where a person did."""
    made_by: str | None = None
    """Who made it, where a person did: a subject."""
    approved_by: str | None = None
    """Who approved it, where somebody had to: another subject."""
    payment_intent_id: UUID | None = None
    """The intent it belongs to, where there is one."""
    conversion_id: UUID | None = None
    """The exchange of currencies that it is one side of, where it is."""
    side: Side
    """Debit or credit."""
    amount_minor: int
    """Above zero."""
    debits_after_minor: int
    """Sum of all debits of the account right after it."""
    credits_after_minor: int
    """Sum of all credits of the account right after it."""


class StatementPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of an account statement. Opening and closing are those of the whole period and the same on every page."""

    account: str
    """The account's code."""
    label: str
    """Its name for people."""
    account_type: AccountType
    """Fixes the normal balance."""
    currency: str
    """ISO 4217 code."""
    opening_debits_minor: int
    """Sum of all debits before the period."""
    opening_credits_minor: int
    """Sum of all credits before the period."""
    closing_debits_minor: int
    """Sum of all debits up to the last posting of the period."""
    closing_credits_minor: int
    """Sum of all credits up to the last posting of the period."""
    lines: list[StatementLine]
    """Oldest first."""
    next_cursor: str | None = None
    """Continue here; None on the last page."""
    final_before: datetime | None = None
    """An instant of record up to here is over and shows the same for ever; None where now was requested."""


@request(
    "reports.statement",
    owner="ledger",
    published_by=("api",),
    reply=StatementPage,
    example={"tenant_id": _TENANT, "account": "CASH", "currency": "BRL"},
    is_heavy=True,
)
class ReportStatement(Message, frozen=True, kw_only=True):
    """What happened on one account in one currency? Requested by the api; answered from the books themselves."""

    tenant_id: str
    """The tenant."""
    account: str
    """The account's code."""
    currency: str
    """ISO 4217 code."""
    posted_from: datetime | None = None
    """Postings recorded at or after this instant."""
    posted_until: datetime | None = None
    """Postings recorded before this instant."""
    limit: int = 200
    """Lines on a page, 1 to 1000."""
    cursor: str | None = None
    """The `next_cursor` of the page before."""


class JournalLine(msgspec.Struct, frozen=True, kw_only=True):
    """One debit or credit of an entry in the journal."""

    side: Side
    """Debit or credit."""
    account: str
    """The account's code."""
    label: str
    """Its name for people."""
    account_type: AccountType | None = None
    """Fixes the normal balance; None from a ledger of before this member."""
    amount_minor: int
    """Above zero."""
    currency: str
    """ISO 4217 code."""


class JournalRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the journal with all its lines."""

    id: UUID
    """The entry."""
    posted_at: datetime
    """When it was recorded."""
    occurred_at: datetime
    """When it happened in the world."""
    kind: str
    """What it records."""
    number: str | None = None
    """Its place in the record, for ever: `c3-17-1` is chain 3, group 17 of it, entry 1 of that; None from a ledger of before."""
    effective_at: datetime | None = None
    """When it counts in the books: later than `occurred_at` where that period was closed."""
    reverses: UUID | None = None
    """The entry that it takes back, where it is a reversal."""
    description: str | None = None
    """The words of whoever made the entry, where a person did."""
    made_by: str | None = None
    """Who made it, where a person did: a subject."""
    approved_by: str | None = None
    """Who approved it, where somebody had to: another subject."""
    payment_intent_id: UUID | None = None
    """The intent it belongs to, where there is one."""
    conversion_id: UUID | None = None
    """The exchange of currencies that it is one side of, where it is."""
    lines: list[JournalLine]
    """In the order in which they were posted."""


class EntryReport(msgspec.Struct, frozen=True, kw_only=True):
    """One entry with what the journal has of it."""

    entry: JournalRecord
    reversed_by: UUID | None = None
    """The entry that takes it back; None: it stands."""


@request(
    "reports.entry",
    owner="ledger",
    published_by=("api",),
    reply=EntryReport,
    example={"tenant_id": _TENANT, "entry_id": "0190f3a4-5b6c-7d8e-9f01-23456789abcd"},
)
class ReportEntry(Message, frozen=True, kw_only=True):
    """What is this entry? Requested by the api."""

    tenant_id: str
    """The tenant."""
    entry_id: UUID
    """The entry."""


class JournalPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the general journal, oldest first."""

    entries: list[JournalRecord]
    next_cursor: str | None = None
    """Continue here; None on the last page."""
    final_before: datetime | None = None
    """An instant of record up to here is over and shows the same for ever; None where now was requested."""


@request(
    "reports.journal",
    owner="ledger",
    published_by=("api",),
    reply=JournalPage,
    example={"tenant_id": _TENANT},
    is_heavy=True,
)
class ReportJournal(Message, frozen=True, kw_only=True):
    """What was entered, in its order? Requested by the api; answered from the books themselves."""

    tenant_id: str
    """The tenant."""
    posted_from: datetime | None = None
    """Entries recorded at or after this instant."""
    posted_until: datetime | None = None
    """Entries recorded before this instant."""
    limit: int = 200
    """Entries on a page, 1 to 500."""
    cursor: str | None = None
    """The `next_cursor` of the page before."""


class ReportsRefreshed(msgspec.Struct, frozen=True, kw_only=True):
    """How fresh the report views are."""

    refreshed_at: datetime
    """Everything committed before this instant is in them."""
    is_done: bool
    """Whether what was requested is done; False while the refresh goes on."""


@request(
    "reports.refresh",
    owner="ledger",
    published_by=("api",),
    reply=ReportsRefreshed,
    example={},
    timeout_seconds=_REFRESH_TIMEOUT_SECONDS,
    is_heavy=True,
)
class RefreshReports(Message, frozen=True, kw_only=True):
    """Refresh the report views now. Requested by the api for operators; one that is in progress is not begun again."""
