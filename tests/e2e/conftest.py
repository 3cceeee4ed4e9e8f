"""Who calls the platform, and whom it calls."""

from collections.abc import AsyncIterator

import pytest

from tests.e2e.forgery import Forgery, forge
from tests.support.platform import ADMIN, OPERATOR, Client, Platform
from tests.support.receiver import Receiver, running_receiver


@pytest.fixture(scope="session")
async def forgery(platform: Platform) -> Forgery:
    """A payment whose capture is forged; it takes the ledger almost a minute to say so."""
    return await forge(platform)


@pytest.fixture(autouse=True)
def forged_early(request: pytest.FixtureRequest) -> None:
    """Forge when the platform is first used where a test will look for it, so that nothing waits at the end."""
    if "platform" in request.fixturenames and any("forgery" in item.fixturenames for item in items_of(request.session)):
        request.getfixturevalue("forgery")


def items_of(session: pytest.Session) -> list[pytest.Function]:
    """The tests of this run."""
    return [item for item in session.items if isinstance(item, pytest.Function)]


@pytest.fixture
async def operator(platform: Platform) -> Client:
    """Somebody who may make payments and read the books."""
    return await platform.login(OPERATOR)


@pytest.fixture
async def admin(platform: Platform) -> Client:
    """The global administrator."""
    return await platform.login(ADMIN)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A merchant's endpoint on loopback."""
    async with running_receiver() as running:
        yield running
