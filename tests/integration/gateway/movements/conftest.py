"""A tenant at a fake Stripe, with a gateway's database and a ledger's behind it."""

from collections.abc import AsyncIterator

import pytest

from deploy.local.servers import Servers
from tests.support.databases import fresh_database
from tests.support.statement import Merchant, a_merchant


@pytest.fixture
async def merchant(servers: Servers, tenant_id: str) -> AsyncIterator[Merchant]:
    """Of its own, since whoever reads statements reads those of every account."""
    async with (
        fresh_database(servers, ("gateway", "ledger")) as made,
        made.open("gateway") as charging,
        made.open("ledger") as booking,
        a_merchant(charging, booking, tenant_id) as running,
    ):
        yield running
