"""Every check and test in one go: format, lint, types, import contracts, secrets, vulnerabilities, then the suite.

Of families of like cases, and of the files of tests that need servers, the test command draws a sample by the seed that it
prints; with TEST_CASES=all (`just test-all`) everything is run, and coverage is measured.
"""

import os
import secrets
import shutil
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from deploy.local import commands, days, examples, generated, lifecycle, packages, results, servers
from deploy.local.environment import with_bytecode
from deploy.local.errors import LocalFailure
from deploy.local.layout import ROOT

CODE = ("libs", "services", "deploy", "tests", "clients/python")
"""What is formatted, linted and typed."""

COVERAGE = ROOT / ".local" / "coverage"
"""Where coverage keeps its data, see `tool.coverage` in pyproject.toml."""

RESULTS = ROOT / ".local" / "test" / "results"
"""Where the results are written in JUnit's form, which every CI system reads."""

MESSAGES = ("tests/integration/messaging",)
"""What shares nothing but the servers, and is a part of its own."""

APART = ("tests/integration", *(f"--ignore={path}" for path in (*days.SHORT, *MESSAGES)))
"""What else shares nothing but the servers, and does not run on another day."""

BOOKS = ("tests/integration/ledger", "tests/integration/notifier")
GATEWAY = ("tests/integration/gateway",)
"""What of that which runs on another day are parts of their own."""

TOGETHER = ("tests/e2e", "tests/contract")
"""What needs the four services as processes, and what we promise to others, in part by asking them."""

SHARED = "shared_platform"
"""The mark of those that share one platform, which `tests/conftest.py` gives."""

OUTAGES = "outages"
"""The mark of the tests that stop, kill or choke the servers of all, and the profile of the servers that they have."""

LANES = 4
"""How many parts go on at a time."""
CHECK_SECONDS = 1500.0
TESTS_SECONDS = 2400.0
"""The suite is meant to end within 10 minutes on two quick cores; after 40 it hangs."""

CASES = "TEST_CASES"
"""Of families of many like cases, and of files of tests, a sample is run (`sample`), which is chosen by the seed that a run
prints, or `all`; see `tests/support/samples.py` and `drawn_files.py`."""
SEED, SEED_MAX = "PYTEST_SEED", 2**31
"""What the samples and the order of the tests are chosen by: one for all parts."""

MEASURE = "MEASURE_COVERAGE"
"""Set to 1 for the suite, so that the services it starts as processes are measured too; their data is combined with
its own."""

Report = lifecycle.Report

type _Part = Callable[[], tuple[list[str], list[results.Ended]]]
"""Runs a part of the suite; returns the names of the checks that failed, and how its tests ended."""


def check(report: Report) -> list[str]:
    """Run the static checks, all of them whatever fails, and return the names of those that failed.

    What a check prints is shown once it is done, so that nothing else stands in between.
    """
    quick = _run_checks(report, "format", "lint", "imports", "secrets", "vulnerabilities")
    return [*quick, *_generated(report), *_run_checks(report, "types")]


def _run_checks(report: Report, *names: str) -> list[str]:
    """Run the tools of these names; returns those that failed."""
    bin_folder = Path(sys.executable).parent
    tools = {
        "format": [str(bin_folder / "ruff"), "format", "--check", *CODE],
        "lint": [str(bin_folder / "ruff"), "check", *CODE],
        "imports": [str(bin_folder / "lint-imports"), "--no-logo"],
        "types": [str(bin_folder / "mypy"), *CODE],
        "secrets": [sys.executable, "-m", "deploy.local.leaks"],
        "vulnerabilities": [sys.executable, "-m", "deploy.local.audits"],
    }
    failed = []
    for name in names:
        command = tools[name]
        began = time.monotonic()
        ran = commands.run(command, os.environ, seconds=CHECK_SECONDS)
        if ran.is_failed:
            failed.append(name)
        result = f"{'FAILED' if ran.is_failed else 'ok'} in {time.monotonic() - began:.1f} s"
        report(f"== {name}: {Path(command[0]).name} {' '.join(command[1:])}\n{ran.printed}== {name} {result}\n")
    return failed


def _generated(report: Report) -> list[str]:
    """Look whether what is generated is what would be generated now."""
    failed, began = [], time.monotonic()
    files = [f"{path.relative_to(ROOT)} is stale: run `just docs`\n" for path in generated.stale()]
    if files:
        failed.append("generated")
    result = f"{'FAILED' if files else 'ok'} in {time.monotonic() - began:.1f} s"
    report(f"== generated: what is written by `just docs`\n{''.join(files)}== generated {result}\n")
    return failed


