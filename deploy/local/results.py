"""What the parts of the suite left behind: their results in JUnit's form, and for a part that broke, what it printed last."""

import signal
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

LAST_LINES = 120
"""So many lines show every thread of a part that was ended while it hung."""

HANGS = "Timeout ("
"""What faulthandler prints before the stacks of what hangs."""


FAILED_TESTS = 1
"""pytest's exit code where each test ran and some failed."""

PYTEST_CODES = {
    2: "interrupted",
    3: "an internal error of pytest",
    4: "pytest was called wrongly",
    5: "no test was collected",
}


@dataclass(frozen=True)
class Ended:
    """One part of the suite, once its process has ended."""

    name: str
    code: int
    printed: str
    late_after: float | None = None
    """After how many seconds it was killed, where it did not end by itself."""

    @property
    def ending(self) -> str:
        """How its process ended, in words."""
        if self.late_after is not None:
            return f"did not end within {self.late_after:.0f} s and was killed"
        if self.code < 0:
            return f"was killed by signal {-self.code} ({signal.strsignal(-self.code) or 'unknown'})"
        meaning = PYTEST_CODES.get(self.code)
        return f"ended with exit code {self.code}" + (f" ({meaning})" if meaning else "")


@dataclass(frozen=True)
class Counts:
    """How many tests passed, failed or broke, and were skipped."""

    passed: int = 0
    lost: int = 0
    skipped: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.passed + other.passed, self.lost + other.lost, self.skipped + other.skipped)


def counted(folder: Path, parts: Iterable[Ended]) -> Counts:
    """Return the results of all these parts, as far as they left any."""
    return sum((_counts(suite) for part in parts for suite in _suites(folder, part)), Counts())


def broken(folder: Path, parts: Iterable[Ended]) -> list[Ended]:
    """Return the parts whose tests did not all run, or that failed without a test that did.

    They left no results, or were killed, also after they had written these, or ended with a code of pytest that no failed
    test explains.
    """
    return [part for part in parts if not list(_suites(folder, part)) or not _is_explained(folder, part)]


def _is_explained(folder: Path, part: Ended) -> bool:
    lost = counted(folder, [part]).lost
    return part.late_after is None and part.code == (FAILED_TESTS if lost else 0)


def summary(folder: Path, parts: Sequence[Ended]) -> Iterator[str]:
    """Say at the end what failed, since what each part printed stands far above, or was cut off."""
    for part in parts:
        suites = list(_suites(folder, part))
        for suite in suites:
            yield from _failures(part.name, suite)
        if broken(folder, [part]):
            left = "" if suites else " and left no results"
            yield f"== {part.name} {part.ending}{left}; it printed last:\n{_last(part)}"


def _suites(folder: Path, part: Ended) -> Iterator[ElementTree.Element]:
    try:
        yield from ElementTree.parse(folder / f"{part.name}.xml").getroot().iter("testsuite")  # noqa: S314 - written by our own pytest
    except (OSError, ElementTree.ParseError):
        return


def _counts(suite: ElementTree.Element) -> Counts:
    tests, *others = (int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped"))
    failures, errors, skipped = others
    return Counts(tests - failures - errors - skipped, failures + errors, skipped)


def _failures(part: str, suite: ElementTree.Element) -> Iterator[str]:
    for case in suite.iter("testcase"):
        for kind in ("failure", "error"):
            for found in case.iter(kind):
                reason = (found.get("message") or "").strip().split("\n", 1)[0]
                yield f"FAILED in {part}: {case.get('classname')}::{case.get('name')}: {reason[:300]}"


def _last(part: Ended) -> str:
    """Return all from the stacks of what hung, or the last lines."""
    _, found, stacks = part.printed.rpartition(HANGS)
    if found:
        return "\n".join((found + stacks).splitlines()[:LAST_LINES])
    return "\n".join(part.printed.splitlines()[-LAST_LINES:])
