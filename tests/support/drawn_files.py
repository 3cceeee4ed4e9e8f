"""A pytest plugin: of the files of tests that need servers the test command runs one of each four, and `just test-all` runs all.

The files of a subject are put side by side by their size, four and four, and of each four the seed that is printed
(PYTEST_SEED) draws one: so each quarter takes about as long, and each run has another one. Unit tests are always run, but for
those of the tools, and so is what `ALWAYS` names: the path of the money, and what others rely on. A draw is made where TEST_CASES is `sample`, which the test
command sets; a file that is named on the command line of pytest is run in any case.
"""

import os
import random
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support import samples

TESTS = Path(__file__).parents[1]
DRAWN = ("integration", "e2e", "contract", "unit/deploy")
"""The folders whose files are drawn."""
OF = 4
"""Of so many files one is run."""
ALWAYS = frozenset(
    {
        "contract/test_compatibility.py",
        "contract/test_documents.py",
        "contract/test_openapi.py",
        "contract/test_pacts.py",
        "e2e/test_books.py",
        "e2e/test_money.py",
        "e2e/test_payment.py",
        "integration/ledger/posting/test_groups.py",
        "integration/messaging/test_inbox.py",
        "integration/messaging/test_relay.py",
        "integration/test_costs.py",
        "integration/test_requests_of_others.py",
        "integration/test_schemas.py",
    }
)
"""What is part of each run, named from the folder of the tests."""

_LEFT_OUT = pytest.StashKey[frozenset[Path]]()


def left_out(sizes: Mapping[str, int], *, seed: str) -> set[str]:
    """Return the files that a run leaves out.

    Args:
        sizes: the size in bytes of each file that is drawn, by its name from the folder of the tests.
        seed: what the run prints.
    """
    subjects: dict[tuple[str, ...], list[str]] = {}
    for name in sorted(sizes.keys() - ALWAYS, key=lambda name: (sizes[name], name)):
        subjects.setdefault(Path(name).parts[:-1][:2], []).append(name)
    chance = random.Random(f"{seed} files")
    gone: set[str] = set()
    for subject in sorted(subjects):
        names = subjects[subject]
        for place in range(0, len(names), OF):
            group = names[place : place + OF]
            # What is left over is run as often as the others: a group that is not full may draw none.
            run = chance.randrange(OF)
            gone.update(name for number, name in enumerate(group) if number != run)
    return gone


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Draw once the seed is chosen, which `order` does."""
    config.stash[_LEFT_OUT] = frozenset()
    if samples.sampling():
        files = [file for folder in DRAWN for file in (TESTS / folder).rglob("test_*.py")]
        sizes = {file.relative_to(TESTS).as_posix(): file.stat().st_size for file in files}
        gone = left_out(sizes, seed=os.environ.get(samples.SEED, "0"))
        config.stash[_LEFT_OUT] = frozenset(TESTS / name for name in gone)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave a file out that is not drawn, unless it is named."""
    if collection_path not in config.stash[_LEFT_OUT]:
        return None
    named = {(config.invocation_params.dir / argument.partition("::")[0]).resolve() for argument in config.args}
    return None if collection_path in named else True


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Let a part pass of which nothing was drawn: other seeds run it."""
    if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and session.config.stash[_LEFT_OUT]:
        session.exitstatus = pytest.ExitCode.OK


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how many files were left out, over all parts of the run."""
    if config.stash[_LEFT_OUT]:
        terminalreporter.write_line(
            f"{len(config.stash[_LEFT_OUT])} files of tests are left to other seeds; `just test-all` runs all"
        )
