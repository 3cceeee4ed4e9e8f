"""Mutants of what an import runs, each in a new process that imports the code; what it imports of others is here already."""

import contextlib
import importlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.mutation.bench import WORDS, begin_alone, ended, hurry, libraries
from tests.support.mutation.changes import Mutant, changed_source

_SLOW_SECONDS = 180


class Anew:
    """Judges mutants in a copy of the checkout; `run` runs pytest in a fork, which ends with it."""

    def __init__(self, folder: Path, run: Callable[[list[str], Any], None]) -> None:
        self._folder = folder
        self._run = run
        self._noticed = folder / "noticed"
        self._killers: list[str] = []
        """Tests that have noticed a mutant, the latest first."""
        found = libraries(folder)
        for name in json.loads(found.read_text()) if found.exists() else ():
            # Some are parts that only another library imports.
            with contextlib.suppress(ImportError):
                importlib.import_module(name)

    def judge(self, mutant: Mutant, tests: Sequence[str]) -> str:
        """Run tests on a mutant, and say what became of it."""
        tests = list(dict.fromkeys([*(killer for killer in self._killers if killer in tests), *tests]))
        file = self._folder / mutant.path
        original = file.read_text()
        file.write_text(changed_source(mutant.path, original, mutant))
        self._noticed.unlink(missing_ok=True)
        try:
            child = os.fork()
            if not child:
                begin_alone(self._folder)
                sys.dont_write_bytecode = True
                self._run(tests, _Watch(self._noticed))
            word = WORDS.get(ended(child, seconds=_SLOW_SECONDS), "killed")
        finally:
            file.write_text(original)
        if self._noticed.exists():
            killer = self._noticed.read_text()
            self._killers = [killer, *(other for other in self._killers if other != killer)]
        return word


class _Watch:
    """The plugin in the process of a mutant."""

    def __init__(self, noticed: Path) -> None:
        self._noticed = noticed

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Let hypothesis stop at the first failure that it meets."""
        hurry()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Leave the name of the test that failed."""
        if report.failed:
            self._noticed.write_text(report.nodeid)
