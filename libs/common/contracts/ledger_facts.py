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


class EntryFactPage(msgspec.Struct, frozen=True, kw_only=True):
    """Entries of one tenant in the order of their payments, then of their own ids."""

    items: tuple[EntryFact, ...]
    """All entries of each payment that is here."""
    next_after: UUID | None = None
    """The last payment of this page, where more may follow; None: these are the last."""
    is_whole: bool = True
    """False where the payment of this page has more than 20,000 entries: the first of them are here."""


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
    limit: int = 2_000
    """1 to 5,000: payments are added while their entries are no more than that; the first is returned whole in any case."""
