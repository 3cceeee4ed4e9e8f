"""A journal entry and its lines: double entry, in one currency. Pure."""

import hashlib
from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.contracts.ledger import EntryKind, Side
from libs.common.contracts.ledger_errors import CurrencyMixed, EntryInvalid, EntryUnbalanced
from libs.common.money import (
    AMOUNT_MINOR_MAX,
    OWN_UNIT_MINOR_MAX,
    InvalidAmount,
    UnsupportedCurrency,
    is_known_currency,
    is_own_unit,
)

ENTRY_LINES_MAX = 1000
"""Lines that one entry may have at most."""

ENTRY_MINOR_MAX = 2**63 - 1
"""The most that the debits of one entry may sum up to: a signed 64-bit integer, which only own units can reach."""


class Line(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One debit or credit that is to be posted."""

    account_id: UUID
    """The account it changes."""
    side: Side
    """Debit or credit; the amount itself is never negative."""
    amount_minor: int
    """1 to 10^15 minor units of `currency`; of an own unit up to 10^18."""
    currency: str
    """ISO 4217 code, upper case, or the code of an own unit."""


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
    """The business event in canonical words, without what may differ when it is reported twice (the hour, the message).

    Not derived from the lines: the accounts that a rule resolves may change in the chart in between.
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
        if is_known_currency(currency):
            minor_max = AMOUNT_MINOR_MAX
        elif is_own_unit(currency):
            minor_max = OWN_UNIT_MINOR_MAX
        else:
            raise UnsupportedCurrency(f"{currency!r} is neither an ISO 4217 currency nor an own unit")
        imbalance = 0
        for line in self.lines:
            if line.currency != currency:
                raise CurrencyMixed(
                    f"the lines of an entry must be in one currency, not {currency} and {line.currency}"
                )
            if not 0 < line.amount_minor <= minor_max:
                raise InvalidAmount(f"an amount must be 1 to {minor_max} minor units")
            imbalance += line.amount_minor if line.side is Side.DEBIT else -line.amount_minor
        if imbalance != 0:
            raise EntryUnbalanced(f"debits must equal credits; they differ by {abs(imbalance)} minor units")
        if minor_max > AMOUNT_MINOR_MAX and self.amount_minor > ENTRY_MINOR_MAX:
            raise InvalidAmount(f"the debits of an entry must not exceed {ENTRY_MINOR_MAX} minor units together")

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