def test(report: Report, arguments: Sequence[str]) -> int:
    """Run every check, then the tests with coverage; servers started for it are stopped again.

    Args:
        report: receives sentences about what happens.
        arguments: handed to pytest; with any, the static checks and the coverage threshold are left out.

    Returns:
        0 when everything holds.
    """
    shutil.rmtree(COVERAGE, ignore_errors=True)
    COVERAGE.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(RESULTS, ignore_errors=True)
    lifecycle.install_servers("test", report)
    ran_before = servers.running("test") is not None
    try:
        return _chosen(report, arguments) if arguments else _whole(report)
    finally:
        if not ran_before:
            servers.stop("test")


def _whole(report: Report) -> int:
    """Run everything, in parts of which four go on at a time; the longest begin first, so that none is left alone.

    Four for two cores: each test waits for a good part of its time, for a timeout, a retry, a process that starts. Servers
    that were given are one set for all: then the tests whose servers go down come last, with nobody beside them.
    """
    is_one_set = any(servers.is_given("test", name) for name in servers.SERVERS)
    os.environ.setdefault(CASES, "sample")
    os.environ.setdefault(SEED, str(secrets.randbelow(SEED_MAX - 1) + 1))
    report(f"== {SEED}={os.environ[SEED]} {CASES}={os.environ[CASES]}")
    compared = RESULTS / "compared"
    compared.mkdir(parents=True, exist_ok=True)
    os.environ[examples.SETTING] = str(compared)
    _ensure(report)
    _ensure_tools(report)
    hindrance = days.why_not()
    if hindrance:
        report(f"== no tests on another day, these too run on the real one: {hindrance}\n")
    day = {**os.environ, "TEST_PROFILE": days.PROFILE} if hindrance else days.environment(days.SHORT_DAY)
    others = [path for path in days.SHORT if path not in (*BOOKS, *GATEWAY)]
    parts: list[_Part] = [
        lambda: ([], [_part(report, "apart", APART, is_shown=True)]),
        *([] if is_one_set else [lambda: _over_four(report), lambda: _over_their_own(report)]),
        lambda: ([], [_part(report, days.SHORT_DAY, others, day)]),
        lambda: ([], [_part(report, "messages", MESSAGES)]),
        lambda: ([], [_part(report, f"{days.SHORT_DAY}-gateway", GATEWAY, day)]),
        lambda: ([], [_part(report, f"{days.SHORT_DAY}-books", BOOKS, day)]),
        lambda: (_run_checks(report, "types"), []),
        lambda: ([*_run_checks(report, "format", "lint", "imports", "secrets"), *_generated(report)], []),
        # What is published of a package on another day does not fail the same commit: here it is shown, `just check` fails for it.
        lambda: (_run_checks(report, "vulnerabilities")[:0], []),
    ]
    with ExitStack() as own:
        for profile in (days.PROFILE, *([] if is_one_set else [OUTAGES])):
            own.enter_context(_servers_of_its_own(profile))
        # Before two parts begin that share them.
        command = [sys.executable, "-m", "deploy.local", "up-servers", "--profile", days.PROFILE]
        commands.run(command, day, seconds=CHECK_SECONDS)
        failed, suites = _in_lanes(report, parts)
    if is_one_set:
        suites.append(_part(report, "together", TOGETHER, is_measured=False, is_shown=True))
    if _is_whole():
        # A sample covers less, and need not meet every operation.
        if not _report_coverage(report):
            failed.append("coverage")
        if missing := examples.uncompared(compared):
            report(f"== no live answer was compared with the examples of {', '.join(missing)}\n")
            failed.append("examples")
    return _verdict(report, suites, failed)


def _is_whole() -> bool:
    return os.environ.get(CASES) == "all"


def _in_lanes(report: Report, parts: Sequence[_Part]) -> tuple[list[str], list[results.Ended]]:
    """Run the parts, so many at a time; one that raises is a failed check, and the others are summed up all the same."""
    failed, suites = [], []
    with ThreadPoolExecutor(max_workers=LANES) as lanes:
        begun = [lanes.submit(part) for part in parts]
    for place, part in enumerate(begun, 1):
        if (raised := part.exception()) is not None:
            report("".join(traceback.format_exception(raised)))
            failed.append(f"part {place} of {len(parts)} ({type(raised).__name__}: {raised})")
            continue
        names, ended = part.result()
        failed.extend(names)
        suites.extend(ended)
    return failed, suites


def _verdict(report: Report, suites: Sequence[results.Ended], failed: Sequence[str]) -> int:
    """Say last what failed, and return the exit code of all."""
    for line in results.summary(RESULTS, suites):
        report(line)
    failed = [*failed, *(f"{part.name} {part.ending}" for part in results.broken(RESULTS, suites))]
    counts = results.counted(RESULTS, suites)
    if counts.skipped:
        report(f"{counts.skipped} skipped, the reasons stand in {RESULTS.relative_to(ROOT)}")
    checks = ", ".join(failed) or "none"
    report(f"{counts.passed} passed, {counts.lost + len(failed)} failed (tests: {counts.lost}; checks: {checks})")
    return 1 if failed or counts.lost else 0


