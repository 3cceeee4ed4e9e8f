"""Reads one queue on a channel of its own. What the broker pushes is in somebody's hands or goes back; nothing between.

FastStream's subscribers are not used for this: see decision 18.
"""

import asyncio
from time import monotonic
from uuid import uuid4

import aio_pika
import msgspec
from aio_pika.abc import AbstractChannel
from aiormq import spec
from aiormq.abc import AbstractChannel as UnderlayChannel
from aiormq.abc import DeliveredMessage

from libs.common.messaging.delivery import Delivery, Taker
from libs.common.messaging.publisher import forgiving
from libs.common.observability import metrics
from libs.common.observability.logging import get_logger

log = get_logger("messaging.reader")

_CALL_SECONDS = 10.0
"""Deadline of one call to the broker."""
_OWN_QUEUE_MAX = 10_000
"""Bound of a queue that belongs to one process."""


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """A queue to read, and who takes its messages."""

    queue: str
    name: str
    """The queue's name in metrics, the same in every process."""
    taker: Taker
    prefetch: int
    is_own: bool = False
    """Whether the queue is this process's own: declared by its reader, exclusive, gone with the connection. The broker knows it by
    another name on each connection: it may take the one before for open, with its queue, when the next is made."""
    binding: tuple[str, str] | None = None
    """The exchange and routing key that an own queue is bound to."""


class Reader:
    """Consumes one queue for as long as its channel lives, and knows each message that it has not settled yet."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription
        self._channel: UnderlayChannel | None = None
        self._tag = ""
        self._reads = asyncio.Event()
        self._ended = asyncio.Event()
        self._is_stopping = False
        self._held: dict[int, Delivery] = {}
        self._last_tag = 0
        self._lost_since: float | None = None
        metrics.CONSUMERS.labels(subscription.name).set(0)
        # Read when somebody looks: nothing is counted with every message.
        metrics.UNACKNOWLEDGED.labels(subscription.name).set_function(lambda: self.held)
        metrics.UNACKNOWLEDGED_OLDEST.labels(subscription.name).set_function(lambda: self.held_seconds)

    @property
    def queue(self) -> str:
        """The queue that is read."""
        return self._subscription.queue

    @property
    def is_own(self) -> bool:
        """Whether the queue belongs to this process."""
        return self._subscription.is_own

    @property
    def name(self) -> str:
        """The queue's name in metrics."""
        return self._subscription.name

    @property
    def consumer(self) -> str:
        """What the broker calls this consumer; empty while there is none."""
        return self._tag

    async def until_it_reads(self) -> None:
        """Wait until the queue is consumed."""
        await self._reads.wait()

    @property
    def held(self) -> int:
        """How many messages are unacknowledged here."""
        return len(self._held)

    @property
    def held_seconds(self) -> float:
        """For how long the oldest of them is here; they are in the order of their arrival."""
        oldest = next(iter(self._held.values()), None)
        return 0.0 if oldest is None else max(0.0, monotonic() - oldest.arrived_at)

    async def read(self, connection: aio_pika.abc.AbstractConnection) -> None:
        """Consume until the channel or the consumer is gone; whatever was not settled then comes again.

        Raises:
            Exception: an outage by `outages.classify`, when the broker refuses, or is away.
        """
        async with asyncio.timeout(_CALL_SECONDS):
            channel = await connection.channel(publisher_confirms=False)
        try:
            underlay = await self._consume(channel)
            await self._until_ended(underlay)
        finally:
            self._set_consumer("")
            self._held.clear()
            # A closed channel gives back what it held, whatever the reason for its end was.
            async with forgiving(), asyncio.timeout(_CALL_SECONDS):
                await channel.close()

    async def _consume(self, channel: AbstractChannel) -> UnderlayChannel:
        subscription = self._subscription
        name = subscription.queue
        if subscription.is_own:
            # As its user may name it: the same up to the last dot, and 32 hexadecimal digits.
            name = f"{name.rpartition('.')[0]}.{uuid4().hex}"
        await channel.set_qos(prefetch_count=subscription.prefetch, timeout=_CALL_SECONDS)
        if subscription.is_own:
            queue = await channel.declare_queue(
                name,
                exclusive=True,
                auto_delete=True,
                arguments={"x-max-length": _OWN_QUEUE_MAX},
                timeout=_CALL_SECONDS,
            )
            if subscription.binding is not None:
                await queue.bind(*subscription.binding, timeout=_CALL_SECONDS)
        underlay = await channel.get_underlay_channel()
        self._channel = underlay
        self._ended.clear()
        self._held.clear()
        self._last_tag, self._lost_since = 0, None
        underlay.on_consumer_cancel_callbacks.add(self._on_cancel)
        # The driver knows the callback before it sends the call, so the first message already finds its taker.
        answer = await underlay.basic_consume(name, self._on_message, timeout=_CALL_SECONDS)
        self._set_consumer(answer.consumer_tag or "")
        if self._is_stopping:
            await self.stop()
        return underlay

    async def _until_ended(self, underlay: UnderlayChannel) -> None:
        ended = asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait({ended, underlay.closing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()

    async def _on_message(self, message: DeliveredMessage) -> None:
        now = asyncio.get_running_loop().time()
        tag = message.delivery_tag or 0
        if tag != self._last_tag + 1:
            # The broker numbers what it pushes on a channel: what is missing was lost in the driver.
            self._lost_since = self._lost_since or now
        self._last_tag = tag
        delivery = Delivery(message, tag=tag, arrived_at=now, on_settled=self._on_settled)
        self._held[tag] = delivery
        await self._subscription.taker.take(delivery)

    def _on_settled(self, delivery: Delivery) -> None:
        if self._held.get(delivery.tag) is delivery:
            del self._held[delivery.tag]

    def _on_cancel(self, _: spec.Basic.Cancel) -> None:
        log.warning("consumer.cancelled", queue=self.queue)
        self.end()

    def end(self) -> None:
        """Give the channel up; all that it holds comes again, on the next one."""
        self._ended.set()

    def forgotten(self, *, older_than: float) -> int:
        """Count what arrived before an instant of the loop's clock and is neither settled nor in anybody's hands."""
        taker = self._subscription.taker
        found = sum(1 for held in self._held.values() if held.arrived_at < older_than and not taker.works_on(held))
        return found + (self._lost_since is not None and self._lost_since < older_than)

    async def stop(self) -> None:
        """Take nothing more. What has arrived until the broker agrees is handled like the rest, and may be acknowledged."""
        self._is_stopping = True
        tag, channel = self._tag, self._channel
        if not tag or channel is None or channel.is_closed:
            return
        self._set_consumer("")
        await channel.basic_cancel(tag, timeout=_CALL_SECONDS)

    def _set_consumer(self, tag: str) -> None:
        self._tag = tag
        if tag:
            self._reads.set()
        else:
            self._reads.clear()
        metrics.CONSUMERS.labels(self.name).set(1 if tag else 0)
