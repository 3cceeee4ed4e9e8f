"""What is always true of a set of books: double entry, normal balances, gapless running totals. Pure.

account type   normal side   its balance is
ASSET          debit         debits - credits
EXPENSE        debit         debits - credits
LIABILITY      credit        credits - debits
EQUITY         credit        credits - debits
REVENUE        credit        credits - debits
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import assert_never
from uuid import UUID

import msgspec

from libs.common.contracts.ledger import AccountType, EntryKind, Side
from libs.common.contracts.ledger_money import Role
from libs.common.money import AMOUNT_MINOR_MAX, is_currency, is_known_currency
from services.ledger.errors import (
    AccountInvalid,
    BalanceOverflow,
    CeilingCrossed,
    CurrencyMixed,
    EntryInvalid,
    EntryUnbalanced,
    FloorCrossed,
)

BALANCE_MINOR_MAX = 2**63 - 1
"""The most that all debits, or all credits, of one account in one currency may sum up to: a signed 64-bit integer."""

ENTRY_LINES_MAX = 1000
"""Lines that one entry may have at most."""

ACCOUNT_CODE_LENGTH_MAX = 64
ACCOUNT_LABEL_LENGTH_MAX = 200


def normal_side(account_type: AccountType) -> Side:
    """Tell on which side an account of this type grows."""
    match account_type:
        case AccountType.ASSET | AccountType.EXPENSE:
            return Side.DEBIT
        case AccountType.LIABILITY | AccountType.EQUITY | AccountType.REVENUE:
            return Side.CREDIT
        case _:
            assert_never(account_type)


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One account of a tenant's chart. It never changes once opened: what is posted to it must keep its meaning."""

    tenant_id: str
    """Whose chart it stands in."""
    id: UUID
    """Identifies it within the tenant."""
    code: str
    """Unique in the tenant's chart, 1 to 64 characters."""
    label: str
    """Its name for people, 1 to 200 characters."""
    account_type: AccountType
    """Fixes the normal balance."""
    is_default: bool = False
    """Opened by the platform for each tenant, not by the tenant."""
    floor_minor: int | None = None
    """The least that may be available in its normal direction, in minor units of each currency; 0: no overdraft."""
    ceiling_minor: int | None = None
    """The most that it may hold in its normal direction, in minor units of each currency."""
    currencies: tuple[str, ...] | None = None
    """The currencies that it takes, in alphabetical order; None: all."""

    @property
    def normal_side(self) -> Side:
        """The side on which it grows."""
        return normal_side(self.account_type)


def check_account(account: Account) -> Account:
    """Return the account when its code and label can be used.

    Raises:
        AccountInvalid: naming each field that cannot.
    """
    faults: list[tuple[str, str]] = []
    for field, text, length_max in (
        ("code", account.code, ACCOUNT_CODE_LENGTH_MAX),
        ("label", account.label, ACCOUNT_LABEL_LENGTH_MAX),
    ):
        if not 1 <= len(text) <= length_max:
            faults.append((f"/{field}", f"{field} must have 1 to {length_max} characters"))
        elif text != text.strip() or not text.isprintable():
            faults.append((f"/{field}", f"{field} must be printable, without spaces around it"))
    limits = (("floor", account.floor_minor), ("ceiling", account.ceiling_minor))
    for field, limit in limits:
        if limit is not None and abs(limit) > BALANCE_MINOR_MAX:
            faults.append((f"/{field}", f"{field} must be a signed 64-bit number of minor units"))
    floor, ceiling = account.floor_minor, account.ceiling_minor
    if floor is not None and ceiling is not None and floor > ceiling:
        faults.append(("/ceiling", "ceiling must not be below the floor"))
    if account.currencies is not None:
        if not account.currencies:
            faults.append(("/currencies", "currencies must name one or be absent"))
        faults += [
            ("/currencies", f"{c!r} is not an active ISO 4217 currency")
            for c in account.currencies
            if not is_currency(c)
        ]
    if faults:
        raise AccountInvalid("; ".join(sentence for _, sentence in faults), errors=tuple(faults))
    return account


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """Which of a tenant's accounts plays which role in the posting rules."""

    tenant_id: str
    """Whose chart it is."""
    roles: Mapping[Role, UUID]
    """The account of each role; every role has one."""


