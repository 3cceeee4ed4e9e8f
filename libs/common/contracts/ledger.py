"""What the ledger publishes and answers: journal entries, balances and the chart of accounts.

Amounts are integer minor units; the api turns them into decimal strings at its edge.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from libs.common.contracts.base import Message, event, request


class AccountType(StrEnum):
    """The five types of account; the type fixes the normal balance."""

    ASSET = "ASSET"
    LIABILITY = "LIABILITY"
    EQUITY = "EQUITY"
    REVENUE = "REVENUE"
    EXPENSE = "EXPENSE"


class Side(StrEnum):
    """The two sides of a posting."""

    DEBIT = "DEBIT"
    CREDIT = "CREDIT"


class EntryKind(StrEnum):
    """The business event that an entry records."""

    CAPTURE = "capture"
    """The processor took the customer's money, all or a part of what was authorized."""
    REFUND = "refund"
    """Captured money was given back."""
    REFUND_FAILURE = "refund_failure"
    """A refund that had been posted did not reach the customer."""
    DISPUTE_OPENED = "dispute_opened"
    """The customer's bank took the money back until it is decided."""
    DISPUTE_WON = "dispute_won"
    """The bank gave the disputed money back."""
    DISPUTE_LOST = "dispute_lost"
    """The disputed money is gone."""
    PROCESSOR_FEE = "processor_fee"
    """The processor kept a fee."""
    PAYOUT_CREATED = "payout_created"
    """The processor sent money to the tenant's bank."""
    PAYOUT_PAID = "payout_paid"
    """The money has arrived at the bank."""
    PAYOUT_FAILED = "payout_failed"
    """The bank did not take the money."""
    PAYOUT_DEBITED = "payout_debited"
    """The bank was debited: a payout that had arrived was taken back, or a negative balance was covered."""
    MOVEMENT = "movement"
    """Something moved at the processor, in the currency that it settles in."""
    MOVEMENT_EXCHANGED = "movement_exchanged"
    """The same movement in the currency of its payment, where that is another one."""
    AVAILABLE = "available"
    """The processor can pay out what moved."""
    CONVERSION_SOLD = "conversion_sold"
    """Money was exchanged: what was given, in its currency."""
    CONVERSION_BOUGHT = "conversion_bought"
    """Money was exchanged: what was received, in its currency."""
    MANUAL = "manual"
    """A person posted it."""
    REVERSAL = "reversal"
    """An earlier entry was taken back."""
    HOLD_CAPTURE = "hold_capture"
    """All or a part of what was held on an account was taken."""
    YEAR_END = "year_end"
    """The income and expenses of a year were moved to retained earnings."""
    REVALUATION = "revaluation"
    """What is in other currencies was valued at the closing rate, or an earlier valuation was taken back."""


@event(
    "journal_entry.posted",
    owner="ledger",
    handled_by=("api",),
    example={
        "entry_id": "0190f3a4-5b6c-7d8e-9f01-23456789abd0",
        "kind": "capture",
        "payment_intent_id": "0190f3a4-5b6c-7d8e-9f01-23456789abce",
        "amount_minor": 15050,
        "currency": "BRL",
        "posted_at": "2026-11-22T17:57:08.201598Z",
    },
)
class JournalEntryPosted(Message, frozen=True, kw_only=True):
    """A balanced entry stands in the books for ever. Handled by the api, which settles the payment that it captures."""

    entry_id: UUID
    """The entry."""
    kind: EntryKind
    """What it records."""
    payment_intent_id: UUID | None = None
    """The intent it belongs to, where there is one."""
    subject_id: UUID | None = None
    """The refund or dispute that it records, where it does."""
    amount_minor: int
    """The sum of its debits, which is the sum of its credits, in minor units."""
    currency: str
    """ISO 4217 code of all its lines."""
    posted_at: datetime
    """When it was recorded, in UTC."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One account of a tenant's chart."""

    id: UUID
    """The account."""
    code: str
    """Unique in the tenant's chart: `CASH`."""
    label: str
    """Its name for people."""
    account_type: AccountType
    """Fixes the normal balance."""
    is_default: bool
    """Opened by the platform, not by the tenant."""
    floor_minor: int | None = None
    """The least that may be available in its normal direction, in minor units of each currency; 0: no overdraft."""
    ceiling_minor: int | None = None
    """The most that it may hold in its normal direction, in minor units of each currency."""
    currencies: list[str] | None = None
    """The currencies that it takes; None: all."""


