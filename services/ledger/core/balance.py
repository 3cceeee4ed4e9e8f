"""What one account holds in one currency, and its limits. Pure."""

from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.contracts.ledger import Side
from libs.common.contracts.ledger_errors import BalanceOverflow, CeilingCrossed, FloorCrossed
from services.ledger.core.entry import Line

BALANCE_MINOR_MAX = 2**63 - 1
"""The most that all debits, or all credits, of one account in one currency may sum up to: a signed 64-bit integer."""


class Balance(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one account holds in one currency. Two totals that only ever grow, so that nothing can cancel out unseen."""

    debits_minor: int = 0
    """Sum of all its debits."""
    credits_minor: int = 0
    """Sum of all its credits."""
    version: int = 0
    """How many postings it has; each posting carries the version that it made, so a gap would show."""
    posted_at: datetime | None = None
    """When its last posting was recorded, or a later instant before which nothing is recorded any more."""
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
        """Return whether as much is pending on it as on another one."""
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