class Line(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One debit or credit that is to be posted."""

    account_id: UUID
    """The account it changes."""
    side: Side
    """Debit or credit; the amount itself is never negative."""
    amount_minor: int
    """1 to 10^15 minor units of `currency`."""
    currency: str
    """ISO 4217 code, upper case."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One business event as debits and credits of equal sum, in one currency. An unbalanced one cannot be made.

    Raises:
        EntryInvalid: for fewer than two lines, too many, an amount out of range, an unknown currency, no tenant.
        CurrencyMixed: when the lines are not all in one currency; an exchange is two linked entries.
        EntryUnbalanced: when debits and credits differ.
    """

    tenant_id: str
    """Whose books it changes."""
    id: UUID
    """Unique in the tenant's books for ever: same id and content is a replay, same id and other content a conflict."""
    kind: EntryKind
    """The business event that it records."""
    content: str
    """The business event in canonical words, without what may differ when it is told twice (the hour, the teller).

    Not derived from the lines: the accounts that a rule resolves may change in the chart between two tellings.
    """
    payment_intent_id: UUID | None
    """The intent it belongs to, where there is one."""
    subject_id: UUID | None = None
    """The refund, dispute, fee or payout that it records, where it records one."""
    occurred_at: datetime
    """When it happened in the world."""
    source_event_id: UUID | None
    """The message that caused it, where one did."""
    lines: tuple[Line, ...]
    """Debits first, then credits."""
    reverses: UUID | None = None
    """The entry that it takes back, where it is a reversal; an entry is taken back once."""

    def __post_init__(self) -> None:
        if not self.tenant_id:
            raise EntryInvalid("an entry must belong to a tenant")
        if not 2 <= len(self.lines) <= ENTRY_LINES_MAX:
            raise EntryInvalid(f"an entry must have 2 to {ENTRY_LINES_MAX} lines")
        currency = self.lines[0].currency
        # One that was withdrawn meanwhile too: what was agreed in it is still captured, refunded and read.
        if not is_known_currency(currency):
            raise EntryInvalid(f"{currency!r} is not an ISO 4217 currency", code="unsupported_currency")
        imbalance = 0
        for line in self.lines:
            if line.currency != currency:
                raise CurrencyMixed(
                    f"the lines of an entry must be in one currency, not {currency} and {line.currency}"
                )
            if not 0 < line.amount_minor <= AMOUNT_MINOR_MAX:
                raise EntryInvalid(f"an amount must be 1 to {AMOUNT_MINOR_MAX} minor units", code="invalid_amount")
            imbalance += line.amount_minor if line.side is Side.DEBIT else -line.amount_minor
        if imbalance != 0:
            raise EntryUnbalanced(f"debits must equal credits; they differ by {abs(imbalance)} minor units")

    @property
    def currency(self) -> str:
        """The currency of all its lines."""
        return self.lines[0].currency

    @property
    def amount_minor(self) -> int:
        """The sum of its debits, which is the sum of its credits."""
        return sum([line.amount_minor for line in self.lines if line.side is Side.DEBIT])

    @property
    def digest(self) -> bytes:
        """SHA-256 of the content, 32 bytes: what a replay must have in common with what stands in the books."""
        return hashlib.sha256(self.content.encode()).digest()


class Balance(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one account holds in one currency. Two totals that only ever grow, so that nothing can cancel out unseen."""

    debits_minor: int = 0
    """Sum of all its debits."""
    credits_minor: int = 0
    """Sum of all its credits."""
    version: int = 0
    """How many postings it has; each posting carries the version that it made, so a gap would show."""
    posted_at: datetime | None = None
    """When its last posting was recorded; None before the first."""
    pending_debits_minor: int = 0
    """Sum of its open holds that would debit it."""
    pending_credits_minor: int = 0
    """Sum of its open holds that would credit it."""
    floor_minor: int | None = None
    """The account's floor."""
    ceiling_minor: int | None = None
    """The account's ceiling."""
    debit_normal: bool = False
    """Whether the account grows by debits."""

    @property
    def is_limited(self) -> bool:
        """Whether it has a floor or a ceiling."""
        return self.floor_minor is not None or self.ceiling_minor is not None

    def is_as_pending_as(self, other: "Balance") -> bool:
        """Tell whether as much is pending on it as on another one."""
        return (
            self.pending_debits_minor == other.pending_debits_minor
            and self.pending_credits_minor == other.pending_credits_minor
        )

    @property
    def available_minor(self) -> int:
        """What may still be taken from it: its balance in its normal direction, less what is held."""
        if self.debit_normal:
            return self.debits_minor - self.credits_minor - self.pending_credits_minor
        return self.credits_minor - self.debits_minor - self.pending_debits_minor

    @property
    def committed_minor(self) -> int:
        """What it will hold once everything that is held for it is captured."""
        if self.debit_normal:
            return self.debits_minor - self.credits_minor + self.pending_debits_minor
        return self.credits_minor - self.debits_minor + self.pending_credits_minor

    def after(self, line: Line, *, posted_at: datetime) -> "Balance":
        """Return the balance as it stands once `line` is posted; its limits are checked by `require_within_limits`.

        Raises:
            BalanceOverflow: when a total would exceed what the books can hold.
        """
        debits, credits_ = self.debits_minor, self.credits_minor
        if line.side is Side.DEBIT:
            debits += line.amount_minor
        else:
            credits_ += line.amount_minor
        if debits > BALANCE_MINOR_MAX or credits_ > BALANCE_MINOR_MAX:
            raise BalanceOverflow(f"the account {line.account_id} cannot hold more {line.currency}")
        return Balance(
            debits_minor=debits,
            credits_minor=credits_,
            version=self.version + 1,
            posted_at=posted_at,
            pending_debits_minor=self.pending_debits_minor,
            pending_credits_minor=self.pending_credits_minor,
            floor_minor=self.floor_minor,
            ceiling_minor=self.ceiling_minor,
            debit_normal=self.debit_normal,
        )

    def pending(self, side: Side, amount_minor: int) -> "Balance":
        """Return the balance with more held on one side, or with less where the amount is negative.

        Raises:
            BalanceOverflow: when more would be held than the books can hold.
        """
        debits, credits_ = self.pending_debits_minor, self.pending_credits_minor
        if side is Side.DEBIT:
            debits += amount_minor
        else:
            credits_ += amount_minor
        if debits > BALANCE_MINOR_MAX or credits_ > BALANCE_MINOR_MAX:
            raise BalanceOverflow("the account cannot have more held")
        return msgspec.structs.replace(self, pending_debits_minor=debits, pending_credits_minor=credits_)


def require_within_limits(account_id: UUID, before: Balance, after: Balance) -> None:
    """Refuse what takes an account beyond its floor or ceiling; a way back towards them is always open.

    Raises:
        FloorCrossed: when less would be available than the floor.
        CeilingCrossed: when the account would hold more than its ceiling.
    """
    floor, ceiling = after.floor_minor, after.ceiling_minor
    if floor is not None and floor > after.available_minor < before.available_minor:
        raise FloorCrossed(f"the account {account_id} has not that much available above its floor")
    if ceiling is not None and ceiling < after.committed_minor > before.committed_minor:
        raise CeilingCrossed(f"the account {account_id} would exceed its ceiling")


class HoldState(StrEnum):
    """Where a hold stands. Every state but the first is final."""

    OPEN = "OPEN"
    CAPTURED = "CAPTURED"
    VOIDED = "VOIDED"
    EXPIRED = "EXPIRED"


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """An amount set aside: a promise to move money from one account to another, or to let it go.

    Raises:
        EntryInvalid: for an amount out of range, an unknown currency, one account on both sides, or an end in the past.
    """

    tenant_id: str
    """Whose accounts."""
    id: UUID
    """Unique in the tenant's books for ever."""
    debit_account_id: UUID
    """The account that a capture debits."""
    credit_account_id: UUID
    """The account that a capture credits."""
    currency: str
    """ISO 4217 code, upper case."""
    amount_minor: int
    """1 to 10^15 minor units."""
    placed_at: datetime
    """When it was placed."""
    expires_at: datetime | None = None
    """When it is let go by itself; None: never."""
    state: HoldState = HoldState.OPEN
    """Where it stands."""
    captured_minor: int = 0
    """What of it was posted."""
    entry_id: UUID | None = None
    """The entry that captured it."""
    resolved_at: datetime | None = None
    """When it was captured, voided or expired."""

    def __post_init__(self) -> None:
        if not is_known_currency(self.currency):
            raise EntryInvalid(f"{self.currency!r} is not an ISO 4217 currency", code="unsupported_currency")
        if not 0 < self.amount_minor <= AMOUNT_MINOR_MAX:
            raise EntryInvalid(f"an amount must be 1 to {AMOUNT_MINOR_MAX} minor units", code="invalid_amount")
        if self.debit_account_id == self.credit_account_id:
            raise EntryInvalid("a hold needs two accounts")
        if self.expires_at is not None and self.expires_at <= self.placed_at:
            raise EntryInvalid("a hold must expire after it is placed")

    @property
    def sides(self) -> tuple[tuple[Side, UUID], tuple[Side, UUID]]:
        """Its two accounts, each with the side that a capture posts to it."""
        return (Side.DEBIT, self.debit_account_id), (Side.CREDIT, self.credit_account_id)

    def is_due(self, now: datetime) -> bool:
        """Tell whether its time is over."""
        return self.expires_at is not None and self.expires_at <= now

    def is_same_promise_as(self, other: "Hold") -> bool:
        """Tell whether placing the other one again is placing this one."""
        return (
            self.debit_account_id == other.debit_account_id
            and self.credit_account_id == other.credit_account_id
            and self.currency == other.currency
            and self.amount_minor == other.amount_minor
        )

    def captured_by(self, entry: Entry, *, at: datetime) -> "Hold":
        """Return it as it stands once `entry` has posted all or a part of it; the rest is let go."""
        return msgspec.structs.replace(
            self, state=HoldState.CAPTURED, captured_minor=entry.amount_minor, entry_id=entry.id, resolved_at=at
        )

    def let_go(self, state: HoldState, *, at: datetime) -> "Hold":
        """Return it voided or expired."""
        return msgspec.structs.replace(self, state=state, resolved_at=at)
