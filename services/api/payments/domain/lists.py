"""What lists show: which intents, and what happened to one of them."""

from datetime import datetime
from uuid import UUID

import msgspec


class Amounts(msgspec.Struct, frozen=True, kw_only=True):
    """An amount in each currency that can have it."""

    minor: tuple[int, ...]
    """In minor units, each number once."""
    texts: tuple[str, ...]
    """In minor units and with the currency: `15050BRL`."""


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """A reference of the processor, and what it is about."""

    text: str
    """The reference."""
    intent_ids: tuple[UUID, ...] = ()
    """The intents, as the gateway knows them."""


class IntentFilter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which of a tenant's intents a list shows; None means all."""

    statuses: tuple[str, ...] | None = None
    """Any of these."""
    customer_ref: str | None = None
    """Exactly this reference."""
    customer_ref_prefix: str | None = None
    """A reference that begins with this."""
    currency: str | None = None
    """This currency."""
    order_id: str | None = None
    """The intent of this order."""
    refund_id: UUID | None = None
    """The intent of this refund."""
    gateway_ref: Reference | None = None
    """The intents of this reference of the processor."""
    amounts: Amounts | None = None
    """Any of these."""
    created_from: datetime | None = None
    """Created at or after this instant."""
    created_until: datetime | None = None
    """Created before this instant."""


class TimelineEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to an intent: one message that the api published, or `payment.given_back_twice`."""

    tenant_id: str
    """Whose intent."""
    payment_intent_id: UUID
    """Which intent."""
    id: UUID
    """The message; one of its own where none was published."""
    type: str
    """What happened, as the message is called: `payment.authorized`, `payment.authorize` for a command."""
    status: str
    """The intent's status from then on."""
    actor: str
    """Subject of the token, or the service that reported it: `gateway`, `ledger`."""
    cause_id: UUID | None
    """The message that caused it; None for a request over HTTP."""
    correlation_id: str
    """The request that set it in motion."""
    occurred_at: datetime
    """When."""
