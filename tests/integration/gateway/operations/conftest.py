"""One process of the gateway over the sandbox."""

from collections.abc import AsyncIterator

import pytest

from libs.common.clock import ManualClock
from libs.common.db import Database
from services.gateway.processors.sandbox import SandboxProcessor
from tests.support.counting import CountingProcessor
from tests.support.databases import TestDatabase
from tests.support.gateway_process import Gateway


@pytest.fixture
async def database(gateway_database: TestDatabase) -> AsyncIterator[Database]:
    async with gateway_database.open("gateway") as opened:
        yield opened
        # The resolver takes whatever is due: leave nothing of this test to the next one.
        await opened.write("UPDATE attempts SET next_ask_at = NULL")


@pytest.fixture
def book() -> CountingProcessor:
    return CountingProcessor(SandboxProcessor(slow_seconds=0.001))


@pytest.fixture
def gateway(database: Database, clock: ManualClock, tenant_id: str, book: CountingProcessor) -> Gateway:
    return Gateway(database, clock, tenant_id, book)
