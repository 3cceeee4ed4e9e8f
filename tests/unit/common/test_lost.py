"""The watch of statements that a network has lost goes on, whatever one look at the server ends with."""

import asyncio
from time import monotonic
from typing import Any

import pytest

from libs.common.db import lost


class Waiting:
    """A connection whose statement has had no answer for a minute."""

    def __init__(self) -> None:
        self.waits_since = monotonic() - 60

    def get_server_pid(self) -> int:
        """Name its session."""
        return 7

    def is_closed(self) -> bool:
        """It is open."""
        return False


async def test_the_watch_goes_on_after_a_fault_of_any_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lost, "LOOK_EVERY_SECONDS", 0.01)
    faults: list[Exception] = [ValueError("nobody expects this"), OSError("away"), TypeError("nor this")]
    looked, connection = asyncio.Event(), Waiting()

    async def connect() -> Any:
        if faults:
            raise faults.pop(0)
        looked.set()
        raise OSError("away")

    watch = lost.LostStatements(lambda: [connection], connect, on_lost=lambda: None)  # type: ignore[list-item]
    running = asyncio.create_task(watch.run())
    async with asyncio.timeout(10):
        await looked.wait()

    assert not running.done()
    running.cancel()