class AccountList(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant's chart, ordered by code."""

    accounts: list[Account]


@request(
    "accounts.list",
    owner="ledger",
    published_by=("api",),
    reply=AccountList,
    example={"tenant_id": "00000000-0000-0000-0000-000000000002"},
)
class ListAccounts(Message, frozen=True, kw_only=True):
    """What accounts does this tenant have? Requested by the api."""

    tenant_id: str
    """The tenant."""


@request(
    "accounts.open",
    owner="ledger",
    published_by=("api",),
    reply=Account,
    example={
        "tenant_id": "00000000-0000-0000-0000-000000000002",
        "account_id": "0190f3a4-5b6c-7d8e-9f01-23456789abd1",
        "code": "FEES",
        "label": "Processor fees",
        "account_type": "EXPENSE",
    },
)
class OpenAccount(Message, frozen=True, kw_only=True):
    """Open an account in a tenant's chart. Requested by the api; same id and content is success, a taken code a conflict."""

    tenant_id: str
    """The tenant."""
    account_id: UUID
    """The new account's id, minted by the api."""
    code: str
    """1 to 64 characters."""
    label: str
    """1 to 200 characters."""
    account_type: AccountType
    """Fixes the normal balance."""
    floor_minor: int | None = None
    """The least that may be available in its normal direction, in minor units of each currency; 0: no overdraft."""
    ceiling_minor: int | None = None
    """The most that it may hold in its normal direction, in minor units of each currency."""
    currencies: list[str] | None = None
    """The currencies that it takes; None: all."""


class PostingLine(msgspec.Struct, frozen=True, kw_only=True):
    """One debit or credit."""

    side: Side
    """Debit or credit."""
    account: str
    """The account's code."""
    amount_minor: int
    """Above zero."""
    currency: str
    """ISO 4217 code."""


class JournalEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One business event in the books, balanced per currency."""

    id: UUID
    """The entry."""
    payment_intent_id: UUID | None
    """The intent it belongs to, where there is one."""
    kind: str
    """What it records."""
    occurred_at: datetime
    """When it happened in the world."""
    posted_at: datetime
    """When it was recorded."""
    lines: list[PostingLine]
    """Debits first, then credits, each in the order of the rule that made them."""
    effective_at: datetime | None = None
    """When it counts in the books: `occurred_at`, or the first open instant where its period was closed."""
    reverses: UUID | None = None
    """The entry that it takes back, where it is a reversal."""


class EntryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Entries, newest first."""

    entries: list[JournalEntry]
    next_cursor: str | None = None
    """Continue here; None on the last page."""


@request(
    "entries.list",
    owner="ledger",
    published_by=("api",),
    reply=EntryPage,
    example={"tenant_id": "00000000-0000-0000-0000-000000000002", "limit": 200},
)
class ListEntries(Message, frozen=True, kw_only=True):
    """What stands in this tenant's books? Requested by the api."""

    tenant_id: str
    """The tenant."""
    posted_from: datetime | None = None
    """Entries recorded at or after this instant."""
    posted_until: datetime | None = None
    """Entries recorded before this instant."""
    currency: str | None = None
    """Entries in this currency only."""
    account: str | None = None
    """Entries that touch the account with this code only."""
    payment_intent_id: UUID | None = None
    """Entries of this intent only."""
    limit: int = 200
    """1 to 500."""
    offset: int = 0
    """Skip this many; for shallow paging only, `cursor` stays fast at any depth."""
    cursor: str | None = None
    """The `next_cursor` of the page before."""


class EntryFeed(msgspec.Struct, frozen=True, kw_only=True):
    """Entries in the order of record, oldest first, as far as that is final."""

    entries: list[JournalEntry]
    """Empty: there is nothing new yet. The next page begins after the last one."""
    final_before: datetime
    """Where there are fewer than requested, every entry that was recorded before this instant has been listed."""


@request(
    "entries.follow",
    owner="ledger",
    published_by=("api",),
    reply=EntryFeed,
    example={"tenant_id": "00000000-0000-0000-0000-000000000002", "limit": 200},
)
class FollowEntries(Message, frozen=True, kw_only=True):
    """What was recorded in this tenant's books after that? Requested by the api; whoever goes on misses nothing."""

    tenant_id: str
    """The tenant."""
    after: UUID | None = None
    """The last entry of the page before; None: from the first entry."""
    limit: int = 200
    """1 to 500."""


class AccountBalance(msgspec.Struct, frozen=True, kw_only=True):
    """What one account holds in one currency, in minor units."""

    account: str
    """The account's code."""
    account_type: AccountType
    """Fixes the normal balance."""
    currency: str
    """ISO 4217 code."""
    debits_minor: int
    """Sum of all debits."""
    credits_minor: int
    """Sum of all credits."""
    pending_debits_minor: int | None = None
    """Sum of its open holds that would debit it; None where another time than now was requested."""
    pending_credits_minor: int | None = None
    """Sum of its open holds that would credit it; None where another time than now was requested."""


class BalanceList(msgspec.Struct, frozen=True, kw_only=True):
    """Balances ordered by account code and currency."""

    balances: list[AccountBalance]
    final_before: datetime | None = None
    """An instant of record up to here is over and shows the same for ever; None where another time was requested."""


@request(
    "balances.list",
    owner="ledger",
    published_by=("api", "gateway"),
    reply=BalanceList,
    example={"tenant_id": "00000000-0000-0000-0000-000000000002"},
)
class ListBalances(Message, frozen=True, kw_only=True):
    """What do this tenant's accounts hold? Requested by the api, and by the gateway for its reconciliation.

    Without a period, the standing balances are read.
    """

    tenant_id: str
    """The tenant."""
    posted_from: datetime | None = None
    """Count postings recorded at or after this instant."""
    posted_until: datetime | None = None
    """Count postings recorded before this instant."""
    currency: str | None = None
    """This currency only."""
