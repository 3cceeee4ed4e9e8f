"""The gateway's events about payouts: money in transit from the processor to the tenant's bank."""

from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.contracts.base import Message, event

_PAYOUT: dict[str, Any] = {
    "payout_id": "0190f3a4-5b6c-7d8e-9f01-23456789abd4",
    "amount_minor": 980000,
    "currency": "BRL",
    "gateway_ref": "po_1Ozabc",
    "happened_at": "2026-11-26T06:00:00Z",
}


class PayoutMessage(Message, frozen=True, kw_only=True):
    """What every message about a payout names: money in transit from the processor to the tenant's bank."""

    payout_id: UUID
    """The payout."""
    amount_minor: int
    """Amount in minor units of `currency`, above zero."""
    currency: str
    """ISO 4217 code, upper case."""
    gateway_ref: str
    """The processor's reference of the payout."""
    happened_at: datetime
    """When the processor did it, in UTC: the entry's `occurred_at`."""


@event("payout.created", owner="gateway", handled_by=("ledger",), example=_PAYOUT)
class PayoutCreated(PayoutMessage, frozen=True, kw_only=True):
    """The processor sent money to the tenant's bank; it is in transit. Handled by the ledger."""


@event("payout.paid", owner="gateway", handled_by=("ledger",), example=_PAYOUT)
class PayoutPaid(PayoutMessage, frozen=True, kw_only=True):
    """The money has arrived at the tenant's bank. Handled by the ledger."""


@event("payout.failed", owner="gateway", handled_by=("ledger",), example=_PAYOUT)
class PayoutFailed(PayoutMessage, frozen=True, kw_only=True):
    """The bank did not take the money; it is back at the processor. Handled by the ledger."""
