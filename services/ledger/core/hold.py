"""A hold: an amount set aside until it is captured, voided or expires. Pure."""

from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.contracts.ledger import Side
from libs.common.contracts.ledger_books import HoldState
from libs.common.contracts.ledger_errors import EntryInvalid
from libs.common.money import InvalidAmount, UnsupportedCurrency, amount_minor_max, is_booked
from services.ledger.core.entry import Entry

RESOLVED_FIELDS = ("state", "captured_minor", "entry_id", "resolved_at")
"""What the end of a hold is written in. Every other field stays as it was placed; the trigger `keep_hold` keeps it."""
NOT_PROMISED = {"placed_at": "each attempt has its own instant"}
"""Fields that may differ when a hold is placed again under its id, each with the reason."""


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """An amount set aside: a promise to move money from one account to another, or to let it go.

    Raises:
        EntryInvalid: for an amount out of range, an unknown currency, or one account on both sides.
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
    """ISO 4217 code, upper case, or the code of an own unit."""
    amount_minor: int
    """1 to 10^15 minor units; of an own unit up to 10^18."""
    placed_at: datetime
    """When it was placed."""
    expires_at: datetime | None = None
    """When it is let go by itself; None: never."""
    state: HoldState = HoldState.OPEN
    """Whether it is open, or how it ended."""
    captured_minor: int = 0
    """What of it was posted."""
    entry_id: UUID | None = None
    """The entry that captured it."""
    resolved_at: datetime | None = None
    """When it was captured, voided or expired."""

    def __post_init__(self) -> None:
        if not is_booked(self.currency):
            raise UnsupportedCurrency(f"{self.currency!r} is neither an ISO 4217 currency nor an own unit")
        minor_max = amount_minor_max(self.currency)
        if not 0 < self.amount_minor <= minor_max:
            raise InvalidAmount(f"an amount must be 1 to {minor_max} minor units")
        if self.debit_account_id == self.credit_account_id:
            raise EntryInvalid("a hold needs two accounts")

    @property
    def sides(self) -> tuple[tuple[Side, UUID], tuple[Side, UUID]]:
        """Its two accounts, each with the side that a capture posts to it."""
        return (Side.DEBIT, self.debit_account_id), (Side.CREDIT, self.credit_account_id)

    def require_future(self) -> None:
        """Check that its end is not over as it is placed: of a new one only, since the same request may come again later.

        Raises:
            EntryInvalid: when it is.
        """
        if self.is_due(self.placed_at):
            raise EntryInvalid("a hold must expire after it is placed")

    def is_due(self, now: datetime) -> bool:
        """Return whether its time is over."""
        return self.expires_at is not None and self.expires_at <= now

    def is_same_promise_as(self, other: "Hold") -> bool:
        """Return whether placing the other one is placing this one again: all is equal but `NOT_PROMISED` and its end."""
        return all(getattr(self, name) == getattr(other, name) for name in PROMISED_FIELDS)

    def captured_by(self, entry: Entry, *, at: datetime) -> "Hold":
        """Return it as it is once `entry` has posted all or a part of it; the rest is let go."""
        return msgspec.structs.replace(
            self, state=HoldState.CAPTURED, captured_minor=entry.amount_minor, entry_id=entry.id, resolved_at=at
        )

    def let_go(self, state: HoldState, *, at: datetime) -> "Hold":
        """Return it voided or expired."""
        return msgspec.structs.replace(self, state=state, resolved_at=at)


PROMISED_FIELDS = tuple(name for name in Hold.__struct_fields__ if name not in (*NOT_PROMISED, *RESOLVED_FIELDS))
"""The content of a hold: the same id with other content is a conflict."""
