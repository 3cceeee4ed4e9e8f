"""Who calls the platform, and whom it calls."""

from collections.abc import AsyncIterator

import pytest

from tests.support.platform import ADMIN, OPERATOR, Client, Platform
from tests.support.receiver import Receiver, running_receiver


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
