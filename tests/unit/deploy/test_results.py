"""What the test command says last of its parts: what failed under its name, and what a part that left no results printed."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from deploy.local import checks, results
from deploy.local.layout import ROOT

pytestmark = pytest.mark.unit

HANGS = """
import asyncio, pytest

@pytest.fixture
async def waiting():
    yield
    await asyncio.Event().wait()

async def test_hangs():
    await asyncio.Event().wait()

async def test_hangs_at_its_end(waiting):
    pass

async def test_goes_on():
    await asyncio.sleep(0)

def test_fails():
    assert 1 == 2, "one is not two"
"""


def run(folder: Path, name: str, text: str, *options: str) -> results.Ended:
    (folder / f"test_{name}.py").write_text(text)
    of_pytest = [
        "-q",
        "-p",
        "pytest_asyncio.plugin",
        "-p",
        "pytest_timeout",
        "-o",
        "addopts=",
        "-o",
        "asyncio_mode=auto",
    ]
    files = [f"--rootdir={folder}", f"--junitxml={folder / name}.xml", str(folder / f"test_{name}.py")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *of_pytest, *options, *files],
        cwd=folder,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return results.Ended(name, done.returncode, done.stdout + done.stderr)


def test_what_hangs_fails_under_its_name_and_the_others_go_on(tmp_path: Path) -> None:
    part = run(tmp_path, "hanging", HANGS, "-o", "timeout=1")
    printed = list(results.summary(tmp_path, [part]))
    assert results.counted(tmp_path, [part]).passed == 1
    assert results.counted(tmp_path, [part]).lost == 3
    assert [line.split("::")[1].split(":")[0] for line in printed] == [
        "test_hangs",
        "test_hangs_at_its_end",
        "test_fails",
    ]
    assert "Timeout" in printed[0] and "one is not two" in printed[2]


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
    assert options["timeout"] < options["faulthandler_timeout"] < checks.TESTS_SECONDS
    assert options["faulthandler_exit_on_timeout"]
