"""A topology in one write: at the start of a process, and again every few seconds, so that what somebody has deleted comes back.

Name by name that is a round trip for each of 150 to 220 exchanges, queues and bindings of a service: more than half of what four
services, and two thirds of what RabbitMQ did in an idle system (docs/performance.md). Here it is one write of what the service
owns, which the broker does not answer name by name, and one question after it, which it answers once it has worked on all of
it; where it refuses something, it closes the channel.
"""

from collections.abc import Iterator

import aiormq
from aio_pika.abc import AbstractChannel
from aiormq.abc import ChannelFrame
from pamqp.commands import Exchange, Queue

from libs.common.errors import BrokenInvariant
from libs.common.messaging.topology import Topology

type _Method = Exchange.Declare | Queue.Declare | Queue.Bind


class Declaration:
    """What a service declares again: its own exchanges, queues and bindings, and `payments.x` where it may. Those of others are theirs
    to bring back, and what is bound to them comes back name by name."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._channel = 0
        self._written = b""
        """As it is written on the channel of that number; a connection uses its numbers again."""

    async def whole(self, channel: AbstractChannel) -> None:
        """Declare what is the service's own, and look whether what belongs to others is there.

        Raises:
            aiormq.exceptions.AMQPChannelError: when the broker refuses any of it, or something is missing; `declare` says what.
        """
        underlay = await _underlay(channel)
        await _write(underlay, _marshalled(underlay, _methods(self._topology, is_whole=True)))

    async def repeat(self, channel: AbstractChannel) -> None:
        """Declare everything, whether it is there or not.

        Raises:
            aiormq.exceptions.AMQPChannelError: when the broker refuses any of it, and so what comes after it; `declare` says what.
        """
        underlay = await _underlay(channel)
        if self._channel != underlay.number:
            self._written = _marshalled(underlay, _methods(self._topology, is_whole=False))
            self._channel = underlay.number
        await _write(underlay, self._written)


async def _underlay(channel: AbstractChannel) -> aiormq.Channel:
    underlay = await channel.get_underlay_channel()
    if not isinstance(underlay, aiormq.Channel):
        raise BrokenInvariant("the driver's channel is not that of aiormq")
    return underlay


def _marshalled(underlay: aiormq.Channel, methods: Iterator[_Method]) -> bytes:
    return ChannelFrame.marshall(underlay.number, methods).payload


async def _write(underlay: aiormq.Channel, written: bytes) -> None:
    """Write it, and wait until the broker has worked on all of it."""
    async with underlay.lock:
        await underlay.write_queue.put(ChannelFrame(payload=written, should_close=False))
    await underlay.basic_qos()


def _methods(topology: Topology, *, is_whole: bool) -> Iterator[_Method]:
    for name, kind in topology.exchanges:
        if topology.brings_back(name):
            yield Exchange.Declare(exchange=name, exchange_type=kind.value, durable=True, nowait=True)
        elif is_whole:
            yield Exchange.Declare(exchange=name, passive=True, nowait=True)
    for queue in topology.queues:
        if is_whole and not topology.owns(queue.name):
            yield Queue.Declare(queue=queue.name, passive=True, nowait=True)
        if topology.owns(queue.name):
            yield Queue.Declare(queue=queue.name, durable=True, nowait=True, arguments=dict(queue.arguments))
            for exchange, key in queue.bindings:
                # Another team's exchange may be missing, and the broker then refuses all that follows: `declare` binds to those.
                if is_whole or not queue.setting or topology.brings_back(exchange):
                    yield Queue.Bind(queue=queue.name, exchange=exchange, routing_key=key, nowait=True)
