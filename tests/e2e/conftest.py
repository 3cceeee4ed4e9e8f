"""The whole platform, started once for the tests of this folder."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.local.servers import Servers
from tests.support.platform import ADMIN, OPERATOR, Client, Platform, running_platform
from tests.support.receiver import Receiver, running_receiver


@pytest.fixture(scope="session")
async def platform(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """The four services as processes, migrated and seeded."""
    logs: Path = tmp_path_factory.mktemp("logs")
    async with running_platform(servers, logs) as running:
        yield running


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