def _over_four(report: Report) -> tuple[list[str], list[results.Ended]]:
    """Run the tests over the four services, on servers of their own: those whose servers go down, then those that share a platform.

    What they cover is not measured: the other tests cover nearly all, and each service would start and run more slowly.
    """
    run = partial(_part, report, environ=os.environ | {"TEST_PROFILE": OUTAGES}, is_measured=False)
    shared = f"{SHARED} and not {OUTAGES}"
    return [], [run(OUTAGES, ["-m", OUTAGES, *TOGETHER]), run("together", ["-m", shared, *TOGETHER])]


def _over_their_own(report: Report) -> tuple[list[str], list[results.Ended]]:
    """Run those of them that start a platform of their own, or none: the shared one would cost a tenth of a core beside them."""
    environ = os.environ | {servers.REDIS_DATABASE: "1"}
    others = f"not {SHARED} and not {OUTAGES}"
    return [], [_part(report, "own", ["-m", others, *TOGETHER], environ, is_measured=False)]


@contextmanager
def _servers_of_its_own(profile: str) -> Iterator[None]:
    """Let the tests inside the block begin with fresh servers, and stop these afterwards."""
    servers.stop(profile)
    try:
        yield
    finally:
        servers.stop(profile)


def _part(
    report: Report,
    name: str,
    options: Sequence[str],
    environ: Mapping[str, str] = os.environ,
    *,
    is_measured: bool = True,
    is_shown: bool = False,
) -> results.Ended:
    """Run a part of the suite; one that does not end in time is a failed part, and the others go on.

    What it prints is shown once it has ended, or with `is_shown` as it comes.
    """
    is_measured = is_measured and _is_whole()
    measured, began = ["--cov-report="] if is_measured else [], time.monotonic()
    command = _pytest(name, [*measured, *options], is_measured=is_measured)
    environ = _environment(name, environ) if is_measured else with_bytecode(environ, ROOT)
    ran = commands.run(command, environ, seconds=TESTS_SECONDS, is_shown=is_shown)
    printed = "" if is_shown else f"== {name}\n{ran.printed}"
    result = f"{'FAILED' if ran.is_failed else 'ok'} in {time.monotonic() - began:.1f} s"
    report(f"{printed}== {name} {result}\n")
    return results.Ended(name, ran.code, ran.printed, late_after=TESTS_SECONDS if ran.is_late else None)


def _ensure(report: Report) -> None:
    found = servers.ensure("test", report=report)
    report("== tests against " + ", ".join(f"{name} ({server.kind})" for name, server in found.each().items()))


def _ensure_tools(report: Report) -> None:
    """Install what single tests need, before the parts begin: on another day apt takes its lists for out of date."""
    for name in ("prometheus", "pgbouncer", "pgbackrest"):
        if packages.missing([name]):
            try:
                packages.install([name], report=report)
            except LocalFailure as failed:
                report(f"== not tested, since {name} is missing: {failed}\n")


_MEASURED = ("--cov", "--cov-config=pyproject.toml", "--cov-fail-under=0")


def _chosen(report: Report, arguments: Sequence[str]) -> int:
    """Run the tests that pytest chooses by these arguments; returns its exit code."""
    _ensure(report)
    return _run(_pytest("chosen", ["--cov-report=term:skip-covered", *arguments]), _environment("chosen"))


def _pytest(name: str, options: Sequence[str], *, is_measured: bool = True) -> list[str]:
    measured = _MEASURED if is_measured else ()
    return [sys.executable, "-m", "pytest", f"--junitxml={RESULTS / name}.xml", *measured, *options]


def _report_coverage(report: Report) -> bool:
    """Put together what each part has measured and compare it with the threshold; returns whether that was reached."""
    measured = [str(file) for file in sorted(COVERAGE.glob("*/data*"))]
    for options in (["combine", *measured], ["report"]):
        ran = commands.run([sys.executable, "-m", "coverage", *options], os.environ, seconds=CHECK_SECONDS)
        if ran.is_failed or options == ["report"]:
            report(f"== coverage {options[0]}\n{ran.printed}")
        if ran.is_failed:
            return False
    return True


def _environment(part: str, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment of one part of the suite, whose processes measure into a folder of their own."""
    folder = COVERAGE / part
    folder.mkdir(parents=True, exist_ok=True)
    return {**with_bytecode(environ, ROOT), MEASURE: "1", "COVERAGE_FILE": str(folder / "data")}


def _run(command: list[str], env: Mapping[str, str]) -> int:
    """Run tests with their output shown and return the exit code.

    Raises:
        LocalFailure: when they do not end in time.
    """
    try:
        return subprocess.run(command, cwd=ROOT, env=dict(env), timeout=TESTS_SECONDS, check=False).returncode
    except subprocess.TimeoutExpired as late:
        raise LocalFailure(f"{' '.join(command[:4])} ... did not end within {TESTS_SECONDS:.0f} s.") from late
