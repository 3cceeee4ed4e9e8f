"""What is always true of a refund: requested once, PENDING until the processor has reported its outcome."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec


class RefundStatus(StrEnum):
    """What clients see of a refund."""

    PENDING = "PENDING"
    """The processor has the request; the money cannot be refunded again."""
    COMPLETED = "COMPLETED"
    """The processor has given it back."""
    FAILED = "FAILED"
    """It did not reach the customer: refused, or returned later. It counts for nothing any more."""


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    """Captured money that is given back to the customer."""

    tenant_id: str
    """Whose it is."""
    id: UUID
    """UUIDv7, minted by us."""
    payment_intent_id: UUID
    """The payment that it gives back, all or a part."""
    amount_minor: int
    """Above zero, in minor units of `currency`."""
    currency: str
    """The intent's."""
    reason: str | None = None
    """The merchant's words, up to 500 characters."""
    status: RefundStatus
    """How far it is."""
    gateway_ref: str | None = None
    """The processor's reference, once it has given one."""
    failure_code: str | None = None
    """Why it failed, as a stable snake_case word."""
    failure_message: str | None = None
    """Why it failed, as a sentence for people."""
    created_at: datetime
    """When it was requested."""
    updated_at: datetime
    """When it last changed."""
