"""The posting rules of the processor's statement: what each movement on its account debits and credits. Pure.

The statement is one witness, what became of payments the other one; they meet on an account that is empty once both have
arrived: CASH for captures, REFUND_CLEARING, DISPUTE_CLEARING, GATEWAY_CLEARING for payouts. Either may come first.

A movement is one entry in the currency that the account settles in: gross, each part of its fee, and net. Where the payment
is in another currency, a second entry holds that one, both against the currency position: at the processor's own rate
nothing is gained. Money that can be paid out is an entry of its own.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

import msgspec

from libs.common.contracts.gateway_movements import FeeKind, MovementKind
from libs.common.contracts.ledger import EntryKind, Side
from libs.common.contracts.ledger_roles import Role
from libs.common.ids import derived_id
from services.ledger.core import Chart, Entry, Line, Quote

_OF_PAYMENT: Mapping[MovementKind, Role] = MappingProxyType(
    {
        MovementKind.CHARGE: Role.CASH,
        MovementKind.RELEASE: Role.CASH,
        MovementKind.REFUND: Role.REFUND_CLEARING,
        MovementKind.REFUND_FAILURE: Role.REFUND_CLEARING,
        MovementKind.DISPUTE: Role.DISPUTE_CLEARING,
        MovementKind.DISPUTE_REVERSAL: Role.DISPUTE_CLEARING,
    }
)
"""What meets a movement that belongs to a payment. A refund that nobody requested from us is adopted: it is booked as ours are."""

_OF_ACCOUNT: Mapping[MovementKind, Role] = MappingProxyType(
    {
        MovementKind.PAYOUT: Role.GATEWAY_CLEARING,
        MovementKind.PAYOUT_RETURN: Role.GATEWAY_CLEARING,
        MovementKind.FEE: Role.PROCESSOR_FEES,
        MovementKind.TAX: Role.TAX_RECOVERABLE,
        MovementKind.RESERVE: Role.RESERVES,
        MovementKind.PLATFORM_EARNING: Role.PLATFORM_EARNINGS,
        MovementKind.PLATFORM_EARNING_REFUND: Role.PLATFORM_EARNINGS,
        MovementKind.PLATFORM_FEE_REFUND: Role.PLATFORM_FEES,
        MovementKind.OPENING: Role.OPENING_BALANCE,
    }
)
"""What meets a movement of the account itself."""

FEE_ROLES: Mapping[FeeKind, Role] = MappingProxyType(
    {
        FeeKind.PROCESSOR: Role.PROCESSOR_FEES,
        FeeKind.TAX: Role.TAX_RECOVERABLE,
        FeeKind.PLATFORM: Role.PLATFORM_FEES,
    }
)
"""Where each part of a fee stands."""


class Movement(msgspec.Struct, frozen=True, kw_only=True):
    """A movement on an account at the processor, as far as the rules need to know it; amounts below zero left it."""

    id: UUID
    """The movement."""
    kind: MovementKind
    """What moved."""
    gateway_ref: str
    """The processor's reference."""
    payment_intent_id: UUID | None = None
    """The payment of ours that it belongs to."""
    refund_id: UUID | None = None
    """Our id of the refund, where it is one."""
    amount_minor: int
    """Before fees, in minor units of `currency`."""
    currency: str
    """What the account settles in."""
    fees: tuple[tuple[FeeKind, int], ...] = ()
    """What was kept, part by part; below zero where it was given back."""
    source_amount_minor: int = 0
    """The same amount in `source_currency`, where that is another one."""
    source_currency: str = ""
    """The payment's currency, where that is another one; empty otherwise."""
    occurred_at: datetime
    """When it happened in the world."""
    source_event_id: UUID | None = None
    """The message that reported it."""

    @property
    def counterpart(self) -> Role:
        """The role whose account meets the movement."""
        if self.kind in _OF_ACCOUNT:
            return _OF_ACCOUNT[self.kind]
        if self.payment_intent_id is None or self.kind not in _OF_PAYMENT:
            return Role.SUSPENSE
        return _OF_PAYMENT[self.kind]


