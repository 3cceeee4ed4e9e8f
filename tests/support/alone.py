"""Each test file by itself, in a pytest process of its own: none may need what another one has left.

    python -m tests.support.alone tests/unit/common tests/e2e/test_money.py

A line for each file has its result, how long it took, and how much its processes computed, the three servers left out.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILE_SECONDS = 1500.0
"""After that a file hangs."""
NO_TESTS = 5
"""The exit code of pytest where a file has no test here."""
SHOWN_CHARACTERS = 6000


def files(places: Sequence[str]) -> Iterator[Path]:
    """Find the test files of some folders, and the files that are named themselves."""
    for place in map(Path, places):
        yield from sorted(place.rglob("test_*.py")) if place.is_dir() else [place]


def passes(file: Path) -> bool:
    """Run one file, print its line, and all of pytest's output where it fails."""
    began, before = time.monotonic(), _computed()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file)]
    try:
        done = subprocess.run(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=FILE_SECONDS, check=False
        )
        code, printed = done.returncode, done.stdout
    except subprocess.TimeoutExpired as late:
        code, printed = -1, late.stdout or b""
    passed = code in {0, NO_TESTS}
    took = f"{time.monotonic() - began:6.1f} s, computed {_computed() - before:6.1f} s"
    print(f"{'ok    ' if passed else 'FAILED'} {took}  {file}", flush=True)
    if not passed:
        print(printed.decode(errors="replace")[-SHOWN_CHARACTERS:], flush=True)
    return passed


def _computed() -> float:
    spent = os.times()
    return spent.children_user + spent.children_system


def main(places: Sequence[str]) -> int:
    """Run the files of all places; returns 1 where one fails."""
    failed = [str(file) for file in files(places) if not passes(file)]
    print(f"failed alone: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["tests"]))
