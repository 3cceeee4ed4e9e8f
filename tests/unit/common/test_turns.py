"""Which files of tests a run leaves out: most of each subject by a seed, and never what is always run."""

from collections import Counter

import pytest

from tests.support import turns
from tests.support.turns import left_out

pytestmark = pytest.mark.unit

FILES = {
    path.relative_to(turns.TESTS).as_posix(): path.stat().st_size
    for folder in turns.DRAWN
    for path in (turns.TESTS / folder).rglob("test_*.py")
}


def test_one_of_so_many_files_of_each_subject_is_run() -> None:
    gone = left_out(FILES, seed="7")
    assert gone < FILES.keys()
    for subject in ("integration/api", "integration/gateway", "integration/ledger", "integration/messaging"):
        files = [name for name in FILES.keys() - turns.ALWAYS if name.startswith(f"{subject}/")]
        assert abs(len(files) / turns.OF - sum(name not in gone for name in files)) <= 1, subject


def test_each_file_is_run_by_some_seeds_as_often_as_others() -> None:
    found: Counter[str] = Counter()
    for seed in range(300):
        found.update(FILES.keys() - left_out(FILES, seed=str(seed)))
    drawn = FILES.keys() - turns.ALWAYS
    assert all(0.6 < found[name] / (300 / turns.OF) < 1.5 for name in drawn), found.most_common()
    assert all(found[name] == 300 for name in turns.ALWAYS)


def test_one_seed_leaves_out_the_same() -> None:
    assert left_out(FILES, seed="1") == left_out(dict(reversed(FILES.items())), seed="1") != left_out(FILES, seed="2")


def test_what_is_always_run_is_there() -> None:
    assert FILES.keys() >= turns.ALWAYS
