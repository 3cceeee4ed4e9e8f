"""One AMQP message that the broker has pushed, from its arrival until the broker knows what became of it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from aiormq.abc import AbstractChannel, DeliveredMessage

from libs.common.errors import Unavailable

_CALL_SECONDS = 10.0
"""Deadline of one call to the broker."""


class Delivery:
    """A message as it was pushed. Nothing of it is decoded here, so that no property of it can make it disappear."""

    __slots__ = ("_channel", "_is_settled", "_message", "_on_settled", "arrived_at", "tag")

    def __init__(
        self, message: DeliveredMessage, *, tag: int, arrived_at: float, on_settled: Callable[["Delivery"], None]
    ) -> None:
        self._message = message
        self._channel: AbstractChannel = message.channel
        self._on_settled = on_settled
        self._is_settled = False
        self.tag = tag
        self.arrived_at = arrived_at
        """The time of the event loop's clock."""

    @property
    def body(self) -> bytes:
        """The body as it was sent."""
        return self._message.body

    @property
    def headers(self) -> Mapping[str, Any]:
        """The headers as they were sent."""
        return self._message.header.properties.headers or {}

    @property
    def message_id(self) -> str | None:
        """Identifies the message, if its sender named it."""
        return self._message.header.properties.message_id

    @property
    def message_type(self) -> str:
        """The name of the contract."""
        return self._message.header.properties.message_type or ""

    @property
    def exchange(self) -> str:
        """The exchange to which it was published."""
        return self._message.exchange or ""

    @property
    def routing_key(self) -> str:
        """The routing key with which it was published."""
        return self._message.routing_key or ""

    @property
    def sent_at(self) -> float:
        """When its sender says it was sent, in seconds since 1970; 0 where it says nothing."""
        timestamp = self._message.header.properties.timestamp
        return 0.0 if timestamp is None else timestamp.timestamp()

    @property
    def correlation_id(self) -> str:
        """Ties a reply to its request."""
        return self._message.header.properties.correlation_id or ""

    @property
    def reply_to(self) -> str:
        """Where a reply goes."""
        return self._message.header.properties.reply_to or ""

    @property
    def expires_at(self) -> float | None:
        """When its sender has stopped waiting at the latest, by the event loop's clock; None where it waits for ever."""
        milliseconds = self._message.header.properties.expiration or ""
        return self.arrived_at + int(milliseconds) / 1000 if milliseconds.isdecimal() else None

    @property
    def is_current(self) -> bool:
        """Whether it can still be acknowledged; with its channel closed it comes again, and nothing is lost by leaving it."""
        return not self._is_settled and not self._channel.is_closed

    async def left_in(self, queue: str) -> int:
        """Count the messages of its queue that the broker has pushed to nobody."""
        answer = await self._channel.queue_declare(queue, passive=True, timeout=_CALL_SECONDS)
        return answer.message_count or 0

    async def ack(self) -> None:
        """Tell the broker that it is done."""
        await self._settle(lambda: self._channel.basic_ack(self.tag))

    async def hand_back(self) -> None:
        """Let the broker deliver it again, to this process or to another; after too many times it becomes a dead letter."""
        await self._settle(lambda: self._channel.basic_nack(self.tag, requeue=True))

    async def _settle(self, publish: Callable[[], Awaitable[None]]) -> None:
        if self._is_settled:
            return
        if self._channel.is_closed:
            raise Unavailable("the channel is closed; the message comes again")
        await publish()
        self._is_settled = True
        self._on_settled(self)


class Incoming(Protocol):
    """What a consumer takes and settles: a message, or one event of it."""

    @property
    def body(self) -> bytes:
        """The body as it was sent."""

    @property
    def message_id(self) -> str | None:
        """Identifies the message, if its sender named it."""

    @property
    def is_current(self) -> bool:
        """Whether it can still be acknowledged."""

    async def ack(self) -> None:
        """Tell the broker that it is done."""

    async def hand_back(self) -> None:
        """Let the broker deliver it again."""


class Taker(Protocol):
    """Whoever takes the messages of one queue."""

    async def take(self, message: Delivery) -> None:
        """Accept one message, at once; it is acknowledged later."""

    def works_on(self, message: Delivery) -> bool:
        """Whether an accepted message is still waiting or being handled here; if not, it must have been settled."""
