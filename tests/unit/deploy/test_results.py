"""What the test command says last of its parts: what failed under its name, and what a part that left no results printed."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from deploy.local import checks, commands, results
from deploy.local.errors import LocalFailure
from tests.support.inner import run

pytestmark = pytest.mark.unit

PASSES = "def test_passes():\n    pass\n"


def verdict_of(folder: Path, monkeypatch: pytest.MonkeyPatch, parts: list[results.Ended]) -> list[str]:
    """What is printed of parts of which at least one failed."""
    monkeypatch.setattr(checks, "RESULTS", folder)
    printed: list[str] = []
    assert checks._verdict(printed.append, parts, []) == 1
    return printed


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
    assert results.broken(tmp_path, [part]) == [part]
    assert f"{name} ended with exit code {part.code}" in printed and words in printed


AT_THE_END = """
import os, signal

def pytest_unconfigure():
    os.kill(os.getpid(), signal.SIGSEGV)
"""
WITH_ANOTHER_CODE = """
def pytest_sessionfinish(session):
    session.exitstatus = 1
"""
BREAKS = """
def pytest_runtestloop():
    raise RuntimeError("broken plugin")
"""


@pytest.mark.parametrize(
    ("text", "plugin", "ending"),
    [
        (PASSES, AT_THE_END, "was killed by signal 11 (Segmentation fault)"),
        (PASSES, WITH_ANOTHER_CODE, "ended with exit code 1"),
        (PASSES, BREAKS, "ended with exit code 3 (an internal error of pytest)"),
        ("", "", "ended with exit code 5 (no test was collected)"),
    ],
    ids=["killed", "failed", "broken", "empty"],
)
def test_a_part_that_fails_without_a_test_fails_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, plugin: str, ending: str
) -> None:
    (tmp_path / "ending.py").write_text(plugin)
    well = run(tmp_path, "well", PASSES)
    monkeypatch.setenv("PYTEST_PLUGINS", "ending")
    printed = verdict_of(tmp_path, monkeypatch, [run(tmp_path, "odd", text), well])
    assert f"== odd {ending}; it printed last:" in "\n".join(printed)
    assert f"checks: odd {ending})" in printed[-1]


def test_a_failed_test_is_named_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = run(tmp_path, "lost", "def test_a():\n    assert 1 == 2, 'one is not two'\n")
    printed = verdict_of(tmp_path, monkeypatch, [part])
    assert [line.split(":")[0] for line in printed] == ["FAILED in lost", "0 passed, 1 failed (tests"]


def test_parts_without_results_fail_the_whole_whatever_their_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = verdict_of(tmp_path, monkeypatch, [results.Ended("together", 0, "")])
    assert "together ended with exit code 0" in printed[-1]


def test_a_part_that_is_late_is_killed_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "test_late.py").write_text("import time\ndef test_late():\n    time.sleep(600)\n")
    monkeypatch.setattr(checks, "TESTS_SECONDS", 2.0)
    monkeypatch.setattr(checks, "RESULTS", tmp_path)
    options = ["-c", os.devnull, f"--rootdir={tmp_path}", "--noconftest", str(tmp_path / "test_late.py")]
    part = checks._part(lambda _: None, "late", options, is_measured=False)
    printed = verdict_of(tmp_path, monkeypatch, [part, run(tmp_path, "lost", "def test_a():\n    assert 0, 'no'\n")])
    assert "late did not end within 2 s and was killed and left no results" in "\n".join(printed)
    assert any(line.startswith("FAILED in lost") for line in printed), "the others are summed up too"


def test_a_part_that_cannot_run_is_named_beside_the_others() -> None:
    def cannot() -> tuple[list[str], list[results.Ended]]:
        raise LocalFailure("no room left")

    well = results.Ended("well", 0, "")
    printed: list[str] = []
    failed, suites = checks._in_lanes(printed.append, [cannot, lambda: (["lint"], [well])])
    assert failed == ["part 1 of 2 (LocalFailure: no room left)", "lint"]
    assert suites == [well]


WRITES = "import sys; sys.stdout.buffer.write(b'caf\\xe9\\n'); sys.stdout.flush()"


def test_output_that_is_no_text_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    ran = commands.run([sys.executable, "-c", WRITES], os.environ, seconds=60, is_shown=True)
    assert (ran.code, ran.printed, ran.is_failed) == (0, "caf\ufffd\n", False)
    assert capsys.readouterr().out == ran.printed


def test_what_is_late_keeps_its_output_though_another_has_it_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "REST_SECONDS", 0.1)
    left = "import subprocess, sys, time; subprocess.Popen(['sleep', '20']); print('last words', flush=True); time.sleep(20)"
    began = time.monotonic()
    ran = commands.run([sys.executable, "-c", left], os.environ, seconds=3)
    assert time.monotonic() - began < 15
    assert ran.is_failed and ran.is_late and ran.code == -signal.SIGKILL
    assert ran.printed.startswith("last words\n") and "did not end within 3 s" in ran.printed
