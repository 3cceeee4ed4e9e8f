"""Payments and refunds that wait for another service."""

from datetime import datetime
from uuid import UUID

import msgspec

from services.api.payments.domain.intent import PaymentIntent
from services.api.payments.domain.refund import Refund


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A payment or refund that has waited too long, locked."""

    intent: PaymentIntent
    refund: Refund | None = None
    """The refund that waits; None where the payment itself does."""
    repeats: int
    """How often its command was published again, as it stands."""
    correlation_id: str
    """The cause of what happened to the payment last."""

    @property
    def subject_id(self) -> UUID:
        """The refund, or the intent where it waits itself."""
        return self.intent.id if self.refund is None else self.refund.id


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """What was published again, and when it may be the next time."""

    tenant_id: str
    subject_id: UUID
    version: int
    repeats: int
    next_at: datetime


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """How many payments wait in one stage."""

    stage: str
    count: int
    since: datetime | None
    """Since when the oldest one waits."""


class Stuck(msgspec.Struct, frozen=True, kw_only=True):
    """A payment or refund that has waited too long, as an operator sees it."""

    tenant_id: str
    payment_intent_id: UUID
    refund_id: UUID | None
    """The refund that waits; None where the payment itself does."""
    stage: str
    """What it waits for."""
    since: datetime
    """Since when."""
    repeats: int
    """How often its command was published again."""
    next_at: datetime | None
    """Not before this instant the next time; None before the first."""
