"""What fails in the background is run again, and what goes on failing is reported to an operator."""

import asyncio

import pytest

from libs.common import background
from libs.common.background import Background, Loop, Worker
from libs.common.errors import Unavailable
from libs.common.tasks import end_all


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "_PAUSES_SECONDS", (0.0,))


class Work:
    """Fails so often, then succeeds."""

    def __init__(self, failures: int, fault: Exception) -> None:
        self.left = failures
        self.fault = fault
        self.runs = 0
        self.seen: list[str] = []
        self.done = asyncio.Event()

    async def run(self, tasks: Background) -> None:
        self.runs += 1
        self.seen.append(tasks.trouble)
        if self.left:
            self.left -= 1
            raise self.fault
        if len(self.seen) and self.seen[-1] == "":
            self.done.set()


@pytest.mark.parametrize("fault", [Unavailable("away"), RuntimeError("a bug")], ids=["outage", "bug"])
async def test_worker_that_goes_on_failing_is_named_until_it_works(fault: Exception) -> None:
    tasks, work = Background(), Work(4, fault)
    worker = Worker(name="sweeper", every_seconds=0.001, run=lambda: work.run(tasks))
    running = tasks.start([], [worker])
    async with asyncio.timeout(20):
        await work.done.wait()
    await end_all(running)
    named = "sweeper failed {} times in a row: see loop.paused and loop.failed in the log"
    assert work.seen[:6] == ["", "", "", named.format(3), named.format(4), ""]


async def test_loop_that_fails_is_run_again_and_is_well_once_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks, lasts, runs = Background(), asyncio.Event(), 0

    async def run() -> None:
        nonlocal runs
        runs += 1
        if runs <= 5:
            raise RuntimeError
        lasts.set()
        await asyncio.Event().wait()

    running = tasks.start([Loop(name="courier", run=run)], [])
    async with asyncio.timeout(20):
        await lasts.wait()
    assert tasks.trouble.startswith("courier failed 5 times")
    monkeypatch.setattr(background, "_HEALTHY_SECONDS", 0.0)
    assert tasks.trouble == ""
    await end_all(running)


async def test_loop_that_ends_is_not_run_again() -> None:
    runs = 0

    async def run() -> None:
        nonlocal runs
        runs += 1

    await asyncio.gather(*Background().start([Loop(name="once", run=run)], []))
    assert runs == 1
