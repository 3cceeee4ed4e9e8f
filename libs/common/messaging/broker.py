"""The two connections of one process to RabbitMQ: one publishes, the other consumes.

Two, since a broker that is short of memory or disk reads nothing more from a connection that publishes, and what has
been handled must be acknowledged all the same.
"""

from collections.abc import Sequence
from typing import Any

from libs.common.errors import Unavailable
from libs.common.messaging.consuming import Consuming
from libs.common.messaging.delivery import Taker
from libs.common.messaging.frames import PublicMessage
from libs.common.messaging.publisher import Publisher, forgiving
from libs.common.messaging.reader import Subscription
from libs.common.messaging.topology import Topology

__all__ = ["Broker", "forgiving"]


class Broker:
    """What one service receives and publishes over RabbitMQ."""

    def __init__(
        self, url: str, *, name: str, idle_max_seconds: float = 10.0, declare_every_seconds: float = 5.0
    ) -> None:
        self._publisher = Publisher(url, name=name)
        self._consuming = Consuming(
            url, name=name, idle_max_seconds=idle_max_seconds, declare_every_seconds=declare_every_seconds
        )
        self._is_started = False

    @property
    def is_started(self) -> bool:
        """Whether both connections have been made; from then on they are made again by themselves."""
        return self._is_started

    @property
    def is_open(self) -> bool:
        """Whether the connection that publishes is there now."""
        return self._publisher.is_open

    @property
    def answers(self) -> bool:
        """Whether what is published now is likely to be confirmed at once; see `Publisher.answers`."""
        return self._publisher.answers

    @property
    def blocked(self) -> str:
        """Why the broker takes no messages for now; empty while it does."""
        return self._publisher.blocked

    def subscribe(
        self,
        queue: str,
        taker: Taker,
        *,
        prefetch: int,
        name: str = "",
        exclusive: bool = False,
        binding: tuple[str, str] | None = None,
    ) -> None:
        """Give every message of `queue` to `taker`, which must acknowledge it. To be called before `start`.

        An `exclusive` queue is this process's own and goes with it; `binding` is the exchange and routing key it is bound to,
        `name` what metrics call it.
        """
        self._consuming.add(
            Subscription(
                queue=queue, name=name or queue, taker=taker, prefetch=prefetch, is_own=exclusive, binding=binding
            )
        )

    async def start(self, topology: Topology) -> None:
        """Connect, declare the topology and begin to consume.

        Raises:
            Unavailable: when the broker does not answer.
            TopologyConflict: when the broker holds something of the same name with other arguments.
        """
        if not self._publisher.is_connected:
            # First, since what is consumed may have to be published again as a dead letter.
            await self._publisher.start()
        await self._consuming.start(topology)
        self._is_started = True

    async def until_reads(self, queue: str) -> None:
        """Wait until a queue that was subscribed to is consumed; see `Consuming.until_reads`."""
        await self._consuming.until_reads(queue)

    async def stop_consuming(self) -> None:
        """Take no further message; what has arrived may still be acknowledged."""
        await self._consuming.stop_reading()

    async def stop(self) -> None:
        """Close the connections; what was not acknowledged goes back to its queue."""
        await self._consuming.stop()
        await self._publisher.stop()

    async def publish(
        self,
        body: bytes,
        *,
        exchange: str,
        routing_key: str,
        mandatory: bool = True,
        persist: bool = True,
        **properties: Any,
    ) -> None:
        """Publish one message and wait for the broker's confirm; see `Publisher.publish`."""
        await self._publisher.publish(
            body, exchange=exchange, routing_key=routing_key, mandatory=mandatory, persist=persist, **properties
        )

    async def publish_all(self, messages: Sequence[PublicMessage]) -> list[BaseException | None]:
        """Publish messages for other teams; see `Publisher.publish_all`."""
        return await self._publisher.publish_all(messages)

    @property
    def trouble(self) -> str:
        """What is wrong, in words for an operator; empty when messages go both ways."""
        if not self._is_started:
            return self._consuming.conflict or "not connected"
        if self._publisher.blocked:
            return f"blocked: {self._publisher.blocked}"
        return self._consuming.trouble

    async def ping(self) -> None:
        """Make sure that messages go both ways.

        Raises:
            Unavailable: when they do not, with the reason.
        """
        if self._is_started:
            await self._publisher.probe()
        if self.trouble:
            raise Unavailable(f"RabbitMQ: {self.trouble}")
