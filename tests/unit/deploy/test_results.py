"""What the test command says last of its parts: what failed under its name, and what a part that left no results printed."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from deploy.local import checks, results
from deploy.local.layout import ROOT
from tests.support import deadlines

pytestmark = pytest.mark.unit

LOOP = """
import pytest, uvloop

@pytest.fixture(scope="session")
def _asyncio_loop_factory():
    return uvloop.new_event_loop
"""
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


def run(folder: Path, name: str, text: str, *options: str, seconds: str = "300") -> results.Ended:
    (folder / "conftest.py").write_text(LOOP)
    (folder / f"test_{name}.py").write_text(text)
    plugins = [word for each in ("pytest_asyncio.plugin", "tests.support.deadlines") for word in ("-p", each)]
    scopes = [f"asyncio_default_{each}_loop_scope=session" for each in ("fixture", "test")]
    settings = [word for each in ("addopts=", "asyncio_mode=auto", *scopes) for word in ("-o", each)]
    files = [f"--rootdir={folder}", f"--junitxml={folder / name}.xml", str(folder / f"test_{name}.py")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugins, *settings, *options, *files],
        cwd=folder,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT), deadlines.SECONDS: seconds},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return results.Ended(name, done.returncode, done.stdout + done.stderr)


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


@pytest.mark.parametrize(
    ("name", "text", "options", "words"),
    [
        ("ended", "import os\ndef test_a():\n    print('last words')\n    os._exit(3)\n", ("-s",), "last words"),
        (
            "stuck",
            "import time\ndef test_b():\n    time.sleep(20)\n",
            ("-o", "faulthandler_timeout=1", "-o", "faulthandler_exit_on_timeout=true"),
            "in test_b",
        ),
    ],
)
def test_a_part_that_left_no_results_is_a_failure_and_shows_its_end(
    tmp_path: Path, name: str, text: str, options: tuple[str, ...], words: str
) -> None:
    part = run(tmp_path, name, text, *options)
    printed = "\n".join(results.summary(tmp_path, [part]))
    assert results.without_results(tmp_path, [part]) == [part]
    assert f"{name} ended with exit code {part.code}" in printed and words in printed


def test_parts_without_results_fail_the_whole_whatever_their_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "RESULTS", ROOT / ".local" / "no-such-results")
    printed: list[str] = []
    assert checks._verdict(printed.append, [results.Ended("together", 0, "")], []) == 1
    assert "the results of together" in printed[-1]


def test_every_test_has_a_deadline_that_the_run_outlives() -> None:
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    assert 300 < options["faulthandler_timeout"] < checks.TESTS_SECONDS
    assert options["faulthandler_exit_on_timeout"]
