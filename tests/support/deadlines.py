"""A test that hangs, its fixtures included, fails under its own name, and the others go on.

Not pytest-timeout: uvloop takes what its handler raises for the failure of a callback, logs it and goes on, and its timer ends
with the first failure, so that a fixture may hang in its end.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Generator
from types import FrameType

import pytest

SECONDS = "TEST_SECONDS"
"""How long a test may take with its fixtures, whose servers and services may start for it; 300 unless the environment says otherwise."""


class TooLong(SystemExit):
    """A test did not end in time. Of a kind that every event loop lets through."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Interrupt the test once its time is over, and whatever then hangs in its end once more each time that it is over again."""
    seconds = float(os.environ.get(SECONDS, "300"))

    def interrupt(_: int, frame: FrameType | None) -> None:
        _show_tasks(item.nodeid)
        raise TooLong(f"{item.nodeid} did not end within {seconds:g} s")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _show_tasks(name: str) -> None:
    """Print what each task of the running loop waits for."""
    loop = asyncio._get_running_loop()
    for task in asyncio.all_tasks(loop) if loop is not None else ():
        print(f"== {name} hangs: {task!r:.500}", file=sys.stderr)
        task.print_stack(limit=8, file=sys.stderr)
