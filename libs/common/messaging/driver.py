"""What is changed of the AMQP driver, aiormq: how many turns of the loop it takes, when it closes a silent connection, what it
says of a lost one, and that no property of a message ends one."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial, partialmethod
from typing import Any

import aiormq
import pamqp.decode
from aio_pika.abc import AbstractChannel
from aiormq.abc import ChannelFrame
from pamqp.common import FieldValue
from pamqp.heartbeat import Heartbeat

FRAMES_MAX = 1024
"""Frames that a connection has in line, either way. With the driver's ten a channel reads ten confirms, or three messages of
three frames, in two turns: RabbitMQ confirms each message by itself, and 128 confirms took 26 turns. What may be in line is
bounded by what is published at a time, and by each queue's prefetch."""

aiormq.Connection.FRAME_BUFFER_SIZE = FRAMES_MAX
aiormq.Connection.channel = partialmethod(  # type: ignore[method-assign, assignment]
    aiormq.Connection.channel, frame_buffer_size=FRAMES_MAX
)


def _short_str(value: bytes) -> tuple[int, str]:
    """Read a short string of a frame; bytes that are no UTF-8 are replaced.

    The driver raises where it reads frames: the connection ends, with every queue on it, the message comes again, and nothing is
    consumed any more. Other teams may send whatever they like.
    """
    end = value[0] + 1
    return end, value[1:end].decode(errors="replace")


def _timestamp(value: bytes) -> tuple[int, datetime]:
    """Read a timestamp of a frame; one that no calendar has is the start of 1970, as if there were none."""
    try:
        return _read_timestamp(value)
    except (ValueError, OverflowError, OSError):
        return 8, datetime.fromtimestamp(0, UTC)


def _table(value: bytes) -> tuple[int, dict[str, FieldValue]]:
    """Read a table of headers; one with a name that is no UTF-8, or nested too deeply, is as if it were empty."""
    try:
        return _read_table(value)
    except (ValueError, RecursionError):
        return 4 + int.from_bytes(value[:4]), {}


_read_table = pamqp.decode.field_table
_read_timestamp = pamqp.decode.timestamp
pamqp.decode.short_str = pamqp.decode.METHODS["shortstr"] = _short_str
pamqp.decode.METHODS["timestamp"] = pamqp.decode.TABLE_MAPPING[b"T"] = _timestamp
pamqp.decode.METHODS["table"] = pamqp.decode.TABLE_MAPPING[b"F"] = _table


async def _beat(connection: Any) -> None:
    """Send a heartbeat every second or so, and end a connection to which nothing came for two heartbeats.

    The driver waits for three, and one second each more: for three minutes with its own heartbeat of a minute. And it goes by the
    time since the last frame, so a process that was suspended, or whose loop was blocked, closes a connection whose frames it has
    only to read. Here turns of this loop are counted, in each of which frames are read too.
    """
    seconds = connection.heartbeat_timeout
    pause = max(1, seconds // 3)
    heartbeat = ChannelFrame.marshall(frames=[Heartbeat()], channel_number=0)
    # The driver logs it, and closes in that time.
    connection._Connection__heartbeat_grace_timeout = 2 * seconds
    last, silent = 0.0, 0
    while not connection._closing.done():
        seen = connection._Connection__last_frame_time
        last, silent = seen, silent + 1 if seen == last else 0
        if silent * pause >= 2 * seconds:
            connection.was_silent = True
            connection._reader_task.cancel()
            return
        with suppress(asyncio.QueueFull):
            connection.write_queue.put_nowait(heartbeat)
        await asyncio.sleep(pause)


aiormq.Connection.was_silent = False  # type: ignore[attr-defined]
aiormq.Connection.is_connection_was_stuck = property(lambda self: self.was_silent)  # type: ignore[method-assign, assignment]
aiormq.Connection._Connection__heartbeat = _beat  # type: ignore[attr-defined]


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
    """Return what became of a message by its confirm once nobody waits for it any more: nothing when the broker has it."""
    if not confirm.done():
        return TimeoutError("the broker did not confirm the message in time")
    fault = confirm.exception()
    return _lost() if isinstance(fault, asyncio.CancelledError) else fault


def _lost() -> ConnectionResetError:
    return ConnectionResetError("the connection to RabbitMQ was closed")
