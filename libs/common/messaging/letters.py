"""Looking at dead letters without taking them: how many wait where, and which payments they are about."""

from collections.abc import Iterable

import aio_pika
import msgspec
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity

from libs.common.errors import Undecodable
from libs.common.messaging.envelope import decode_pack
from libs.common.messaging.topology import topology

_SECONDS = 5.0
"""Deadline of each step."""
_LOOKS_MAX = 10
"""How often one letter is taken and given back at most: RabbitMQ 4 drops a message of a quorum queue at 20 deliveries."""


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


class DeadQueue(msgspec.Struct, frozen=True, kw_only=True):
    """The dead letters of one queue."""

    queue: str
    """The queue in which they were to be handled: what `redrive` is given."""
    count: int
    """How many messages wait."""
    letters: list[DeadLetter] = []
    """The events of the oldest ones, as far as they were read."""


async def dead_letters(url: str, service: str, *, limit: int) -> list[DeadQueue]:
    """Count the dead letters of a service, and read the events of at most `limit` messages of each queue."""
    names = sorted(queue.name for queue in topology(service).queues)
    own = [name for name in names if name.startswith(f"{service}.") and name.endswith(".dead")]
    connection = await aio_pika.connect(url, timeout=_SECONDS)
    async with connection:
        found = [await _look(connection, name, limit=limit) for name in own]
    return [queue for queue in found if queue.count]


async def _look(connection: AbstractConnection, name: str, *, limit: int) -> DeadQueue:
    queue = name.removesuffix(".dead")
    # A channel for each: the broker closes it where the queue is missing.
    channel = await connection.channel()
    try:
        declared = await channel.declare_queue(name, passive=True, timeout=_SECONDS)
        count = declared.declaration_result.message_count or 0
        letters = await _read(channel, name, limit=min(limit, count))
    except ChannelNotFoundEntity:
        return DeadQueue(queue=queue, count=0)
    finally:
        if not channel.is_closed:
            await channel.close()
    return DeadQueue(queue=queue, count=count, letters=letters)


async def _read(channel: AbstractChannel, name: str, *, limit: int) -> list[DeadLetter]:
    queue = await channel.get_queue(name, ensure=False)
    letters: list[DeadLetter] = []
    last = None
    for _ in range(limit):
        message = await queue.get(fail=False, timeout=_SECONDS)
        if message is None:
            break
        last = message
        letters += _events(message.body, reason=str(message.headers.get("x-reason", "")))
        deliveries = message.headers.get("x-delivery-count", 0)
        if isinstance(deliveries, int) and deliveries >= _LOOKS_MAX:
            break
    if last is not None and last.delivery_tag is not None:
        await (await channel.get_underlay_channel()).basic_nack(last.delivery_tag, multiple=True, requeue=True)
    return letters


def _events(body: bytes, *, reason: str) -> Iterable[DeadLetter]:
    try:
        packed = decode_pack(body).events
    except Undecodable:
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
