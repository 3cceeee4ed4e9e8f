"""A pytest plugin that collects tests once and runs them on many mutants, each in a fork of the process that collected.

The first fork runs every test on the code as it stands and notes which test runs which line, and for how long. A mutant of a
function then meets only the tests that run it, those first that noticed others, its new code put into the function that lives in
the fork. What is run by an import (a table, a constant) cannot be changed so: the caller runs it in a new process.
"""

import ast
import functools
import gc
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import hypothesis
import pytest

from tests.support.mutation.changes import Mutant, changed_tree
from tests.support.mutation.ran import Kept, Ran, digest, users

SECONDS_MIN, SLOWER_MAX = 20, 4
"""A mutant on which its tests take so many times as long never ends, and that is noticed too."""
_MEMORY_BYTES_MAX = 8 * 2**30
WORDS = {0: "survived", -signal.SIGKILL: "endless"}
"""What an exit code says of a mutant; any other says that it was killed."""
FAILING_MAX = 3
"""Tests that may fail before anything is changed; they are left out."""
_CACHED = type(functools.cache(len))
_TOOL = 4
_OTHERS = "site-packages"


class Bench:
    """The plugin. `report` gets a word on each mutant: killed, survived, or later when it needs a new process."""

    def __init__(
        self, folder: Path, sample: list[Mutant], report: Callable[[Mutant, str, list[str]], None], *, kept: Path
    ) -> None:
        self._folder = folder
        self._kept = kept
        """What was measured, for the next run on the same code."""
        self._sample = sample
        self._report = report
        self._now = ""
        self._lines: dict[str, dict[int, set[str]]] = {}
        self._seconds: dict[str, float] = {}
        self._failed: set[str] = set()
        self._measures = False
        self._measured = folder / "measured.json"
        self._tests: dict[str, str] = {}
        self._remembered: set[CodeType] = set()
        self._noticed = folder / "noticed"
        """Where the process of a mutant leaves the name of the test that failed."""
        self._killers: list[str] = []
        """Tests that have noticed a mutant, the latest first: they are likely to notice its neighbours, too."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Watch which lines the imports run; and let hypothesis stop at the first failure that it meets."""
        hurry()
        code_of = (str(self._folder / "libs"), str(self._folder / "services"))
        monitoring = sys.monitoring
        monitoring.use_tool_id(_TOOL, "mutation")

        def started(code: CodeType, _: int) -> object:
            if code.co_filename.startswith(code_of):
                monitoring.set_local_events(_TOOL, code, monitoring.events.LINE)
            return monitoring.DISABLE

        def line(code: CodeType, number: int) -> object:
            self._lines.setdefault(code.co_filename, {}).setdefault(number, set()).add(self._now)
            return monitoring.DISABLE  # Once for each test is enough: the next one restarts the events.

        monitoring.register_callback(_TOOL, monitoring.events.PY_START, started)
        monitoring.register_callback(_TOOL, monitoring.events.LINE, line)
        monitoring.set_events(_TOOL, monitoring.events.PY_START)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Measure, then judge the sample; only in forks the tests run on from here."""
        if session.testsfailed:
            return None
        modules = {name: getattr(module, "__file__", None) or "" for name, module in sys.modules.items()}
        libraries(self._folder).write_text(json.dumps([name for name, file in modules.items() if _OTHERS in file]))
        known = self._known(session)
        new = [item for item in session.items if item.nodeid.partition("::")[0] not in known.files]
        child = os.fork() if new else 0
        if new and not child:
            self._measures = True
            session.items = new
            session.testscollected = len(new)
            session.config.option.maxfail = 0
            return None
        sys.monitoring.set_events(_TOOL, 0)
        sys.monitoring.free_tool_id(_TOOL)
        if new:
            os.waitpid(child, 0)
            if not self._measured.exists() or len(failed := self._keep(known, session)) > FAILING_MAX:
                session.shouldfail = "the tests fail on the code as it stands"
                session.testsfailed = 1
                return True
            if failed:
                print(f"left out, since they fail on the code as it stands: {', '.join(failed)}", flush=True)
        ran = known.ran(self._folder, {item.nodeid for item in session.items})
        functions = _functions(self._folder)
        self._remembered = {
            wrapper.__wrapped__.__code__
            for wrapper in gc.get_objects()
            if isinstance(wrapper, _CACHED) and hasattr(wrapper.__wrapped__, "__code__")
        }
        items = {item.nodeid: item for item in session.items}
        for mutant in self._sample:
            if self._judge(session, mutant, ran, functions, items):
                return None
        return True

    def _known(self, session: pytest.Session) -> Kept:
        """Return what an earlier run measured, of the test files that are the same since; nothing if the code is not."""
        code = digest(*sorted(file for part in ("libs", "services") for file in (self._folder / part).rglob("*.py")))
        tests = {item.nodeid.partition("::")[0] for item in session.items}
        self._tests = {test: digest(self._folder / test) for test in tests}
        found: dict[str, Any] = json.loads(self._kept.read_text()) if self._kept.exists() else {"code": ""}
        if found["code"] != code:
            return Kept(code, {})
        same = {test: noted for test, noted in found["files"].items() if noted["digest"] == self._tests.get(test)}
        return Kept(code, same)

    def _keep(self, known: Kept, session: pytest.Session) -> list[str]:
        measured = json.loads(self._measured.read_text())
        for test, content in self._tests.items():
            if test not in known.files:
                known.files[test] = {"digest": content, "lines": {}, "seconds": {}}
        for test, seconds in measured["seconds"].items():
            known.files[test.partition("::")[0]]["seconds"][test] = seconds
        for path, of_file in measured["lines"].items():
            relative = str(Path(path).relative_to(self._folder))
            for line, ran in of_file.items():
                for test in ran:
                    file = test.partition("::")[0]
                    for owner in [file] if file else known.files:
                        of_path = known.files[owner]["lines"].setdefault(relative, {})
                        of_path.setdefault(line, []).append(test)
        self._kept.parent.mkdir(parents=True, exist_ok=True)
        self._kept.write_text(json.dumps({"code": known.code, "files": known.files}))
        failed: list[str] = measured["failed"]
        return failed

    def _judge(
        self,
        session: pytest.Session,
        mutant: Mutant,
        ran: Ran,
        functions: dict[tuple[str, str, int], list[FunctionType]],
        items: dict[str, pytest.Item],
    ) -> bool:
        """Judge a mutant; True in the fork that goes on to run its tests."""
        first, last = mutant.lines
        file = str(self._folder / mutant.path)
        tests = ran.tests_of(file, range(first, last + 1))
        live = functions.get((file, *mutant.function), []) if mutant.function else []
        if mutant.function is not None and any(function.__code__ in self._remembered for function in live):
            # Only the first call of a process runs it; whoever calls it depends on it.
            tests |= users(self._folder, ran, (mutant.function[0].rpartition(".")[2],))
        if "" in tests or mutant.function is None:
            names = mutant.stated if mutant.function is None else (mutant.function[0].rpartition(".")[2],)
            self._report(mutant, "later", ran.cheapest(users(self._folder, ran, names) | tests))
            return False
        chosen = [test for test in ran.cheapest(tests, self._killers) if test in items]
        if not chosen:
            self._report(mutant, "survived", [])
            return False
        original = Path(file).read_text()
        code = compile(changed_tree(mutant.path, original, mutant), file, "exec")
        changed = next((c for c in _codes(code) if mutant.function == (c.co_qualname, c.co_firstlineno)), None)
        if changed is None or not live or any(len(f.__closure__ or ()) != len(changed.co_freevars) for f in live):
            self._report(mutant, "later", chosen)
            return False
        Path(file).write_text(ast.unparse(changed_tree(mutant.path, original, mutant)))
        parent = os.getpid()
        self._noticed.unlink(missing_ok=True)
        try:
            child = os.fork()
            if not child:
                begin_alone(self._folder)
                for function in live:
                    function.__code__ = changed
                session.items = [items[test] for test in chosen]
                session.testscollected = len(session.items)
                return True
            exit_code = ended(child, seconds=limit(ran, chosen))
        finally:
            if os.getpid() == parent:
                Path(file).write_text(original)
        if self._noticed.exists():
            killer = self._noticed.read_text()
            self._killers = [killer, *(other for other in self._killers if other != killer)]
        self._report(mutant, WORDS.get(exit_code, "killed"), chosen)
        return False

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Note how long a test takes, and that it is its turn."""
        self._watch(item.nodeid)
        began = time.monotonic()
        try:
            return (yield)
        finally:
            self._seconds[item.nodeid] = time.monotonic() - began

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: "pytest.FixtureDef[Any]", request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        """What a wide fixture runs, it runs for every test of the file."""
        if fixturedef.scope == "function":
            return (yield)
        before = self._now
        self._watch(before.partition("::")[0])
        try:
            return (yield)
        finally:
            self._watch(before)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what fails: on a mutant its killer; on the code as it stands, a deadline that passed under load."""
        if report.failed:
            self._failed.add(report.nodeid)
            if not self._measures:
                self._noticed.write_text(report.nodeid)

    def _watch(self, test: str) -> None:
        self._now = test
        if self._measures:
            sys.monitoring.restart_events()

    def pytest_sessionfinish(self) -> None:
        """Hand over what was measured."""
        if self._measures:
            sys.monitoring.set_events(_TOOL, 0)
            lines = {
                file: {str(line): sorted(tests) for line, tests in of_file.items()}
                for file, of_file in self._lines.items()
            }
            seconds = {test: took for test, took in self._seconds.items() if test not in self._failed}
            self._measured.write_text(json.dumps({"lines": lines, "seconds": seconds, "failed": sorted(self._failed)}))


def hurry() -> None:
    """Let hypothesis stop at the first failure that it meets, always the same one, which it need not make small."""
    hypothesis.settings.register_profile(
        "mutants",
        parent=hypothesis.settings(),
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
        derandomize=True,
        database=None,
    )
    hypothesis.settings.load_profile("mutants")


def libraries(folder: Path) -> Path:
    """Name the file that lists what the tests import of others."""
    return folder / "libraries.json"


def _functions(folder: Path) -> dict[tuple[str, str, int], list[FunctionType]]:
    found: dict[tuple[str, str, int], list[FunctionType]] = {}
    for thing in gc.get_objects():
        if isinstance(thing, FunctionType) and thing.__code__.co_filename.startswith(str(folder)):
            code = thing.__code__
            found.setdefault((code.co_filename, code.co_qualname, code.co_firstlineno), []).append(thing)
    return found


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def begin_alone(folder: Path) -> None:
    """Make the process of a mutant one that can be ended with all that it starts, and that cannot eat the machine."""
    os.setsid()
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES_MAX, _MEMORY_BYTES_MAX))
    log = os.open(folder / "last.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)


def limit(ran: Ran, tests: list[str]) -> float:
    """Return the seconds after which these tests never end."""
    return SECONDS_MIN + SLOWER_MAX * sum(ran.seconds.get(test, 0.0) for test in tests)


def ended(child: int, *, seconds: float) -> int:
    """Wait for a process and return its exit code; one that takes too long is killed with all that it started."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -signal.SIGKILL
