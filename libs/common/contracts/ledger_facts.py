"""What the ledger answers about the entries of a tenant to who compares them with the other services: page by page, by payment."""

from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.contracts.base import Message, request
from libs.common.contracts.ledger import EntryKind

ENTRIES_MAX = 5_000
"""Entries that a page is filled up to at most."""
ENTRY_PAYMENTS_MAX = 500
"""Payments that can be named in one request."""
ENTRY_IDS_MAX = 1_000
"""Entries that can be named in one request."""
PAYMENT_ENTRIES_MAX = 20_000
"""Entries of one payment on its page: they come to seven of the 16 MiB that RabbitMQ lets a message have."""
ENTRY_EXPECTED_MAX = 10_000
"""Entries that can be named in one request for columns."""
OTHER = "OTHER"
"""Where the amounts of accounts stand that played no role."""

_TIMEOUT_SECONDS = 20.0
"""Nobody waits at a screen, and a page takes some hundredths of a second; other heavy requests may be before it."""


class EntryFact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One entry in the books, its lines summed by the role of their accounts."""

    entry_id: UUID
    """The entry: derived from the id of what it records and its kind."""
    kind: EntryKind
    """What it records."""
    payment_intent_id: UUID | None = None
    """The payment it belongs to, where there is one."""
    currency: str
    """ISO 4217 code of all its lines."""
    amount_minor: int
    """The sum of its debits, which is the sum of its credits, in minor units."""
    amounts: dict[str, int]
    """Debits less credits in minor units, by the role that an account played when the entry was posted; else under `OTHER`."""
    shared_roles: dict[str, str] = {}
    """Where one account played several roles, the others by the one that has the amounts of all: `{"TAX_RECOVERABLE": "PROCESSOR_FEES"}`."""
    occurred_at: datetime
    """When it happened in the world, in UTC."""
    posted_at: datetime
    """When it was recorded, in UTC."""
    reverses: UUID | None = None
    """The entry that it takes back, where it is a reversal."""
    is_reversed: bool = False
    """Whether another entry takes it back."""


class EntryColumns(msgspec.Struct, frozen=True, kw_only=True):
    """What the books have of the payments of a page, as far as most of them are compared: lists whose items are separated by commas,
    without blanks.

    A payment is plain where the books have exactly two entries of it, in one currency, neither of them reversed: its capture, under
    the id that follows from the payment, and one movement, on accounts that have played one role each from first to last.
    """

    payment_intent_ids: str = ""
    """Payments that are plain, in any order."""
    currencies: str = ""
    """ISO 4217 code of the entries of each of them, in the same order."""
    captured_minor: str = ""
    """The sum of the debits of each one's capture, in minor units."""
    movement_entry_ids: str = ""
    """The entry of the movement of each of them."""
    pending_minor: str = ""
    """Debits less credits of that entry under `PROCESSOR_PENDING`, in minor units."""
    processor_fees_minor: str = ""
    """The same under `PROCESSOR_FEES`."""
    tax_minor: str = ""
    """The same under `TAX_RECOVERABLE`."""
    platform_fees_minor: str = ""
    """The same under `PLATFORM_FEES`."""
    others: str = ""
    """Payments of the page of which the books have something else: to be requested by `payment_intent_ids`."""
    expected_ids: str = ""
    """Entries of `expected` that are there and not reversed, in any order."""
    expected_minor: str = ""
    """The sum of the debits of each of them, in minor units, in the same order."""
    expected_currencies: str = ""
    """ISO 4217 code of each of them, in the same order."""


class EntriesPosted(msgspec.Struct, frozen=True, kw_only=True):
    """What was posted in a time: ids that are separated by commas, without blanks."""

    alone: str = ""
    """Entries that belong to no payment and follow from a movement or a payout, in any order."""
    payment_intent_ids: str = ""
    """Payments of other entries, each once, in any order."""
    next_from: datetime | None = None
    """When the last entry was posted that was looked at, where more may follow: the next page's `posted_from`; None: these are all."""
    next_after: UUID | None = None
    """That entry: the next page's `after`."""


class EntryFactPage(msgspec.Struct, frozen=True, kw_only=True):
    """Entries of one tenant in the order of their payments, then of their own ids."""

    items: tuple[EntryFact, ...]
    """All entries of each payment that is here."""
    next_after: UUID | None = None
    """The last payment of this page, where more may follow; None: these are the last."""
    is_whole: bool = True
    """False where the payment of this page has more than 20,000 entries: the first of them are here."""
    columns: EntryColumns | None = None
    """The entries, where `in_columns` was requested; then there are no `items`."""
    posted: EntriesPosted | None = None
    """What was posted, where `posted_from` was requested; then there are no `items`."""


@request(
    "entry_facts.list",
    owner="ledger",
    published_by=("gateway",),
    reply=EntryFactPage,
    example={
        "tenant_id": "00000000-0000-0000-0000-000000000002",
        "after": "0190f3a4-5b6c-7d8e-9f01-23456789abce",
        "until": "0190f3a4-7b6c-7d8e-9f01-23456789abce",
        "limit": 2000,
    },
    timeout_seconds=_TIMEOUT_SECONDS,
    is_heavy=True,
)
class ListEntryFacts(Message, frozen=True, kw_only=True):
    """What do the books have of these payments? Requested by the gateway, which compares it with the payments and with what moved.

    By `entry_ids` where they are given, else by `payment_intent_ids` where those are, else by the range.
    """

    tenant_id: str
    """The tenant."""
    after: UUID | None = None
    """Entries of payments with greater ids; None: from the first. Entries without a payment are found by `entry_ids` alone."""
    until: UUID | None = None
    """Entries of payments up to this id; None: of all."""
    payment_intent_ids: tuple[UUID, ...] = ()
    """Entries of exactly these payments, at most 500. Where `next_after` is set, those beyond it are to be requested again."""
    entry_ids: tuple[UUID, ...] = ()
    """Exactly these entries, at most 1,000; unknown ones are left out."""
    reversed_from: datetime | None = None
    """Of the range, only entries that take another one back and were posted from then on, however old that one is; with `reversed_until`.
    Where `after` is None, those that belong to no payment, and no more than `limit` of them. Who answers with other entries does not know this yet."""
    reversed_until: datetime | None = None
    """The first instant at which such an entry no longer counts."""
    posted_from: datetime | None = None
    """What was posted from then on, as `posted`: ids alone, in the order of posting; with `posted_until`. With `after`, behind that entry of
    the same instant, and with `until`, of payments up to this one alone. Who answers with entries does not know this yet."""
    posted_until: datetime | None = None
    """The first instant at which what was posted no longer counts."""
    limit: int = 2_000
    """1 to 5,000: payments are added while their entries are no more than that; the first is returned whole in any case. Of what was posted
    so many entries are looked at."""
    in_columns: bool = False
    """Of a range, to answer with `columns` instead of `items`; who answers with `items` all the same does not know columns yet."""
    expected: str = ""
    """In columns, up to 10,000 entries beside those of the range, separated by commas: those by which money can be paid out, which name
    no payment."""
