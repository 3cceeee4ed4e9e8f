"""Ending tasks. A cancellation can get lost: when what a task waits for fails at the same moment, or a cleanup fails on the
way out (a channel is closed on a connection that has just ended), the exception that arrives is that failure, and a loop
that survives outages goes on as if nobody had canceled it.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

_AGAIN_SECONDS = 2.0


async def end_all(tasks: Iterable[asyncio.Task[Any]], *, again_seconds: float = _AGAIN_SECONDS) -> None:
    """Cancel tasks and wait until all have ended, however they end.

    Those that have not ended after `again_seconds`, which is the time that a task has for its cleanup, are cancelled again.
    """
    every = list(tasks)
    left = {task for task in every if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=again_seconds)
    for task in every:
        if not task.cancelled():
            # Looked at, so that the loop does not report it.
            task.exception()


def stop_if_cancelled() -> None:
    """Leave a loop that survives failures, where the failure has taken the place of a cancellation.

    Raises:
        asyncio.CancelledError: when the current task was canceled.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
