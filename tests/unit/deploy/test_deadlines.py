"""A test that hangs fails under its own name and leaves nothing behind, and a test that only takes long passes."""

import tomllib
from pathlib import Path

import pytest

from deploy.local import checks, results
from deploy.local.layout import ROOT
from tests.support import deadlines
from tests.support.inner import run

pytestmark = pytest.mark.unit

HANGS = """
import asyncio, pytest, time

@pytest.fixture(scope="session")
async def stubborn():
    async def never():
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                pass
    task = asyncio.create_task(never())
    yield
    assert not task.done()

@pytest.fixture
async def waiting():
    yield
    await asyncio.Event().wait()

async def test_hangs(stubborn, waiting):
    await asyncio.Event().wait()

async def test_hangs_at_its_end(waiting):
    pass

def test_fails():
    assert 1 == 2, "one is not two"

def test_sleeps():
    time.sleep(60)

async def test_goes_on():
    await asyncio.sleep(0)
"""
SLOW = """
import pytest, time

@pytest.fixture
def slow():
    time.sleep(1.2)
    yield
    time.sleep(1.2)

def test_each_phase_has_its_own_time(slow):
    time.sleep(1.2)

def test_debugger_has_all_the_time_there_is(request):
    request.config.hook.pytest_enter_pdb(config=request.config, pdb=None)
    time.sleep(3)
"""
LEFT = """
import asyncio

ended = []

async def test_hangs():
    try:
        await asyncio.Event().wait()
    finally:
        ended.append("the test")

async def test_next():
    await asyncio.sleep(0)
    assert ended == ["the test"]
"""
AGAIN = """
import time
from hypothesis import given, settings, strategies
from tests.support import deadlines

deadlines.AGAIN_SECONDS = 0.5
began = []

def test_goes_on():
    try:
        time.sleep(60)
    except SystemExit:
        began.append(time.monotonic())
        time.sleep(60)

def test_is_interrupted_soon_again():
    assert time.monotonic() - began[0] < 2.5

@given(strategies.integers(0, 3))
@settings(database=None, deadline=None)
def test_example(number):
    time.sleep(60)
"""


def test_a_slow_test_passes_and_a_debugged_one_is_left_alone(tmp_path: Path) -> None:
    part = run(tmp_path, "slow", SLOW, seconds="2")
    assert part.code == 0, part.printed
    assert results.counted(tmp_path, [part]) == results.Counts(passed=2)


def test_what_hangs_does_not_go_on_in_the_next_test(tmp_path: Path) -> None:
    part = run(tmp_path, "left", LEFT, seconds="1")
    assert [line.split("::")[1].split(":")[0] for line in results.summary(tmp_path, [part])] == ["test_hangs"]


def test_what_goes_on_is_interrupted_again_and_soon(tmp_path: Path) -> None:
    part = run(tmp_path, "again", AGAIN, seconds="3")
    lines = list(results.summary(tmp_path, [part]))
    assert [line.split("::")[1].split(":")[0] for line in lines] == ["test_goes_on", "test_example"], part.printed
    assert all("did not end within 3 s (call)" in line for line in lines)


def test_what_hangs_fails_under_its_name_and_the_others_go_on(tmp_path: Path) -> None:
    part = run(tmp_path, "hanging", HANGS, seconds="1")
    lines = [line.split("::", 1)[1].split(": ", 1) for line in results.summary(tmp_path, [part])]
    hangs = ["test_hangs", "test_hangs", "test_hangs_at_its_end", "test_sleeps"]
    # The last has to end the loop of all, with what takes no cancellation.
    assert sorted(name for name, reason in lines if "did not end" in reason) == [
        "test_goes_on",
        *hangs,
    ], part.printed
    assert [name for name, reason in lines if "one is not two" in reason] == ["test_fails"]
    assert "hangs: <Task" in part.printed


def test_every_test_has_a_deadline_that_the_run_outlives() -> None:
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    # A setup that hangs, and after it a teardown.
    assert 2 * deadlines.DEFAULT_SECONDS < options["faulthandler_timeout"] < checks.TESTS_SECONDS
    assert options["faulthandler_exit_on_timeout"]
