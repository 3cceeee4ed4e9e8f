"""Requests about the books beyond posting: holds, reversals, periods, balances at an instant, verification.

Amounts are integer minor units; the api turns them into decimal strings at its edge.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from libs.common.contracts.base import Message, event, request
from libs.common.contracts.ledger import BalanceList, JournalEntry

_TENANT = {"tenant_id": "00000000-0000-0000-0000-000000000002"}
_HOLD = _TENANT | {"hold_id": "0190f3a4-5b6c-7d8e-9f01-23456789abe0"}


class HoldState(StrEnum):
    """Where a hold stands. Every state but the first is final."""

    OPEN = "OPEN"
    CAPTURED = "CAPTURED"
    VOIDED = "VOIDED"
    EXPIRED = "EXPIRED"


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """An amount set aside: a promise to move money from one account to another, or to let it go."""

    id: UUID
    """The hold."""
    debit_account: str
    """Code of the account that a capture debits."""
    credit_account: str
    """Code of the account that a capture credits."""
    currency: str
    """ISO 4217 code."""
    amount_minor: int
    """What is held."""
    captured_minor: int
    """What of it was posted; the rest was let go."""
    state: HoldState
    """Where it stands."""
    placed_at: datetime
    """When it was placed."""
    expires_at: datetime | None
    """When it is let go by itself; None: never."""
    resolved_at: datetime | None
    """When it was captured, voided or expired."""
    entry_id: UUID | None
    """The entry that captured it."""


@request(
    "holds.place",
    owner="ledger",
    published_by=("api",),
    reply=Hold,
    example=_HOLD
    | {
        "debit_account": "WALLET",
        "credit_account": "REVENUE",
        "currency": "BRL",
        "amount_minor": 15050,
        "expires_at": "2026-11-29T17:57:07Z",
    },
)
class PlaceHold(Message, frozen=True, kw_only=True):
    """Set an amount aside. Requested by the api; the same id and content again is success, other content a conflict."""

    tenant_id: str
    """The tenant."""
    hold_id: UUID
    """Minted by the client or the api."""
    debit_account: str
    """Code of the account that a capture debits."""
    credit_account: str
    """Code of the account that a capture credits."""
    currency: str
    """ISO 4217 code."""
    amount_minor: int
    """1 to 10^15 minor units."""
    expires_at: datetime | None = None
    """When it is let go by itself; None: never."""


@request("holds.capture", owner="ledger", published_by=("api",), reply=Hold, example=_HOLD | {"amount_minor": 10000})
class CaptureHold(Message, frozen=True, kw_only=True):
    """Post all or a part of a hold and let the rest go. Requested by the api; the same amount again is success."""

    tenant_id: str
    """The tenant."""
    hold_id: UUID
    """The hold."""
    amount_minor: int | None = None
    """What to post; None: all of it."""


@request("holds.void", owner="ledger", published_by=("api",), reply=Hold, example=_HOLD)
class VoidHold(Message, frozen=True, kw_only=True):
    """Let a hold go. Requested by the api; again is success."""

    tenant_id: str
    """The tenant."""
    hold_id: UUID
    """The hold."""


@request("holds.get", owner="ledger", published_by=("api",), reply=Hold, example=_HOLD)
class GetHold(Message, frozen=True, kw_only=True):
    """How does this hold stand? Requested by the api."""

    tenant_id: str
    """The tenant."""
    hold_id: UUID
    """The hold."""


class HoldPage(msgspec.Struct, frozen=True, kw_only=True):
    """Holds, newest first."""

    holds: list[Hold]
    next_cursor: str | None = None
    """Continue here; None on the last page."""


@request(
    "holds.list",
    owner="ledger",
    published_by=("api",),
    reply=HoldPage,
    example=_TENANT | {"state": "OPEN", "limit": 50},
)
class ListHolds(Message, frozen=True, kw_only=True):
    """What does this tenant have set aside? Requested by the api."""

    tenant_id: str
    """The tenant."""
    state: HoldState | None = None
    """Only holds that stand like this."""
    limit: int = 50
    """1 to 500."""
    cursor: str | None = None
    """The `next_cursor` of the page before."""


@request(
    "entries.reverse",
    owner="ledger",
    published_by=("api",),
    reply=JournalEntry,
    example=_TENANT | {"entry_id": "0190f3a4-5b6c-7d8e-9f01-23456789abd0"},
)
class ReverseEntry(Message, frozen=True, kw_only=True):
    """Take an entry back by a further one. Requested by the api; it happens once, and again is success."""

    tenant_id: str
    """The tenant."""
    entry_id: UUID
    """The entry to take back."""


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """A closed period: everything effective before its end. It is never opened again."""

    ends_before: datetime
    """The first open instant, a midnight of the tenant's calendar."""
    closed_at: datetime
    """When it was closed."""
    closed_by: str
    """Who closed it: the subject of the caller's token."""


