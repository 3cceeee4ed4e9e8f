"""What the parts of the suite left behind: their results in JUnit's form, and for a part that left none, what it printed last."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

LAST_LINES = 120
"""So many lines show every thread of a part that was ended while it hung."""

HANGS = "Timeout ("
"""What faulthandler prints before the stacks of what hangs."""


@dataclass(frozen=True)
class Ended:
    """One part of the suite, once its process has ended."""

    name: str
    code: int
    printed: str


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


def without_results(folder: Path, parts: Iterable[Ended]) -> list[Ended]:
    """Return the parts that ended before they wrote their results: killed, or ended since a test hung."""
    return [part for part in parts if not list(_suites(folder, part))]


def summary(folder: Path, parts: Sequence[Ended]) -> Iterator[str]:
    """Say at the end what failed, since what each part printed stands far above, or was cut off."""
    for part in parts:
        suites = list(_suites(folder, part))
        for suite in suites:
            yield from _failures(part.name, suite)
        if not suites:
            yield f"== {part.name} ended with exit code {part.code} and left no results; it printed last:\n{_last(part)}"


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
