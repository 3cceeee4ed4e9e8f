"""What the sandbox's books are about: a payment, its refunds and disputes, and what will happen to it by itself."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from libs.common.contracts.gateway_methods import PaymentMethodType
from services.gateway.processors.port import DeclineReason, DisputeState
from services.gateway.processors.sandbox.cases import Later


class Hold(StrEnum):
    """What has become of the funds."""

    ACTION = "action"
    """Not held: the customer must act first."""
    DECLINED = "declined"
    """Not held, for good."""
    HELD = "held"
    """Held."""
    CAPTURED = "captured"
    """Taken, all or a part; the rest was released."""
    RELEASED = "released"
    """Released."""


class RefundState(StrEnum):
    """What has become of a refund."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class SandboxRefund(msgspec.Struct, frozen=True, kw_only=True):
    """A refund in the sandbox's books."""

    id: UUID
    """Our id of it."""
    ref: str
    """The sandbox's reference."""
    key: str
    """The key under which it was requested."""
    amount_minor: int
    """What is given back."""
    state: RefundState
    """How far it is."""
    at: datetime
    """When it was requested."""


class SandboxDispute(msgspec.Struct, frozen=True, kw_only=True):
    """A dispute in the sandbox's books."""

    ref: str
    """The sandbox's reference."""
    amount_minor: int
    """What the bank took back."""
    state: DisputeState
    """How far it is."""
    opened_at: datetime
    """When."""


class Happening(msgspec.Struct, frozen=True, kw_only=True):
    """Something that will happen by itself, or has happened and is still to be reported."""

    at: datetime
    """When."""
    what: Later
    """What."""
    refund_id: UUID | None = None
    """To which refund."""
    has_happened: bool = False
    """Whether the books know it already."""


class SandboxPayment(msgspec.Struct, frozen=True, kw_only=True):
    """One payment in the sandbox's books."""

    ref: str
    """The sandbox's reference."""
    tenant_id: str
    """Whose it is."""
    payment_intent_id: UUID
    """Our id of it."""
    authorized_minor: int
    """What was to be held, in minor units."""
    currency: str
    """ISO 4217 code."""
    method: PaymentMethodType = PaymentMethodType.CARD
    """How the customer pays."""
    hold: Hold
    """What has become of the funds."""
    decline: DeclineReason | None = None
    """Why the funds are not held."""
    authorized_at: datetime
    """When we requested it."""
    expires_at: datetime
    """When the hold ends by itself."""
    captured_minor: int = 0
    """What was taken."""
    captured_at: datetime | None = None
    """When."""
    capture_key: str = ""
    """Under which key."""
    refunds: tuple[SandboxRefund, ...] = ()
    """What was, or is to be, given back; failed ones included."""
    disputes: tuple[SandboxDispute, ...] = ()
    """What the bank took back."""
    happenings: tuple[Happening, ...] = ()
    """What will happen by itself, and what has happened and is still to be reported."""

    @property
    def refunded_minor(self) -> int:
        """What was given back, or is pending."""
        return sum(r.amount_minor for r in self.refunds if r.state is not RefundState.FAILED)

    @property
    def disputed_minor(self) -> int:
        """What the bank took back and has not returned."""
        return sum(d.amount_minor for d in self.disputes if d.state is not DisputeState.WON)

    @property
    def due_at(self) -> datetime | None:
        """When the next thing happens by itself, or is to be reported."""
        return min((happening.at for happening in self.happenings), default=None)
