"""What surrounds a message body: its id, time, tenant and correlation; and how events travel together in packs.

A pack is one AMQP message with 1 to 100 events of one type, in outbox order:

    {"type": "payment.captured", "events": [{"id": ..., "occurred_at": ..., "tenant_id": ..., "correlation_id": ...,
     "traceparent": ..., "attempt": 0, "body": {...}}, ...]}

The event is the unit of meaning (inbox, retry, dead letter, trace), the pack only the unit of transport.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.contracts import Message
from libs.common.errors import Undecodable
from libs.common.ids import new_id
from libs.common.observability.correlation import Correlation, child_traceparent


class Saying(msgspec.Struct, frozen=True, kw_only=True):
    """A message about to be said: what the outbox stores and the relay sends."""

    event_id: UUID
    """Identifies the message for ever; the receiver's inbox knows it by this id."""
    message: Message
    """The body."""
    occurred_at: datetime
    """When it happened."""
    correlation: Correlation
    """The cause it belongs to."""

    @classmethod
    def of(
        cls, message: Message, *, occurred_at: datetime, correlation: Correlation, event_id: UUID | None = None
    ) -> "Saying":
        """Wrap a body; the id is minted unless the event already has one."""
        return cls(event_id=event_id or new_id(), message=message, occurred_at=occurred_at, correlation=correlation)


class Heard[M: Message](msgspec.Struct, frozen=True, kw_only=True):
    """A message as its consumer receives it."""

    id: UUID
    """The event's id."""
    body: M
    """The decoded body."""
    occurred_at: datetime
    """When it happened, according to who said it."""
    correlation: Correlation
    """The cause it belongs to, with a span of our own."""
    attempt: int
    """How often it was put off before: 0 at first."""

    @property
    def tenant_id(self) -> str:
        """The tenant it concerns; empty where there is none."""
        return self.correlation.tenant_id


class PackedEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event inside a pack."""

    id: UUID
    occurred_at: datetime
    tenant_id: str = ""
    correlation_id: str
    traceparent: str = ""
    attempt: int = 0
    body: msgspec.Raw


class Pack(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON of one internal AMQP message."""

    type: str
    events: list[PackedEvent]


_decoder = msgspec.json.Decoder(Pack)


def encode_pack(name: str, events: Sequence[PackedEvent]) -> bytes:
    """Write a pack of events of the type `name`."""
    return msgspec.json.encode(Pack(type=name, events=list(events)))


def decode_pack(raw: bytes) -> Pack:
    """Read a pack; the bodies stay raw until each is decoded on its own.

    Raises:
        Undecodable: when it is not a pack.
    """
    try:
        return _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise Undecodable(f"not a pack of events: {fault}") from fault


def heard[M: Message](packed: PackedEvent, decoder: msgspec.json.Decoder[M]) -> Heard[M]:
    """Open one event of a pack.

    Raises:
        Undecodable: when the body breaks its contract.
    """
    try:
        body = decoder.decode(packed.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise Undecodable(f"the body breaks its contract: {fault}") from fault
    return Heard(
        id=packed.id,
        body=body,
        occurred_at=packed.occurred_at,
        correlation=Correlation(
            correlation_id=packed.correlation_id,
            tenant_id=packed.tenant_id,
            traceparent=child_traceparent(packed.traceparent),
        ),
        attempt=packed.attempt,
    )
