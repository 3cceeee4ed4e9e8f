"""Messages of other teams: each is put into our own form as it arrives, and from then on travels like any event of ours.

What makes one the same as another is its content: the routing key, the id that its sender gave it or else the instant at which
it was sent, and the body. An id alone would lose what a sender publishes under an id that it has used before.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec
from aio_pika.abc import AbstractIncomingMessage

from libs.common.clock import Clock
from libs.common.contracts.foreign import FORMS, ForeignMessage, Subscription
from libs.common.errors import BrokenInvariant, Invalid, PlatformError, Undecodable
from libs.common.ids import derived_id, first_id
from libs.common.messaging.delivery import Delivery, Incoming
from libs.common.messaging.envelope import PackedEvent, Received, encode_pack, received
from libs.common.messaging.intake import Intake
from libs.common.messaging.redelivery import Redelivery, Verdict, judge
from libs.common.messaging.topology import DELIVERIES_MAX
from libs.common.observability import metrics
from libs.common.observability.correlation import accept_correlation_id
from libs.common.observability.tracing import TRACEPARENT_CHARACTERS_MAX

BYTES_MAX = 262_144
"""The largest body that is read; a partner's largest is an order with all its items."""
EXCHANGE_HEADER, KEY_HEADER = "x-exchange", "x-routing-key"
"""How a dead letter says where it was published, so that it means the same when it is redriven."""
_OTHER = "other"
"""What a routing key is called in metrics that nobody expects."""
_COUNTS = ("x-delivery-count", "x-acquired-count")
_DEATHS_HEADER = "x-death"
"""Where the broker notes the queues in which a message died, the latest first, with its exchange and routing keys."""


class MessageTooLarge(Invalid):
    """The message is larger than any that is read."""

    code = "message_too_large"


class PublishedNowhere(Invalid):
    """The message does not say where it was published, which is half of what it means."""

    code = "unknown_routing_key"


class DeliveredTooOften(BrokenInvariant):
    """The message was delivered many times, and each time its consumer was gone before it had answered."""

    code = "delivered_too_often"


class Reading(Protocol):
    """What is read of a message of another team before it is handled."""

    @property
    def tenant_id(self) -> str:
        """The tenant it concerns."""

    @property
    def correlation_id(self) -> str:
        """The cause it belongs to, or empty."""

    @property
    def message_id(self) -> str:
        """The id in its body, or empty."""

    @property
    def occurred_at(self) -> datetime | None:
        """When it happened, if it says so."""


type Read = Callable[[ForeignMessage], Reading]
"""Reads a message, or raises why it cannot be taken."""


