"""The connection that publishes: one that could not be made, or not be closed, is not made again behind everybody's back."""

import asyncio
from typing import Any

import pytest
from aio_pika.abc import TimeoutType
from faststream.rabbit import RabbitBroker

from libs.common.errors import Unavailable
from libs.common.messaging import publisher
from libs.common.messaging.connections import LastingConnection
from libs.common.messaging.publisher import Publisher
from tests.support.broker import go_silent


def reconnecting() -> set[asyncio.Task[Any]]:
    """The driver's tasks that make connections again: one that nobody closes goes on, and takes no cancellation at the end."""
    return {task for task in asyncio.all_tasks() if "__connection_factory" in repr(task.get_coro())}


async def test_connection_that_goes_silent_while_it_is_made_is_an_outage(
    vhost_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    closing: list[asyncio.Task[None]] = []

    class Silent(LastingConnection):
        async def connect(self, timeout: TimeoutType = None) -> None:
            await super().connect(timeout)
            assert self.transport is not None
            closing.append(asyncio.create_task(go_silent(self.transport.connection)))

    monkeypatch.setattr(publisher, "LastingConnection", Silent)
    before = reconnecting()
    with pytest.raises(Unavailable):
        await Publisher(vhost_url, name="api").start()
    await asyncio.gather(*closing)
    assert reconnecting() == before


async def test_connection_with_a_silent_channel_is_closed_all_the_same(
    vhost_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "_CLOSE_SECONDS", 0.2)
    before = reconnecting()
    silent = Publisher(vhost_url, name="api")
    await silent.start()
    assert len(reconnecting() - before) == 1
    assert silent._broker is not None

    async def never(_: RabbitBroker, *__: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(RabbitBroker, "stop", never)
    await silent.stop()
    assert reconnecting() == before
