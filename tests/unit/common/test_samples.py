"""The sampler: one seed draws one sample, some of every class and what is always run; without it every case is run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import samples
from tests.support.samples import portion, some

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
FAMILY = """
import pytest

@pytest.mark.sampled(by="queue", each=2, always=["a-7"])
@pytest.mark.parametrize("number", range(30))
@pytest.mark.parametrize("queue", ["a", "b", "c"])
def test_family(queue, number): ...

@pytest.mark.parametrize("number", range(30))
def test_others(number): ...
"""


@pytest.fixture
def sampling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(samples.SETTING, samples.SAMPLE)


def collected(folder: Path, *, cases: str, seed: int, family: str = FAMILY) -> set[str]:
    """The tests that pytest would run."""
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = sampled\n")
    (folder / "test_family.py").write_text(family)
    run = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "-c", "pytest.ini"),
            *("-p", "tests.support.order", "-p", "tests.support.samples", "test_family.py"),
        ],
        cwd=folder,
        env=os.environ
        | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        | {samples.SETTING: cases, samples.SEED: str(seed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return {line for line in run.stdout.splitlines() if "::" in line}


def test_tests_of_a_marked_family_are_drawn_and_others_are_not(tmp_path: Path) -> None:
    whole = collected(tmp_path, cases=samples.ALL, seed=1)
    drawn = collected(tmp_path, cases=samples.SAMPLE, seed=1)
    assert len(whole) == 120
    assert drawn < whole
    family = {test for test in drawn if "test_family[" in test}
    assert len(drawn - family) == 30
    for queue in "abc":
        found = {test for test in family if f"[{queue}-" in test} - {"test_family.py::test_family[a-7]"}
        assert 1 <= len(found) <= 2
    assert "test_family.py::test_family[a-7]" in family
    assert collected(tmp_path, cases=samples.SAMPLE, seed=1) == drawn


def test_case_that_is_always_run_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="has no such cases: a-31"):
        collected(tmp_path, cases=samples.SAMPLE, seed=1, family=FAMILY.replace("a-7", "a-31"))


@pytest.mark.usefixtures("sampling")
def test_same_seed_draws_the_same_and_another_one_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for seed in ("1", "1", "2"):
        monkeypatch.setenv(samples.SEED, seed)
        found.append(some(range(1000), name="numbers", by=lambda number: number % 10, each=3, always=(0, 999)))
    assert found[0] == found[1] != found[2]
    for drawn in found:
        assert drawn == sorted(drawn)
        assert {0, 999} < set(drawn)
        assert {number % 10 for number in drawn} == set(range(10))
        assert 30 <= len(drawn) <= 32
    assert some(range(1000), name="others") != some(range(1000), name="numbers")


@pytest.mark.parametrize("setting", [None, samples.ALL])
def test_whole_family_is_run_where_nothing_is_drawn(monkeypatch: pytest.MonkeyPatch, setting: str | None) -> None:
    if setting is None:
        monkeypatch.delenv(samples.SETTING, raising=False)
    else:
        monkeypatch.setenv(samples.SETTING, setting)
    assert some(range(50), name="numbers") == list(range(50))


def test_portions_are_the_whole_together_with_some_of_each_class() -> None:
    portions = [portion(range(103), number=number, of=4, by=lambda value: value % 7) for number in range(4)]
    assert {value for each in portions for value in each} == set(range(103))
    assert all({value % 7 for value in each} == set(range(7)) for each in portions)
    few = [portion("ab", number=number, of=4, by=lambda _: None) for number in range(4)]
    assert few == [["a"], ["b"], ["a"], ["b"]]


def test_history_is_drawn_by_the_seed_of_the_run_and_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(samples.SEED, "1")
    first = samples.seed("lifecycle")
    assert samples.seed("lifecycle") == first != samples.seed("webhooks")
    monkeypatch.setenv(samples.SEED, "2")
    assert samples.seed("lifecycle") != first