class ForeignIntake(Intake[ForeignMessage]):
    """Takes messages of another team; what cannot be read is dead-lettered at once, as it came."""

    def __init__(self, subscription: Subscription, *, redelivery: Redelivery, read: Read, clock: Clock) -> None:
        super().__init__(ForeignMessage, queue=subscription.queue, redelivery=redelivery, name=subscription.name)
        # A routing key is its sender's own: what is not expected gets no series of its own.
        self._known = {key for _, key in subscription.bindings} | {form.routing_key for form in FORMS}
        self._read = read
        self._clock = clock

    async def open(self, message: Incoming) -> list[tuple[PackedEvent, Received[ForeignMessage]]]:
        """Read a message; one that was postponed is in our own form already."""
        if not isinstance(message, Delivery):
            return await super().open(message)
        correlation_id = message.headers.get("X-Correlation-Id")
        exchange, routing_key = message.exchange, message.routing_key
        if not exchange:
            # It came by the default exchange, as dead letters go back.
            exchange, routing_key = published_at(message.headers, self.queue)
        foreign = ForeignMessage(
            exchange=exchange,
            routing_key=routing_key,
            message_id=message.message_id or "",
            sent_at=message.sent_at,
            correlation_id=_text(correlation_id),
            content="",
        )
        try:
            if _deliveries(message.headers) >= DELIVERIES_MAX:
                raise DeliveredTooOften(f"the message was delivered {DELIVERIES_MAX} times without an answer")
            if not routing_key:
                raise PublishedNowhere(
                    "the message came by the default exchange, and does not say where it was published"
                )
            packed = self._packed(foreign, message.body, message.headers)
        except PlatformError as fault:
            await self._dead_letter_as_it_came(message.body, foreign, judge(fault, attempt=0), at=self._clock.now())
            return []
        return [(packed, received(packed, self._decoder))]

    def translated(self, letter: AbstractIncomingMessage) -> bytes:
        """Put a dead letter that is as its sender wrote it into our own form, in which it is handled again.

        Raises:
            PlatformError: when it still cannot be read.
        """
        exchange, routing_key = published_at(letter.headers, self.queue)
        if not routing_key:
            raise PublishedNowhere("the message does not say where it was published")
        foreign = ForeignMessage(
            exchange=exchange,
            routing_key=routing_key,
            message_id=letter.message_id or "",
            sent_at=letter.timestamp.timestamp() if letter.timestamp else 0.0,
            correlation_id=_text(letter.headers.get("X-Correlation-Id")),
            content="",
        )
        return encode_pack(self.name, [self._packed(foreign, letter.body, letter.headers)])

    def _packed(self, foreign: ForeignMessage, body: bytes, headers: Mapping[str, Any]) -> PackedEvent:
        if len(body) > BYTES_MAX:
            raise MessageTooLarge(f"the body has {len(body)} bytes; at most {BYTES_MAX} are read")
        whole = msgspec.structs.replace(foreign, content=_utf8(body))
        return self._pack(whole, self._read(whole), traceparent=_text(headers.get("traceparent")))

    def count(self, outcome: str, bodies: Sequence[ForeignMessage]) -> None:
        """Count what became of messages, by their routing keys too."""
        super().count(outcome, bodies)
        for body in bodies:
            self._count_partner(outcome, body)

    def _count_partner(self, outcome: str, foreign: ForeignMessage) -> None:
        known = foreign.routing_key if foreign.routing_key in self._known else _OTHER
        metrics.PARTNER_MESSAGES.labels(known, outcome).inc()

    async def dead_letter(self, packed: PackedEvent, verdict: Verdict) -> None:
        """Dead-letter an event: what was sent is kept as it came, not what we have made of it."""
        foreign = self._decoder.decode(packed.body)
        await self._dead_letter_as_it_came(foreign.content.encode(), foreign, verdict, at=packed.occurred_at)

    async def _dead_letter_as_it_came(
        self, body: bytes, foreign: ForeignMessage, verdict: Verdict, *, at: datetime
    ) -> None:
        known = {
            EXCHANGE_HEADER: foreign.exchange,
            KEY_HEADER: foreign.routing_key,
            "X-Correlation-Id": foreign.correlation_id,
        }
        headers = {name: value for name, value in known.items() if value}
        # Where its sender says no time, when it came: redriven, it must not pass for the latest.
        sent_at = foreign.sent_at or max(0.0, at.timestamp())
        self._count_partner("dead", foreign)
        await self._dead_letter(body, verdict, foreign.message_id or None, headers=headers, sent_at=sent_at)

    def _pack(self, foreign: ForeignMessage, reading: Reading, *, traceparent: str) -> PackedEvent:
        message_id = reading.message_id or foreign.message_id
        sent_at = 0.0 if message_id else foreign.sent_at
        digest = hashlib.sha256()
        for part in (foreign.routing_key, message_id, str(sent_at), foreign.content):
            digest.update(part.encode())
            digest.update(b"\0")
        # The time in the id only chooses the partition of the inbox, and has to be the same each time.
        at = reading.occurred_at or datetime.fromtimestamp(foreign.sent_at, UTC)
        return PackedEvent(
            id=derived_id(first_id(at), digest.hexdigest()),
            occurred_at=reading.occurred_at or (at if foreign.sent_at else self._clock.now()),
            tenant_id=reading.tenant_id,
            correlation_id=accept_correlation_id(foreign.correlation_id or reading.correlation_id),
            # What is longer is malformed, and the consumer's to refuse.
            traceparent=traceparent[:TRACEPARENT_CHARACTERS_MAX],
            body=msgspec.Raw(msgspec.json.encode(foreign)),
        )


def published_at(headers: Mapping[str, Any], queue: str) -> tuple[str, str]:
    """Return the exchange and the routing key of a dead letter of `queue`: as we noted them, else as the broker did.

    Both are empty where neither did.
    """
    if noted := _text(headers.get(KEY_HEADER)):
        return _text(headers.get(EXCHANGE_HEADER)), noted
    for death in _deaths(headers):
        keys = death.get("routing-keys")
        key = _text(keys[0]) if isinstance(keys, list) and keys else ""
        exchange = _text(death.get("exchange"))
        # By the default exchange the key is but a queue's name.
        if death.get("queue") == queue and key and exchange:
            return exchange, key
    return "", ""


def died_in(headers: Mapping[str, Any], queue: str) -> bool:
    """Whether the broker itself has taken a message out of `queue`."""
    return any(death.get("queue") == queue for death in _deaths(headers))


def _deliveries(headers: Mapping[str, Any]) -> int:
    """Count earlier deliveries by the headers in which the broker does: RabbitMQ 4 counts two kinds of them."""
    counts = [count for name in _COUNTS if isinstance(count := headers.get(name), int)]
    return max(counts, default=0)


def _deaths(headers: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    deaths = headers.get(_DEATHS_HEADER)
    return [death for death in deaths if isinstance(death, dict)] if isinstance(deaths, list) else ()


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value if isinstance(value, str) else ""


def _utf8(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as fault:
        raise Undecodable(f"the body is not UTF-8: {fault}") from fault
