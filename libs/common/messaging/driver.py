"""What is changed of the AMQP driver, aiormq: in a busy process a turn of the loop takes milliseconds, and it took many."""

from functools import partial, partialmethod

import aiormq
from aio_pika.abc import AbstractChannel

FRAMES_MAX = 1024
"""Frames that a connection has in line, either way. With the driver's ten a channel reads ten confirms, or three messages of
three frames, in two turns: RabbitMQ confirms each message by itself, and 128 confirms took 26 turns. What may be in line is
bounded by what is published at a time, and by each queue's prefetch."""

aiormq.Connection.FRAME_BUFFER_SIZE = FRAMES_MAX
aiormq.Connection.channel = partialmethod(  # type: ignore[method-assign, assignment]
    aiormq.Connection.channel, frame_buffer_size=FRAMES_MAX
)


def send_without_turns(channel: AbstractChannel) -> None:
    """Let publishes of one channel follow each other without a turn of the loop each.

    The driver holds the channel's lock until the frame it has queued is written, which takes two or three turns of the
    loop a message: a busy process published 300 messages a second and had half of its core to spare. Without that wait,
    the driver's queue of frames is the bound, and every message is still confirmed by the broker.
    """
    opened = channel.get_underlay_channel

    async def underlay() -> aiormq.abc.AbstractChannel:
        found = await opened()
        if isinstance(found, aiormq.Channel) and "basic_publish" not in vars(found):
            found.basic_publish = partial(found.basic_publish, wait=False)  # type: ignore[method-assign]
        return found

    channel.get_underlay_channel = underlay  # type: ignore[method-assign]
