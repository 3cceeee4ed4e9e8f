"""A pytest plugin: of families of many like cases the test command draws a sample, and `just test-all` runs them whole.

    @pytest.mark.sampled(by="queue", each=2, always=["ledger-empty"])
    @pytest.mark.parametrize(...)

marks a family. Its cases are divided into classes by the values of the parameters that `by` names, or by what it makes of all
of them, a dictionary (all are one class without it); of each class `each` cases are drawn (one without it), by the seed that
is printed (PYTEST_SEED), and the cases whose
identifiers stand in `always` are added: bounds, and what has failed before. A test that goes through such a family by itself
takes `some(...)` of it.

A sample is drawn where TEST_CASES is `sample`, which the test command sets. Everywhere else, and in `just test-all`, which
sets `all`, every case is run: so is one that is named on the command line of pytest.
"""

import os
import random
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence

import pytest

SETTING = "TEST_CASES"
SAMPLE, ALL = "sample", "all"
SEED = "PYTEST_SEED"
MARK = "sampled"
_OF, _DRAWN = pytest.StashKey[int](), pytest.StashKey[int]()


def sampling() -> bool:
    """Whether samples are drawn."""
    return os.environ.get(SETTING) == SAMPLE


def some[T](
    values: Iterable[T],
    *,
    name: str,
    by: Callable[[T], Hashable] = lambda _: None,
    each: int = 1,
    always: Collection[T] = (),
) -> list[T]:
    """Return what is run of a family, in its order: all of it, or its sample where samples are drawn.

    Args:
        values: the cases, in an order that is always the same.
        name: tells families apart, so that not all draw alike.
        by: the class of a case.
        each: how many of each class are drawn.
        always: the cases that are part of every sample.
    """
    given = list(values)
    if not sampling():
        return given
    chosen = _drawn([by(value) for value in given], by=f"{os.environ.get(SEED, '0')} {name}", each=each)
    return [value for place, value in enumerate(given) if place in chosen or value in always]


def portion[T](values: Iterable[T], *, number: int, of: int, by: Callable[[T], Hashable] = lambda _: None) -> list[T]:
    """Return one of `of` portions of a family, each with a case of every class; together they are the whole.

    For cases that are run in one go and meet each other: of portions there are few, and each can be tried.
    """
    classes: dict[Hashable, list[T]] = {}
    for value in values:
        classes.setdefault(by(value), []).append(value)
    return [
        value
        for members in classes.values()
        for value in (members[number % of :: of] or [members[number % len(members)]])
    ]


def number(of: int) -> int:
    """Return which portion is run where samples are drawn."""
    return random.Random(os.environ.get(SEED, "0")).randrange(of)


def seed(name: str) -> int:
    """Return what a random history is drawn by, another in each run: made of the seed that the run prints.

    Args:
        name: tells histories apart.
    """
    return random.Random(f"{os.environ.get(SEED, '0')} {name}").randrange(2**31)


def _drawn(classes: Sequence[Hashable], *, by: str, each: int) -> set[int]:
    """Return the places of the cases that are drawn by a seed, `each` of every class."""
    chance = random.Random(by)
    places: dict[Hashable, list[int]] = {}
    for place, of in enumerate(classes):
        places.setdefault(of, []).append(place)
    return {place for of in places.values() for place in chance.sample(of, min(each, len(of)))}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the cases that are not drawn."""
    if not sampling():
        return
    families: dict[str, list[pytest.Function]] = {}
    for item in items:
        if isinstance(item, pytest.Function) and item.get_closest_marker(MARK) and hasattr(item, "callspec"):
            families.setdefault(item.nodeid.partition("[")[0], []).append(item)
    kept = {item.nodeid for name, family in families.items() for item in _of_family(name, family)}
    left_out = [item for family in families.values() for item in family if item.nodeid not in kept]
    config.stash[_OF] = sum(map(len, families.values()))
    config.stash[_DRAWN] = len(kept)
    gone = {item.nodeid for item in left_out}
    items[:] = [item for item in items if item.nodeid not in gone]
    config.hook.pytest_deselected(items=left_out)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how many cases were drawn."""
    if config.stash.get(_OF, 0):
        terminalreporter.write_line(
            f"cases of sampled families: {config.stash[_DRAWN]} of {config.stash[_OF]}; `just test-all` runs all"
        )


def _of_family(name: str, family: Sequence[pytest.Function]) -> list[pytest.Function]:
    """Return the cases of one test that are run.

    Raises:
        pytest.UsageError: when a case that is to be in every sample is not there.
    """
    mark = family[0].get_closest_marker(MARK)
    assert mark is not None
    always = set(mark.kwargs.get("always", ()))
    by = mark.kwargs.get("by", ())
    names = (by,) if isinstance(by, str) else by
    # From one order, however the tests were collected: a seed means the same in every process.
    cases = sorted(family, key=lambda item: item.nodeid)
    unknown = always - {item.callspec.id for item in cases}
    # Named by itself, a case comes without the others.
    if unknown and not any("::" in argument for argument in family[0].config.args):
        raise pytest.UsageError(f"{name} has no such cases: {', '.join(sorted(unknown))}")
    given = [item.callspec.params for item in cases]
    classes = [names(each) if callable(names) else tuple(_class(each[name]) for name in names) for each in given]
    chosen = _drawn(classes, by=f"{os.environ.get(SEED, '0')} {name}", each=mark.kwargs.get("each", 1))
    return [item for place, item in enumerate(cases) if place in chosen or item.callspec.id in always]


def _class(value: object) -> Hashable:
    """Return what tells one value of a parameter from the others."""
    return value if isinstance(value, Hashable) else repr(value)
