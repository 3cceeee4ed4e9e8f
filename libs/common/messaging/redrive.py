"""Sending dead letters back to the queue in which they died, once the cause is gone."""

import asyncio
from typing import Any

import aio_pika
import msgspec
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue
from aio_pika.exceptions import ChannelNotFoundEntity, DeliveryError

from libs.common.errors import NotFound, PlatformError, Unavailable
from libs.common.messaging.connections import connected
from libs.common.messaging.foreign import EXCHANGE_HEADER, KEY_HEADER, died_in, published_at
from libs.common.messaging.letters import events_of, walk
from libs.common.messaging.topology import dead_queue, postponed_queue
from libs.common.outages import is_outage

LETTERS_MAX = 10_000
"""Dead letters that one run sends back at most."""
_CONNECT_SECONDS = 5.0
_KEPT = frozenset({"traceparent", "X-Correlation-Id", "X-Tenant-Id", EXCHANGE_HEADER, KEY_HEADER})
"""Headers that a letter has again."""
_STEP_SECONDS = 10.0


class Redriven(msgspec.Struct, frozen=True, kw_only=True):
    """What a run did."""

    moved: int
    """Letters that went back to their queue."""
    returned: int
    """Letters that lay in the dead-letter queue again at the end, beyond those that were left over."""
    left: int
    """Letters that were there at the start and were not taken, since a run is bounded."""


async def redrive(url: str, queue: str, *, limit: int = LETTERS_MAX, event_id: str = "") -> Redriven:
    """Move the dead letters that `queue` has now, at most `limit`, back into it, oldest first, as if new.

    With `event_id` only the letter with this event, if it is one of them. What the broker has taken out of its postponed events goes
    back to those.

    Each is acknowledged only after the broker has confirmed its copy. A letter that dies again meanwhile is not taken again.

    Raises:
        NotFound: when there is no such queue.
        Unavailable: when the broker does not answer, or the queue takes no more.
    """
    try:
        async with connected(url, timeout_seconds=_CONNECT_SECONDS) as connection:
            async with asyncio.timeout(_STEP_SECONDS):
                channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            if event_id:
                return await _redrive_one(channel, queue, event_id, limit=limit)
            return await _redrive(channel, queue, limit=limit)
    except ChannelNotFoundEntity as fault:
        raise NotFound(f"there is no queue '{dead_queue(queue)}'; a queue is named <service>.<message>") from fault
    except DeliveryError as fault:
        raise Unavailable(f"the queue '{queue}' does not take the letter: it is missing or full") from fault
    except Exception as fault:
        if isinstance(fault, PlatformError) or not is_outage(fault):
            raise
        raise Unavailable("RabbitMQ does not answer") from fault


async def _redrive(channel: AbstractChannel, queue: str, *, limit: int) -> Redriven:
    async with asyncio.timeout(_STEP_SECONDS):
        source = await channel.get_queue(dead_queue(queue))
    at_start = await _count(channel, queue)
    moved = 0
    for _ in range(min(at_start, limit)):
        if not await _move_one(channel, source, queue):
            break
        moved += 1
    left = at_start - moved
    return Redriven(moved=moved, returned=max(0, await _count(channel, queue) - left), left=left)


async def _redrive_one(channel: AbstractChannel, queue: str, event_id: str, *, limit: int) -> Redriven:
    at_start = await _count(channel, queue)
    moved = 0

    async def take(message: AbstractIncomingMessage) -> bool:
        nonlocal moved
        if all(letter.event_id != event_id for letter in events_of(message)):
            return False
        await _move(channel, message, queue)
        moved = 1
        return True

    name = dead_queue(queue)
    await walk(channel, name, limit=min(at_start, limit), take=take, renewed_by=("", name))
    return Redriven(moved=moved, returned=0, left=at_start - moved)


async def _count(channel: AbstractChannel, queue: str) -> int:
    declared = await channel.declare_queue(dead_queue(queue), passive=True, timeout=_STEP_SECONDS)
    return declared.declaration_result.message_count or 0


async def _move_one(channel: AbstractChannel, source: AbstractQueue, queue: str) -> bool:
    dead = await source.get(fail=False, timeout=_STEP_SECONDS)
    if dead is None:
        return False
    await _move(channel, dead, queue)
    return True


async def _move(channel: AbstractChannel, dead: AbstractIncomingMessage, queue: str) -> None:
    """Put a letter back, and take it out once the broker has the copy."""
    kept: dict[str, Any] = {name: value for name, value in dead.headers.items() if name in _KEPT}
    exchange, routing_key = published_at(dead.headers, queue)
    if routing_key:
        kept |= {EXCHANGE_HEADER: exchange, KEY_HEADER: routing_key}
    # What was postponed is in our own form, and another team's queue has none of those.
    postponed = postponed_queue(queue)
    target = postponed if died_in(dead.headers, postponed) else queue
    await channel.default_exchange.publish(
        aio_pika.Message(
            dead.body,
            message_id=dead.message_id,
            type=dead.type,
            timestamp=dead.timestamp,
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            headers=kept | {"x-redriven": True},
        ),
        routing_key=target,
        mandatory=True,
        timeout=_STEP_SECONDS,
    )
    await dead.ack()
