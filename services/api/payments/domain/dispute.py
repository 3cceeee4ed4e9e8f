"""What is always true of a dispute: opened by the customer's bank, then won or lost, whichever event comes first."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec


class DisputeStatus(StrEnum):
    """What clients see of a dispute."""

    OPEN = "OPEN"
    """The bank has taken the money back until it is decided; evidence may be due."""
    WON = "WON"
    """The bank gave it back."""
    LOST = "LOST"
    """It is gone."""
    INQUIRY = "INQUIRY"
    """The bank inquires, and has taken nothing; it may open a dispute. Evidence may be due."""
    INQUIRY_CLOSED = "INQUIRY_CLOSED"
    """The inquiry ended without a dispute."""

    @property
    def is_inquiry(self) -> bool:
        """Whether no money was taken, and no dispute is opened yet."""
        return self in (DisputeStatus.INQUIRY, DisputeStatus.INQUIRY_CLOSED)


class Dispute(msgspec.Struct, frozen=True, kw_only=True):
    """Captured money that the customer's bank has taken back, or inquires about."""

    tenant_id: str
    """Whose it is."""
    id: UUID
    """The gateway's, derived from the processor's reference."""
    payment_intent_id: UUID
    """The payment that it is about."""
    amount_minor: int
    """The disputed amount, above zero, in minor units of `currency`."""
    currency: str
    """The intent's."""
    reason: str
    """The bank's reason, as a stable snake_case word."""
    status: DisputeStatus
    """How far it is."""
    gateway_ref: str
    """The processor's reference."""
    evidence_due_at: datetime | None = None
    """Until when the merchant may answer, where the processor names it."""
    opened_at: datetime
    """When, as the processor reports it."""
    updated_at: datetime
    """When it last changed."""
    reversals: int = 0
    """How often the bank has reversed its decision."""
