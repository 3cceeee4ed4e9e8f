"""A pytest plugin: the tests run in a random order, whose seed is printed; PYTEST_SEED makes a run come again.

Folders are shuffled, the modules inside of each, and in these the classes and tests; a module's tests stay together, and a
folder's modules do, since they share its fixtures. PYTEST_SEED=0 keeps the order in which they are written. Where modules run in parallel, those marked `long` come
first: one that began last would leave the other processes with nothing to do. Those marked `late` come last.
"""

import os
import random
from collections.abc import Callable, Hashable, Iterable, Sequence

import pytest

SETTING = "PYTEST_SEED"
SEED_MAX = 2**31
LONG = "long"
"""The mark of a module that takes long."""
LATE = "late"
"""The mark of tests of something that takes its time while the others run."""


def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed once; the processes of a run in parallel find it in their environment."""
    os.environ.setdefault(SETTING, str(random.randrange(1, SEED_MAX)))


def pytest_report_header(config: pytest.Config) -> str:
    """Print the seed."""
    return f"order of tests: {SETTING}={os.environ[SETTING]}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the seed at the end too, where the failures are."""
    terminalreporter.write_line(f"order of tests: {SETTING}={os.environ[SETTING]}")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the tests into their random order; pytest then groups them by the parameters of wide fixtures again."""
    seed = int(os.environ[SETTING])
    if seed:
        items[:] = shuffled(items, random.Random(seed))
        items.sort(key=lambda item: item.get_closest_marker(LATE) is not None)
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.get_closest_marker(LONG) is None)


def shuffled(items: Sequence[pytest.Item], chance: random.Random) -> list[pytest.Item]:
    """Return the tests in a random order: whole folders, in them whole modules, whole classes and whole tests."""

    def folder(item: pytest.Item) -> Hashable:
        return item.path.parent

    def module(item: pytest.Item) -> Hashable:
        return item.path

    def group(item: pytest.Item) -> Hashable:
        return getattr(item, "cls", None) or item.nodeid

    # From one order, however the tests were collected: a seed means the same in every process.
    named = sorted(items, key=lambda item: item.nodeid)
    return [
        item
        for of_folder in _mixed(_grouped(named, folder), chance)
        for of_module in _mixed(_grouped(of_folder, module), chance)
        for of_class in _mixed(_grouped(of_module, group), chance)
        for item in _mixed(of_class, chance)
    ]


def _grouped(items: Iterable[pytest.Item], key: Callable[[pytest.Item], Hashable]) -> list[list[pytest.Item]]:
    groups: dict[Hashable, list[pytest.Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.values())


def _mixed[T](values: Sequence[T], chance: random.Random) -> list[T]:
    return chance.sample(values, len(values))
