"""What the tests have run, which of them may notice a change, and in which order they are tried."""

import ast
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.mutation.changes import assigned

TESTS_SECONDS_MAX = 60
"""Seconds of tests that one mutant meets at most, the cheap ones first."""


class Ran(NamedTuple):
    """What the tests have run: by file and line the tests, '' among them for an import; and the seconds of each test."""

    lines: dict[str, dict[int, set[str]]]
    seconds: dict[str, float]

    def tests_of(self, path: str, lines: Iterator[int] | range) -> set[str]:
        """Return the tests that run one of these lines."""
        of_file = self.lines.get(path, {})
        return {test for line in lines for test in of_file.get(line, ())}

    def cheapest(self, tests: set[str], first: Sequence[str] = ()) -> list[str]:
        """Return as many of these tests, in order, as may run on one mutant; those of `first` that are among them lead."""
        ordered = self.ordered(tests)
        leading = [test for test in first if test in ordered]
        chosen: list[str] = []
        seconds = 0.0
        for test in dict.fromkeys([*leading, *ordered]):
            seconds += self.seconds[test]
            if chosen and seconds > TESTS_SECONDS_MAX:
                break
            chosen.append(test)
        return chosen

    def ordered(self, tests: set[str]) -> list[str]:
        """Return tests with those that need no server first, then cheap files before dear ones; a file stays together."""
        named = {test for test in tests if test in self.seconds}
        files = {path for test in tests if "::" not in test for path in [test] if path}
        named |= {test for test in self.seconds if test.partition("::")[0] in files}
        cost: dict[str, float] = {}
        for test in named:
            file = test.partition("::")[0]
            cost[file] = cost.get(file, 0.0) + self.seconds[test]
        return sorted(
            named,
            key=lambda test: (
                "/unit/" not in test,
                cost[test.partition("::")[0]],
                test.partition("::")[0],
                self.seconds[test],
            ),
        )


class Kept(NamedTuple):
    code: str
    files: dict[str, dict[str, Any]]
    """By test file: its digest, the lines that its tests run, and their seconds."""

    def ran(self, folder: Path, tests: set[str]) -> Ran:
        """Put what is known of the files together, for tests that were collected."""
        found = Ran({}, {})
        for noted in self.files.values():
            found.seconds.update({test: seconds for test, seconds in noted["seconds"].items() if test in tests})
            for path, of_file in noted["lines"].items():
                of_path = found.lines.setdefault(str(folder / path), {})
                for line, ran in of_file.items():
                    of_path.setdefault(int(line), set()).update(ran)
        return found


def digest(*files: Path) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def users(folder: Path, ran: Ran, names: tuple[str, ...]) -> set[str]:
    """Return the tests that run a line which uses one of these names, or a name that an import makes of it."""
    found: set[str] = set()
    seen: set[str] = set()
    waiting = set(names)
    while waiting:
        name = waiting.pop()
        seen.add(name)
        # A test that names it itself looks at it, wherever the rest of the code does.
        found |= {
            file for file in {test.partition("::")[0] for test in ran.seconds} if name in (folder / file).read_text()
        }
        for file, lines in ran.lines.items():
            text = Path(file).read_text()
            if name not in text:
                continue
            for node, stated, is_kept in _uses(text, name):
                tests = {test for line in node for test in lines.get(line, ())}
                found |= tests - {""}
                # What a cached function gives was made for its first caller, and all others depend on it.
                if "" in tests or is_kept:
                    waiting |= set(stated) - seen
    return found


def _uses(text: str, name: str) -> Iterator[tuple[range, tuple[str, ...], bool]]:
    for top in ast.parse(text).body:
        if isinstance(top, (ast.Import, ast.ImportFrom)):
            continue
        stated: tuple[str, ...] = ()
        is_kept = False
        match top:
            case ast.Assign():
                stated = assigned(top.targets)
            case ast.AnnAssign(target=ast.Name(id=target)):
                stated = (target,)
            case ast.FunctionDef(name=target) | ast.AsyncFunctionDef(name=target):
                stated = (target,)
                is_kept = any("cache" in ast.unparse(decorator) for decorator in top.decorator_list)
        for node in ast.walk(top):
            if (isinstance(node, ast.Name) and node.id == name) or (
                isinstance(node, ast.Attribute) and node.attr == name
            ):
                yield range(node.lineno, (node.end_lineno or node.lineno) + 1), stated, is_kept
