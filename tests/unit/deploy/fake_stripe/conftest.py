"""A running fake Stripe with a caller."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from deploy.fake_stripe import running_fake_stripe
from tests.support.fake_stripe import Caller


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    async with running_fake_stripe() as fake, aiohttp.ClientSession() as http:
        yield Caller(fake, http)
