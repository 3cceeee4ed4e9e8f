"""Processes that are killed in turn while a proof is running."""

import asyncio
from collections.abc import Awaitable, Callable


async def kill_in_turn(kill: Callable[[int], Awaitable[None]], *, every_seconds: float, until: asyncio.Event) -> int:
    """Kill at once, so that a short proof meets it too, and then every so many seconds; returns how often.

    Args:
        kill: kills and restarts; its argument is how many were killed before. The time begins when it returns.
        every_seconds: the time between a restart and the next kill.
        until: ends it.
    """
    kills = 0
    while True:
        await kill(kills)
        kills += 1
        try:
            async with asyncio.timeout(every_seconds):
                await until.wait()
        except TimeoutError:
            continue
        return kills
