"""Which files of tests a run leaves out: most of each subject by a seed, and never what is always run."""

import os
import subprocess
import sys
from collections import Counter

import pytest

from tests.support import drawn_files
from tests.support.drawn_files import left_out

pytestmark = pytest.mark.unit

FILES = {
    path.relative_to(drawn_files.TESTS).as_posix(): path.stat().st_size
    for folder in drawn_files.DRAWN
    for path in (drawn_files.TESTS / folder).rglob("test_*.py")
}


def test_one_of_so_many_files_of_each_subject_is_run() -> None:
    gone = left_out(FILES, seed="7")
    assert gone < FILES.keys()
    for subject in ("integration/api", "integration/gateway", "integration/ledger", "integration/messaging"):
        files = [name for name in FILES.keys() - drawn_files.ALWAYS if name.startswith(f"{subject}/")]
        assert abs(len(files) / drawn_files.OF - sum(name not in gone for name in files)) <= 1, subject


def test_each_file_is_run_by_some_seeds_as_often_as_others() -> None:
    found: Counter[str] = Counter()
    for seed in range(300):
        found.update(FILES.keys() - left_out(FILES, seed=str(seed)))
    drawn = FILES.keys() - drawn_files.ALWAYS
    assert all(0.6 < found[name] / (300 / drawn_files.OF) < 1.5 for name in drawn), found.most_common()
    assert all(found[name] == 300 for name in drawn_files.ALWAYS)


def test_one_seed_leaves_out_the_same() -> None:
    assert left_out(FILES, seed="1") == left_out(dict(reversed(FILES.items())), seed="1") != left_out(FILES, seed="2")


def test_what_is_always_run_is_there() -> None:
    assert FILES.keys() >= drawn_files.ALWAYS


@pytest.mark.parametrize(("cases", "code"), [("sample", 0), ("all", 5)])
def test_part_of_which_nothing_is_drawn_is_none_that_fails(cases: str, code: int) -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-k",
        "called_like_no_test",
        "tests/unit/clients",
    ]
    environ = os.environ | {"TEST_CASES": cases}
    done = subprocess.run(
        command, cwd=drawn_files.TESTS.parent, env=environ, capture_output=True, timeout=120, check=False
    )
    assert done.returncode == code, done.stdout
