"""What surrounds a message body: its id, time, tenant and correlation; and how events travel together in packs.

A pack is one AMQP message with 1 to 100 events of one type, in outbox order:

    {"type": "payment.captured", "events": [{"id": ..., "occurred_at": ..., "tenant_id": ..., "correlation_id": ...,
     "traceparent": ..., "attempt": 0, "body": {...}}, ...]}

The event is the unit of meaning (inbox, retry, dead letter, trace), the pack only the unit of transport. What arrives is
checked like any input: sizes, ranges and time zones, and an event of a pack that is malformed spoils none of its neighbours.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from libs.common.contracts import Message, PublicEvent
from libs.common.contracts.base import key
from libs.common.errors import Undecodable
from libs.common.ids import new_id
from libs.common.observability.correlation import Correlation
from libs.common.observability.tracing import child_traceparent


class Publication(msgspec.Struct, frozen=True, kw_only=True):
    """A message about to be published: what the outbox stores and the relay sends."""

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
    ) -> "Publication":
        """Wrap a body; the id is minted, of the time when it happened, unless the event already has one."""
        return cls(
            event_id=event_id or new_id(occurred_at), message=message, occurred_at=occurred_at, correlation=correlation
        )

    @property
    def contract(self) -> str:
        """Which contract it is, as the outbox writes it."""
        return key(self.message.contract)

    @property
    def tenant_id(self) -> str:
        """The tenant it concerns; empty where there is none."""
        return self.correlation.tenant_id

    @property
    def correlation_id(self) -> str:
        """The cause it belongs to."""
        return self.correlation.correlation_id

    @property
    def traceparent(self) -> str:
        """The W3C trace context of whoever publishes it."""
        return self.correlation.traceparent

    @property
    def body(self) -> str:
        """The body as JSON."""
        return self.message.encode().decode()


class Received[M: Message](msgspec.Struct, frozen=True, kw_only=True):
    """A message as its consumer receives it."""

    id: UUID
    """The event's id."""
    body: M
    """The decoded body."""
    occurred_at: datetime
    """When it happened, according to its publisher."""
    correlation: Correlation
    """The cause it belongs to; where traces are on, with a span of our own."""
    attempt: int
    """How often it was postponed before: 0 at first."""
    parent: str = ""
    """The W3C trace context of whoever published it."""

    @property
    def tenant_id(self) -> str:
        """The tenant it concerns; empty where there is none."""
        return self.correlation.tenant_id

    @property
    def key(self) -> tuple[str, UUID]:
        """What it counts as: ids are a tenant's own, whoever chose them."""
        return self.correlation.tenant_id, self.id


PACK_EVENTS_MAX = 1000
"""Events that a consumer accepts in one message; `PACK_EVENTS_MAX` of the settings says how many are sent."""
ATTEMPTS_MAX = 1000
"""The highest `attempt` that an event may carry; it ends in the dead letters long before."""
_NAME_CHARACTERS_MAX = 200

type _Name = Annotated[str, Meta(max_length=_NAME_CHARACTERS_MAX)]


class PackedEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event inside a pack."""

    id: UUID
    occurred_at: Annotated[datetime, Meta(tz=True)]
    tenant_id: _Name = ""
    correlation_id: _Name
    traceparent: _Name = ""
    attempt: Annotated[int, Meta(ge=0, le=ATTEMPTS_MAX)] = 0
    body: msgspec.Raw


class Pack(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON of one internal AMQP message."""

    type: _Name
    events: Annotated[list[PackedEvent], Meta(min_length=1, max_length=PACK_EVENTS_MAX)]


class _LoosePack(msgspec.Struct, frozen=True, kw_only=True):
    """A pack whose events are looked at one by one."""

    type: _Name
    events: Annotated[list[msgspec.Raw], Meta(min_length=1, max_length=PACK_EVENTS_MAX)]


class MalformedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a pack that is no event, and why."""

    body: bytes
    """A pack with this event alone, as it was sent."""
    fault: Undecodable


_decoder = msgspec.json.Decoder(Pack)
_loose_decoder = msgspec.json.Decoder(_LoosePack)
_event_decoder = msgspec.json.Decoder(PackedEvent)

_MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError)
"""What decoding raises: `RecursionError` where brackets are nested too deeply, `OverflowError` for instants before year 1."""


def encode_pack(name: str, events: Sequence[PackedEvent]) -> bytes:
    """Write a pack of events of the type `name`."""
    return msgspec.json.encode(Pack(type=name, events=list(events)))


def decode_pack(raw: bytes) -> Pack:
    """Read a pack; the bodies stay raw until each is decoded on its own.

    Raises:
        Undecodable: when it is not a pack, or one of its events is malformed.
    """
    return decode(_decoder, raw, what="not a pack of events")


def open_pack(raw: bytes) -> tuple[Sequence[PackedEvent], Sequence[MalformedEvent]]:
    """Read a pack event by event, so that a malformed one is found alone.

    Raises:
        Undecodable: when it is not a pack at all.
    """
    try:
        return decode_pack(raw).events, ()
    except Undecodable:
        loose = decode(_loose_decoder, raw, what="not a pack of events")
    events: list[PackedEvent] = []
    malformed: list[MalformedEvent] = []
    for event in loose.events:
        try:
            events.append(decode(_event_decoder, event, what="not an event"))
        except Undecodable as fault:
            alone = msgspec.json.encode(_LoosePack(type=loose.type, events=[event]))
            malformed.append(MalformedEvent(body=alone, fault=fault))
    return events, malformed


def decode[T](decoder: msgspec.json.Decoder[T], raw: bytes | msgspec.Raw, *, what: str) -> T:
    """Decode what somebody else has written.

    Raises:
        Undecodable: names `what` it is, and where it is malformed.
    """
    try:
        return decoder.decode(raw)
    except _MALFORMED as fault:
        raise Undecodable(f"{what}: {fault}") from fault


def received[M: Message](packed: PackedEvent, decoder: msgspec.json.Decoder[M]) -> Received[M]:
    """Open one event of a pack.

    Raises:
        Undecodable: when the body breaks its contract, or is about another tenant than the event.
    """
    body = decode(decoder, packed.body, what="the body breaks its contract")
    if isinstance(body, PublicEvent) and body.tenant_id != packed.tenant_id:
        raise Undecodable(f"the body is about tenant '{body.tenant_id}', the event about '{packed.tenant_id}'")
    return Received(
        id=packed.id,
        body=body,
        occurred_at=packed.occurred_at,
        correlation=Correlation(
            correlation_id=packed.correlation_id,
            tenant_id=packed.tenant_id,
            traceparent=child_traceparent(packed.traceparent),
        ),
        attempt=packed.attempt,
        parent=packed.traceparent,
    )
