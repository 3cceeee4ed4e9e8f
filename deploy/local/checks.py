"""Every check and test in one go: format, lint, types, import contracts, then the whole suite with coverage."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from deploy.local import lifecycle, servers
from deploy.local.environment import with_bytecode
from deploy.local.errors import LocalFailure
from deploy.local.layout import ROOT

CODE = ("libs", "services", "deploy", "tests")
"""What is formatted, linted and typed."""

COVERAGE = ROOT / ".local" / "coverage"
"""Where coverage keeps its data, see `tool.coverage` in pyproject.toml."""

RESULTS = ROOT / ".local" / "test" / "results.xml"
"""The suite's results in JUnit's form, which every CI system reads."""

CHECK_SECONDS = 600.0
TESTS_SECONDS = 1500.0
"""The suite is meant to end within 15 minutes on two cores; after 25 it hangs."""

MEASURE = "MEASURE_COVERAGE"
"""Set to 1 for the suite, so that the services it starts as processes are measured too; their data is combined with
its own."""

Say = lifecycle.Say


def check(say: Say) -> list[str]:
    """Run the four static checks, all of them whatever fails, and return the names of those that failed."""
    bin_folder = Path(sys.executable).parent
    steps = {
        "format": [str(bin_folder / "ruff"), "format", "--check", *CODE],
        "lint": [str(bin_folder / "ruff"), "check", *CODE],
        "types": [str(bin_folder / "mypy"), *CODE],
        "imports": [str(bin_folder / "lint-imports"), "--no-logo"],
    }
    failed = []
    for name, command in steps.items():
        began = time.monotonic()
        say(f"== {name}: {Path(command[0]).name} {' '.join(command[1:])}")
        if _run(command, dict(os.environ), seconds=CHECK_SECONDS):
            failed.append(name)
        say(f"== {name} {'FAILED' if name in failed else 'ok'} in {time.monotonic() - began:.1f} s\n")
    return failed


def test(say: Say, arguments: Sequence[str]) -> int:
    """Run every check, then the tests with coverage; servers started for it are stopped again.

    Args:
        say: told what happens.
        arguments: handed to pytest; with any, the static checks and the coverage threshold are left out.

    Returns:
        0 when everything holds.
    """
    failed = [] if arguments else check(say)
    lifecycle.install_servers("test", say)
    ran_before = servers.running("test") is not None
    found = servers.ensure("test", say=say)
    say("== tests against " + ", ".join(f"{name} ({server.kind})" for name, server in found.each().items()))
    shutil.rmtree(COVERAGE, ignore_errors=True)
    COVERAGE.mkdir(parents=True, exist_ok=True)
    try:
        code = _run([sys.executable, "-m", "pytest", *_options(arguments)], _environment(), seconds=TESTS_SECONDS)
    finally:
        if not ran_before:
            servers.stop("test")
    if failed:
        passed, lost = _counts(RESULTS)
        say(f"{passed} passed, {lost + len(failed)} failed (tests: {lost}; checks: {', '.join(failed)})")
    return 1 if failed else code


def _counts(results: Path) -> tuple[int, int]:
    """Return how many tests passed and how many failed or broke, from the suite's JUnit file."""
    try:
        suite = next(ElementTree.parse(results).getroot().iter("testsuite"))  # noqa: S314 - written by our own pytest
    except (OSError, ElementTree.ParseError, StopIteration):
        return 0, 0
    number = {name: int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped")}
    lost = number["failures"] + number["errors"]
    return number["tests"] - lost - number["skipped"], lost


def _options(arguments: Sequence[str]) -> list[str]:
    measured = ["--cov", "--cov-config=pyproject.toml", "--cov-report=term:skip-covered", f"--junitxml={RESULTS}"]
    return [*measured, "--cov-fail-under=0", *arguments] if arguments else measured


def _environment() -> dict[str, str]:
    return {**with_bytecode(os.environ, ROOT), MEASURE: "1"}


def _run(command: list[str], env: dict[str, str], *, seconds: float) -> int:
    """Run a step with its output shown and return its exit code.

    Raises:
        LocalFailure: when it does not end in time.
    """
    try:
        return subprocess.run(command, cwd=ROOT, env=env, timeout=seconds, check=False).returncode
    except subprocess.TimeoutExpired as late:
        raise LocalFailure(f"{' '.join(command[:4])} ... did not end within {seconds:.0f} s.") from late
