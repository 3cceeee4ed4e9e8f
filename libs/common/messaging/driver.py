"""What is changed of the AMQP driver, aiormq: how many turns of the loop it takes, and what it says of a lost connection."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def lost_not_cancelled() -> Iterator[None]:
    """Tell a connection that was lost from a task that was cancelled.

    To whoever waits at a connection that it closes after a silence, the driver raises `CancelledError`. Nothing catches
    that in between, so a task that is to last for the life of the process would end without a word.

    Raises:
        ConnectionResetError: in its place, when nobody has cancelled the current task.
    """
    try:
        yield
    except asyncio.CancelledError as fault:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise _lost() from fault


def outcome_of(confirm: "asyncio.Future[object]") -> BaseException | None:
    """Return what became of a message by its confirm, which is done: nothing when the broker has it."""
    fault = confirm.exception()
    return _lost() if isinstance(fault, asyncio.CancelledError) else fault


def _lost() -> ConnectionResetError:
    return ConnectionResetError("the connection to RabbitMQ was closed")
