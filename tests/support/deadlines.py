"""A test that hangs, its fixtures included, fails under its own name, and the others go on.

Not pytest-timeout: uvloop takes what its handler raises for the failure of a callback, logs it and goes on, and its timer ends
with the first failure, so that a fixture may hang in its end.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Generator, Iterator
from types import FrameType

import pytest

SECONDS = "TEST_SECONDS"
"""How long a test's setup, its call and its teardown may take, each of them; `DEFAULT_SECONDS` unless the environment has it."""

DEFAULT_SECONDS = 300.0
"""Servers and services may start in the setup of a test."""

AGAIN_SECONDS = 60.0
"""What goes on after it was interrupted is interrupted again so often: Hypothesis catches it, and runs the example again."""


class TooLong(SystemExit):
    """A test did not end in time. Of a kind that every event loop lets through."""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Interrupt the fixtures of a test once their time is over."""
    return (yield from _limited(item, "setup"))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Interrupt a test once its time is over."""
    return (yield from _limited(item, "call"))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Interrupt the end of fixtures once their time is over."""
    return (yield from _limited(item, "teardown"))


def pytest_enter_pdb() -> None:
    """Give whoever debugs a test all the time there is, up to its next phase."""
    signal.setitimer(signal.ITIMER_REAL, 0)


def _limited(item: pytest.Item, phase: str) -> Generator[None, object, object]:
    seconds = float(os.environ.get(SECONDS, DEFAULT_SECONDS))
    hanging: set[asyncio.Task[object]] = set()

    def interrupt(_: int, frame: FrameType | None) -> None:
        _show_tasks(item.nodeid)
        hanging.update(_main_tasks(frame))
        raise TooLong(f"{item.nodeid} did not end within {seconds:g} s ({phase})")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds, min(seconds, AGAIN_SECONDS))
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        # The loop is that of all tests: what nobody cancels goes on in the next one. Not where it is interrupted: the loop
        # would end the task while it stops itself, and stop once more the next time.
        for task in hanging:
            if not task.get_loop().is_closed():
                task.cancel()


def _main_tasks(frame: FrameType | None) -> Iterator[asyncio.Task[object]]:
    """Find what the runner of the interrupted code waits for: the test, or a part of a fixture."""
    while frame is not None:
        if frame.f_code is asyncio.Runner.run.__code__:
            # None where it has just begun.
            task = frame.f_locals.get("task")
            if task is not None:
                yield task
        frame = frame.f_back


def _show_tasks(name: str) -> None:
    """Print what each task of the running loop waits for."""
    loop = asyncio._get_running_loop()
    for task in asyncio.all_tasks(loop) if loop is not None else ():
        print(f"== {name} hangs: {task!r:.500}", file=sys.stderr)
        task.print_stack(limit=8, file=sys.stderr)