type MovementRule = Callable[[Chart, Movement], Sequence[Entry]]
"""Turns one movement into its entries: one in each currency, none where nothing moves.

Raises EntryInvalid when an amount or a currency cannot stand in a book.
"""


def movement_entries(chart: Chart, moved: Movement) -> tuple[Entry, ...]:
    """Record what the processor's statement shows: gross, each part of the fee, and what is left of it.

    What the statement shows first is pending. It meets what became of the payment on a clearing account, which is empty once
    both were booked; what belongs to no payment of ours, and to nothing else that is known, waits in `SUSPENSE`.

    Raises:
        EntryInvalid: when an amount or a currency cannot stand in a book.
    """
    fees = [(FEE_ROLES[kind], amount) for kind, amount in moved.fees]
    net = moved.amount_minor - sum(amount for _, amount in fees)
    counterpart = Role.FX_POSITION if moved.source_currency else moved.counterpart
    settled = _entry(
        chart,
        moved,
        EntryKind.MOVEMENT,
        moved.currency,
        [(Role.PROCESSOR_PENDING, net), *fees, (counterpart, -moved.amount_minor)],
    )
    if not moved.source_currency:
        return settled
    exchanged = [(Role.FX_POSITION, moved.source_amount_minor), (moved.counterpart, -moved.source_amount_minor)]
    return settled + _entry(chart, moved, EntryKind.MOVEMENT_EXCHANGED, moved.source_currency, exchanged)


def is_far_off(moved: Movement, quoted: Quote, *, percent: int) -> bool:
    """Return whether a movement was exchanged at a rate more than `percent` off the one that is known.

    A processor's margin is 1 to 2 percent, a rate of yesterday a few more; one minor unit may always be rounding.
    """
    known = abs(quoted.worth(moved.source_amount_minor))
    return abs(abs(moved.amount_minor) - known) > known * percent / 100 + 1


def available_entries(chart: Chart, moved: Movement) -> tuple[Entry, ...]:
    """Record that the processor can pay out what a movement brought; its amount is after fees.

    What a payout took is no longer available at once; what a charge brought is after some days.
    """
    debits = [(Role.PROCESSOR_AVAILABLE, moved.amount_minor), (Role.PROCESSOR_PENDING, -moved.amount_minor)]
    return _entry(chart, moved, EntryKind.AVAILABLE, moved.currency, debits)


def _entry(
    chart: Chart, moved: Movement, kind: EntryKind, currency: str, debits: Sequence[tuple[Role, int]]
) -> tuple[Entry, ...]:
    """Make the entry of what is debited to each role, below zero where it is credited; none where nothing moves.

    Its id follows from the movement and the kind alone: reported twice, it is posted once.
    """
    lines = [
        Line(
            account_id=chart.roles[role],
            side=Side.DEBIT if amount > 0 else Side.CREDIT,
            amount_minor=abs(amount),
            currency=currency,
        )
        for role, amount in debits
        if amount
    ]
    if not lines:
        return ()
    named = kind.replace("_", " ")
    amounts = " ".join(f"{role}:{amount}" for role, amount in debits if amount)
    return (
        Entry(
            tenant_id=chart.tenant_id,
            id=derived_id(moved.id, kind.value),
            kind=kind,
            content=f"{named} {moved.id} {moved.gateway_ref}: {amounts} {currency}",
            payment_intent_id=moved.payment_intent_id,
            subject_id=moved.id,
            occurred_at=moved.occurred_at,
            source_event_id=moved.source_event_id,
            # Debits first, each side in the order in which the statement names it.
            lines=tuple(sorted(lines, key=lambda line: line.side is Side.CREDIT)),
        ),
    )
