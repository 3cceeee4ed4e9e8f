"""A tenant with an inbox of Stripe events."""

from collections.abc import AsyncIterator

import pytest

from libs.common.clock import ManualClock
from tests.support.databases import TestDatabase
from tests.support.stripe_tenant import Tenant


@pytest.fixture
async def tenant(gateway_database: TestDatabase, clock: ManualClock, tenant_id: str) -> AsyncIterator[Tenant]:
    async with gateway_database.open("gateway") as database:
        yield Tenant(database, clock, tenant_id)
