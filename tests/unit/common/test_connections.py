"""A connection that could not be made is closed at once: the garbage collector would close it with no loop to do it in."""

import gc
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from aio_pika.connection import Connection

from libs.common.errors import Unavailable
from libs.common.messaging.broker import Broker
from libs.common.messaging.consuming import Consuming
from libs.common.messaging.publisher import Publisher
from libs.common.messaging.redrive import redrive
from libs.common.messaging.topology import topology

PORT = 1
"""Nobody listens there."""
NOBODY = f"amqp://guest:guest@127.0.0.1:{PORT}/"


async def publish() -> None:
    await Publisher(NOBODY, name="api").start()


async def consume() -> None:
    consuming = Consuming(NOBODY, name="api", idle_max_seconds=10, declare_every_seconds=5)
    await consuming.start(topology("api"))


async def both() -> None:
    await Broker(NOBODY, name="api").start(topology("api"))


async def move() -> None:
    await redrive(NOBODY, "api.payment.captured")


@pytest.mark.parametrize("attempt", [publish, consume, both, move])
async def test_a_connection_that_could_not_be_made_is_closed(attempt: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with pytest.raises(Unavailable) as refused:
        await attempt()
    made = [found for found in gc.get_objects() if isinstance(found, Connection) and found.url.port == PORT]
    assert made
    assert [found for found in made if not found.is_closed] == []
    assert refused.value.__cause__ is not None
