"""One process of the gateway over the sandbox."""

import pytest

from libs.common.clock import ManualClock
from libs.common.db import Database
from services.gateway.processors.sandbox import SandboxProcessor
from tests.integration.gateway.operations.test_lifecycle import Place
from tests.support.counting import CountingProcessor
from tests.support.gateway_process import Fixed, Gateway


@pytest.fixture
def book() -> CountingProcessor:
    return CountingProcessor(SandboxProcessor(slow_seconds=0.001))


@pytest.fixture
def gateway(database: Database, clock: ManualClock, tenant_id: str, book: CountingProcessor) -> Gateway:
    return Gateway(database, clock, tenant_id, book)


@pytest.fixture
def fixed(place: Place) -> Fixed:
    """The sandbox with answers that a test sets."""
    return Fixed(place.book)