class PeriodList(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant's closed periods, the latest first."""

    periods: list[Period]


@request(
    "periods.close",
    owner="ledger",
    published_by=("api",),
    reply=Period,
    example=_TENANT | {"ends_before": "2026-11-01T00:00:00Z", "closed_by": "ops@demo"},
    is_heavy=True,
)
class ClosePeriod(Message, frozen=True, kw_only=True):
    """Close a tenant's books up to an instant. Requested by the api; again is success."""

    tenant_id: str
    """The tenant."""
    ends_before: datetime
    """A midnight of the tenant's calendar that has passed."""
    closed_by: str
    """Who asks: the subject of the caller's token."""


@request("periods.list", owner="ledger", published_by=("api",), reply=PeriodList, example=_TENANT)
class ListPeriods(Message, frozen=True, kw_only=True):
    """What has this tenant closed? Requested by the api."""

    tenant_id: str
    """The tenant."""


class BookTime(StrEnum):
    """The two times of a posting."""

    RECORDED = "recorded"
    EFFECTIVE = "effective"


@request(
    "balances.at",
    owner="ledger",
    published_by=("api", "gateway"),
    reply=BalanceList,
    example=_TENANT | {"before": "2026-11-01T00:00:00Z", "time": "effective"},
    is_heavy=True,
)
class GetBalancesAt(Message, frozen=True, kw_only=True):
    """What did this tenant's accounts hold at an instant? Requested by the api, and by the gateway for its reports."""

    tenant_id: str
    """The tenant."""
    before: datetime
    """Postings before this instant count."""
    time: BookTime = BookTime.RECORDED
    """Whether by the instant of record, or by the instant at which they count in the books, back-dated ones included."""
    currency: str | None = None
    """This currency only."""
    account: str | None = None
    """The account with this code only."""


class ChainCheck(msgspec.Struct, frozen=True, kw_only=True):
    """How far one hash chain has been recomputed."""

    chain: int
    """Which of the chains."""
    groups: int
    """Groups that it has."""
    verified: int
    """Groups that were recomputed, from the first."""
    checked_at: datetime | None
    """When the last of them was; None before the first."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something in the books that cannot be."""

    invariant: str
    """What should always be true: `entry_sealed`, `group_linked`, `balance_follows_postings`."""
    subject: str
    """The entry, group, account or hold."""
    detail: str
    """What was found, as a sentence."""
    found_at: datetime
    """When it was first found."""


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What the verifier knows."""

    entries: int
    """Entries that were recomputed."""
    chains: list[ChainCheck]
    """Those that have begun."""
    findings: list[Finding]
    """What concerns the tenant or the chains themselves; empty: nothing is wrong."""


@request("verification.get", owner="ledger", published_by=("api",), reply=Verification, example=_TENANT)
class GetVerification(Message, frozen=True, kw_only=True):
    """Are the books as they were written? Requested by the api."""

    tenant_id: str
    """The tenant."""


@event(
    "invariant.broken",
    owner="ledger",
    handled_by=("api",),
    example={
        "invariant": "entry_sealed",
        "subject": "0190f3a4-5b6c-7d8e-9f01-23456789abd0",
        "detail": "the entry is not as it was sealed",
        "found_at": "2026-11-22T17:57:08.201598Z",
    },
)
class InvariantBroken(Message, frozen=True, kw_only=True):
    """Something in the books cannot be. Published once per finding; handled by the api, which writes it into the audit log."""

    invariant: str
    """What should always be true."""
    subject: str
    """The entry, group, account, hold, payment intent or refund."""
    detail: str
    """What was found, as a sentence."""
    found_at: datetime
    """When it was found."""


@event(
    "books.signed",
    owner="ledger",
    handled_by=("api",),
    example={
        "number": 1,
        "statement": '{"what":"ledger.heads.v1","number":1}',
        "signatures": {"9f86d081884c7d65": "c2lnbmF0dXJl"},
        "signed_at": "2026-11-22T17:57:08.201598Z",
    },
)
class BooksSigned(Message, frozen=True, kw_only=True):
    """Where all chains of the ledger end, signed. Published at most once a minute; handled by the api, which keeps it in the audit log."""

    number: int
    """From 1, without gaps."""
    statement: str
    """What is signed, byte by byte: JSON with the hash of the statement before and the last hash of each chain."""
    signatures: dict[str, str]
    """The Ed25519 signature by each key, in base64, by the key's id."""
    signed_at: datetime
    """When."""
