"""The port to a processor's own statement, read-only: what moved on an account, what it paid out, and what it has.

Beside `Processor`, which moves money. A restricted key that may only read is enough. Lists are read a page at a time, newest
first, so that whoever reads decides how far back to go and can go on after a restart.
"""

from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import msgspec

from libs.common.contracts.gateway_movements import FeeKind, MovementKind

_WITHOUT_STATEMENT = "sandbox"


def has_statement(processor: str) -> bool:
    """Return whether the account of this name has a statement, which then books what left it and came back."""
    return processor != _WITHOUT_STATEMENT


class StatementMovement(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the statement, in minor units of ISO 4217; amounts below zero left the account."""

    ref: str
    """The processor's reference of it."""
    kind: MovementKind
    """What moved, in our words."""
    type: str
    """The same in the processor's words."""
    reporting_category: str
    """The processor's category of it."""
    source_ref: str = ""
    """What moved it: a charge, refund, dispute or payout; empty where there is none."""
    payment_ref: str = ""
    """The processor's reference of the payment, where it belongs to one."""
    charge_ref: str = ""
    """The processor's reference of the charge, where it belongs to one."""
    payment_intent_id: UUID | None = None
    """Our id of the payment, as it stands there; to be compared with our own records."""
    refund_id: UUID | None = None
    """Our id of the refund, as it stands there."""
    amount_minor: int
    """Before fees."""
    fees: tuple[tuple[FeeKind, int], ...] = ()
    """What was kept, part by part; below zero where it was given back."""
    currency: str
    """What the account settles in, ISO 4217 code, upper case."""
    exchange_rate: str = ""
    """From the processor's unit of the payment's currency to that of this one, as a decimal."""
    source_amount_minor: int | None = None
    """The same amount in the payment's currency, where that is another one."""
    source_currency: str = ""
    """The payment's currency, where that is another one."""
    source_total_minor: int | None = None
    """What a dispute is of now, in the payment's currency, where that is another one."""
    created_at: datetime
    """When it was booked there."""
    available_at: datetime
    """From when on it can be paid out."""
    is_available: bool
    """Whether it can be paid out now."""
    raw: str
    """All of it, as JSON."""

    @property
    def net_minor(self) -> int:
        """What is left after fees."""
        return self.amount_minor - sum(amount for _, amount in self.fees)


class StatementPayout(msgspec.Struct, frozen=True, kw_only=True):
    """A payout to the bank, or below zero a debit of it."""

    ref: str
    """The processor's reference of it."""
    amount_minor: int
    """In minor units of `currency`."""
    currency: str
    """ISO 4217 code, upper case."""
    status: str
    """In the processor's words: pending, in_transit, paid, failed, canceled."""
    is_automatic: bool
    """Whether the processor made it by its own schedule: only then is it known which movements it consists of."""
    reconciliation_status: str
    """How far it is known: `completed` once `movements_of` has all of them."""
    arrives_at: datetime
    """When it arrives at the bank, or should."""
    movement_ref: str = ""
    """The movement that took it from the account."""
    failure_movement_ref: str = ""
    """The movement that brought it back."""
    original_ref: str = ""
    """The payout that it takes back."""
    reversed_by: str = ""
    """The payout that takes it back."""
    trace_id: str = ""
    """What the bank shows of it."""
    created_at: datetime
    """When it was made."""
    raw: str
    """All of it, as JSON."""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What an account has of one currency, in minor units."""

    available_minor: int
    """What can be paid out."""
    pending_minor: int
    """What cannot yet."""
    reserved_minor: int = 0
    """What is kept back as security."""


class StatementPage[T](msgspec.Struct, frozen=True, kw_only=True):
    """One page of a list, newest first."""

    items: tuple[T, ...]
    """What could be read."""
    unreadable: tuple[str, ...] = ()
    """References of what has another shape than was promised; a person looks at it."""
    next_cursor: str = ""
    """From where the next page goes on; empty: there is none."""


class StatementReader(Protocol):
    """The statement of one account. Each call is one page and has a deadline.

    Every method raises ProcessorUnavailable when the page cannot be had at the moment.
    """

    async def movements(self, *, since: datetime, cursor: str = "") -> StatementPage[StatementMovement]:
        """Read what moved since an instant."""
        ...

    async def payouts(self, *, since: datetime, cursor: str = "") -> StatementPage[StatementPayout]:
        """Read the payouts that were made since an instant."""
        ...

    async def movements_of(self, payout_ref: str, *, cursor: str = "") -> StatementPage[StatementMovement]:
        """Read which movements an automatic payout consists of, its own among them."""
        ...

    async def payment_intent_of(self, payment_ref: str) -> UUID | None:
        """Read our id of a payment, where it bears one."""
        ...

    async def balance(self) -> dict[str, Held]:
        """Read what the account has, by currency."""
        ...

    async def disputes(self, *, since: datetime, cursor: str = "") -> StatementPage[dict[str, Any]]:
        """Read the disputes that were opened since an instant, as the processor shows them."""
        ...

    async def refunds(self, *, since: datetime, cursor: str = "") -> StatementPage[dict[str, Any]]:
        """Read the refunds that were made since an instant, as the processor shows them."""
        ...

    async def undelivered_events(self, *, since: datetime, cursor: str = "") -> StatementPage[dict[str, Any]]:
        """Read the events since an instant that reached no webhook endpoint, as the processor would have sent them."""
        ...
