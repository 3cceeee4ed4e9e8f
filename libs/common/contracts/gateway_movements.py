"""The gateway's events about the processor's own statement: what moved on an account, in the currency it settles in.

Amounts are integer minor units, never below zero; a direction says which way they went. A movement is published when it is
first seen, and once more when the processor can pay it out; its id follows from the account at the processor and the
processor's reference, whoever has seen it.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from libs.common.contracts.base import Message, event
from libs.common.contracts.gateway import DisputeMessage
from libs.common.contracts.gateway_payouts import PayoutMessage

_MOVEMENT: dict[str, Any] = {
    "movement_id": "0190f3a4-5b6c-7d8e-9f01-23456789abd7",
    "gateway_ref": "txn_1Ozabc",
    "direction": "in",
    "amount_minor": 15050,
    "currency": "BRL",
    "happened_at": "2026-11-22T17:57:08Z",
}


class Direction(StrEnum):
    """Which way money went, as seen by the account at the processor."""

    IN = "in"
    """There is more on it."""
    OUT = "out"
    """There is less on it."""


class MovementKind(StrEnum):
    """What moved, as far as the books distinguish it."""

    CHARGE = "charge"
    """A customer's money came."""
    RELEASE = "release"
    """What a capture left, or a hold that expired, went back: part of the capture, and no refund."""
    REFUND = "refund"
    """Money went back to a customer."""
    REFUND_FAILURE = "refund_failure"
    """A refund came back."""
    DISPUTE = "dispute"
    """A customer's bank took money back."""
    DISPUTE_REVERSAL = "dispute_reversal"
    """A customer's bank gave it back."""
    PAYOUT = "payout"
    """Money went to the bank, or came from it where a balance was below zero."""
    PAYOUT_RETURN = "payout_return"
    """A payout failed or was cancelled: its money is back."""
    FEE = "fee"
    """A fee that belongs to no other movement."""
    TAX = "tax"
    """A tax that belongs to no other movement."""
    RESERVE = "reserve"
    """The processor set money aside, or gave it free."""
    PLATFORM_EARNING = "platform_earning"
    """A platform's fee on a charge of an account that is connected to it."""
    PLATFORM_EARNING_REFUND = "platform_earning_refund"
    """A platform gave such a fee back."""
    PLATFORM_FEE_REFUND = "platform_fee_refund"
    """The same on the account that had paid the fee."""
    OPENING = "opening"
    """What stood on the account already when it was added."""
    OTHER = "other"
    """Something else: a person decides where it belongs."""


class FeeKind(StrEnum):
    """What a part of a fee is."""

    PROCESSOR = "processor"
    """The processor's price."""
    TAX = "tax"
    """Tax on it."""
    PLATFORM = "platform"
    """What the platform takes that the tenant's account belongs to."""


class MovementFee(msgspec.Struct, frozen=True, kw_only=True):
    """One part of what was kept of a movement."""

    kind: FeeKind
    """What it is."""
    direction: Direction
    """`out` where it was kept, `in` where it was given back."""
    amount_minor: int
    """In minor units of the movement's currency, above zero."""


class MovementMessage(Message, frozen=True, kw_only=True):
    """What every message about a movement names."""

    movement_id: UUID
    """The movement."""
    gateway_ref: str
    """The processor's reference of it."""
    direction: Direction
    """Which way the amount went."""
    amount_minor: int
    """In minor units of `currency`, not below zero."""
    currency: str
    """ISO 4217 code of what the account settles in, upper case."""
    happened_at: datetime
    """When, in UTC: the entry's `occurred_at`."""


@event(
    "processor_movement.recorded",
    owner="gateway",
    handled_by=("ledger",),
    example=_MOVEMENT
    | {
        "kind": "charge",
        "source_ref": "ch_1Ozabc",
        "payment_intent_id": "0190f3a4-5b6c-7d8e-9f01-23456789abce",
        "fees": [{"kind": "processor", "direction": "out", "amount_minor": 467}],
    },
)
class MovementRecorded(MovementMessage, frozen=True, kw_only=True):
    """Something moved on an account at the processor; the amount is before fees. Handled by the ledger, which posts it."""

    kind: MovementKind
    """What moved."""
    source_ref: str
    """The processor's reference of what moved it; empty where there is none."""
    payment_intent_id: UUID | None = None
    """The payment of ours that it belongs to; None where it belongs to none."""
    refund_id: UUID | None = None
    """Our id of the refund, where it is one: as we requested it, or derived where it is adopted."""
    fees: tuple[MovementFee, ...] = ()
    """What was kept of it, part by part."""
    source_amount_minor: int | None = None
    """The same amount in the payment's currency, where that is another one."""
    source_currency: str = ""
    """The payment's currency, where that is another one."""
    exchange_rate: str = ""
    """The processor's rate from minor units of the payment's currency, as a decimal; empty where nothing was exchanged."""


@event("processor_movement.available", owner="gateway", handled_by=("ledger",), example=_MOVEMENT)
class MovementAvailable(MovementMessage, frozen=True, kw_only=True):
    """The processor can pay out what a movement brought; the amount is after fees. Handled by the ledger."""


@event(
    "payout.debited",
    owner="gateway",
    handled_by=("ledger",),
    example={
        "payout_id": "0190f3a4-5b6c-7d8e-9f01-23456789abd4",
        "amount_minor": 980000,
        "currency": "BRL",
        "gateway_ref": "po_1Ozabc",
        "happened_at": "2026-11-26T06:00:00Z",
    },
)
class PayoutDebited(PayoutMessage, frozen=True, kw_only=True):
    """The bank was debited: a payout that had arrived was taken back, or a balance below zero was covered. Handled by the
    ledger."""


@event(
    "dispute.amount_changed",
    owner="gateway",
    handled_by=("api",),
    example={
        "payment_intent_id": "0190f3a4-5b6c-7d8e-9f01-23456789abce",
        "amount_minor": 3000,
        "currency": "BRL",
        "dispute_id": "0190f3a4-5b6c-7d8e-9f01-23456789abd3",
        "gateway_ref": "dp_1Ozabc",
        "happened_at": "2026-11-25T09:00:00Z",
        "was_minor": 5000,
    },
)
class DisputeAmountChanged(DisputeMessage, frozen=True, kw_only=True):
    """The customer's bank disputes another amount than before; what that moves, the statement shows. Handled by the api."""

    was_minor: int
    """The amount before, in minor units: this change follows the one that led to it."""
