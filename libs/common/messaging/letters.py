"""Looking at dead letters without taking them: how many wait where, since when and why, and which payments they are about."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import aio_pika
import msgspec
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import ChannelNotFoundEntity, DeliveryError

from libs.common.errors import Undecodable
from libs.common.messaging.connections import connected
from libs.common.messaging.envelope import decode_pack
from libs.common.messaging.topology import dead_exchange, dead_queue, topology

_SECONDS = 5.0
"""Deadline of each step."""
_LOOKS_MAX = 10
"""How often one letter is taken and given back; then a copy takes its place, whose deliveries are counted from zero.

RabbitMQ 4 drops a message at 20 deliveries where the queue sets no limit, and a dead letter has nowhere else to go."""


_COUNTS = frozenset({"x-delivery-count", "x-acquired-count"})
"""Headers in which the broker counts deliveries."""


class _Subject(msgspec.Struct, frozen=True):
    """What the body of a message may name."""

    payment_intent_id: str = ""
    refund_id: str = ""


_SUBJECT = msgspec.json.Decoder(_Subject)


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """One event that could not be handled."""

    event_id: str
    payment_intent_id: str = ""
    refund_id: str = ""
    reason: str
    """Why, as a stable word."""
    detail: str = ""
    """A sentence that goes with it."""
    failed_at: datetime | None = None
    """When it was dead-lettered; None where neither we nor the broker noted it."""


class DeadQueue(msgspec.Struct, frozen=True, kw_only=True):
    """The dead letters of one queue."""

    queue: str
    """The queue in which they were to be handled: what `redrive` is given."""
    count: int
    """How many messages wait."""
    letters: list[DeadLetter] = []
    """The events of the oldest ones, as far as they were read."""


async def dead_letters(url: str, service: str, *, limit: int, more: Sequence[str] = ()) -> list[DeadQueue]:
    """Count the dead letters of a service, and read the events of at most `limit` messages of each queue.

    `more` are its queues that are named by settings.
    """
    names = sorted(queue.name for queue in topology(service).queues)
    own = [name for name in names if name.startswith(f"{service}.") and name.endswith(".dead")]
    own += [dead_queue(name) for name in more]
    async with connected(url, timeout_seconds=_SECONDS) as connection:
        found = [await _look(connection, service, name, limit=limit) for name in own]
    return [queue for queue in found if queue.count]


async def _look(connection: AbstractConnection, service: str, name: str, *, limit: int) -> DeadQueue:
    queue = name.removesuffix(".dead")
    # A channel for each: the broker closes it where the queue is missing.
    async with asyncio.timeout(_SECONDS):
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
    try:
        declared = await channel.declare_queue(name, passive=True, timeout=_SECONDS)
        count = declared.declaration_result.message_count or 0
        letters = await _read(channel, service, name, limit=min(limit, count))
    except ChannelNotFoundEntity:
        return DeadQueue(queue=queue, count=0)
    finally:
        if not channel.is_closed:
            async with asyncio.timeout(_SECONDS):
                await channel.close()
    return DeadQueue(queue=queue, count=count, letters=letters)


async def _read(channel: AbstractChannel, service: str, name: str, *, limit: int) -> list[DeadLetter]:
    letters: list[DeadLetter] = []

    async def note(message: AbstractIncomingMessage) -> bool:
        letters.extend(events_of(message))
        return False

    way = (dead_exchange(service), name.removesuffix(".dead"))
    await walk(channel, name, limit=limit, take=note, renewed_by=way)
    return letters


async def walk(
    channel: AbstractChannel,
    name: str,
    *,
    limit: int,
    take: Callable[[AbstractIncomingMessage], Awaitable[bool]],
    renewed_by: tuple[str, str],
    is_done: Callable[[], bool] = lambda: False,
) -> None:
    """Show the oldest letters of a dead-letter queue to `take`, until it has taken one out; the others stay.

    `take` returns True where it has acknowledged the letter. `renewed_by` is the exchange and the routing key by which a copy
    comes into the queue. `is_done` says after each letter whether the next ones need not be shown.
    """
    queue = await channel.get_queue(name, ensure=False)
    last = None
    for _ in range(limit):
        message = await queue.get(fail=False, timeout=_SECONDS)
        if message is None or await take(message):
            break
        deliveries = message.headers.get("x-delivery-count", 0)
        is_worn = isinstance(deliveries, int) and deliveries >= _LOOKS_MAX
        if not (is_worn and await _renew(channel, message, *renewed_by)):
            last = message
        if is_done():
            break
    if last is not None and last.delivery_tag is not None:
        await (await channel.get_underlay_channel()).basic_nack(last.delivery_tag, multiple=True, requeue=True)


async def _renew(
    channel: AbstractChannel, message: AbstractIncomingMessage, exchange_name: str, routing_key: str
) -> bool:
    """Put a copy of a letter at the end of its queue, and take the letter out once the broker has the copy.

    Returns whether it did: a full queue takes no copy.
    """
    copy = aio_pika.Message(
        message.body,
        message_id=message.message_id,
        type=message.type,
        # Of another team's message it may be the only word of when it was sent.
        timestamp=message.timestamp,
        content_type=message.content_type,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        headers={key: value for key, value in message.headers.items() if key not in _COUNTS},
    )
    try:
        exchange = (
            await channel.get_exchange(exchange_name, ensure=False) if exchange_name else channel.default_exchange
        )
        await exchange.publish(copy, routing_key=routing_key, mandatory=True, timeout=_SECONDS)
    except DeliveryError:
        return False
    await message.ack()
    return True


def events_of(message: AbstractIncomingMessage) -> Iterable[DeadLetter]:
    """Read the events of a dead letter, and why and when it was dead-lettered."""
    reason, detail = (str(message.headers.get(name, "")) for name in ("x-reason", "x-detail"))
    found = _events(message.body, reason=reason, message_id=message.message_id)
    at = failed_at(message.headers)
    return [msgspec.structs.replace(letter, detail=detail, failed_at=at) for letter in found]


def failed_at(headers: Mapping[str, Any]) -> datetime | None:
    """Read when we dead-lettered a message, else when the broker took it out of its queue."""
    try:
        return datetime.fromisoformat(str(headers.get("x-failed-at", "")))
    except ValueError:
        deaths = headers.get("x-death")
        death = deaths[0] if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict) else {}
        at = death.get("time")
        return at.replace(tzinfo=at.tzinfo or UTC) if isinstance(at, datetime) else None


def _events(body: bytes, *, reason: str, message_id: str | None = None) -> Iterable[DeadLetter]:
    try:
        packed = decode_pack(body).events
    except Undecodable:
        # Another team's, as it came, or broken.
        if message_id:
            yield DeadLetter(event_id=message_id, reason=reason)
        return
    for event in packed:
        try:
            subject = _SUBJECT.decode(event.body)
        except msgspec.DecodeError:
            subject = _Subject()
        yield DeadLetter(
            event_id=str(event.id),
            payment_intent_id=subject.payment_intent_id,
            refund_id=subject.refund_id,
            reason=reason,
        )
