"""An api on a broker of its own, and the partners beside it."""

from collections.abc import AsyncIterator, Iterator

import pytest

from deploy.local.servers import Servers
from libs.common.contracts.foreign import ORDERS, TENANTS
from libs.common.settings import BrokerSettings
from services.api.app import seed
from services.api.settings import Settings
from tests.integration.api.conftest import Api, serving, settings_for
from tests.support.databases import TestDatabase
from tests.support.kept_vhosts import declared_vhost
from tests.support.partners import Partners, partners_at


@pytest.fixture(scope="module")
def settings(servers: Servers, api_database: TestDatabase) -> Iterator[Settings]:
    """Settings of an api with a broker of its own."""
    with declared_vhost(servers, services=("api",)) as (url, _):
        yield settings_for(api_database, broker=BrokerSettings(rabbitmq_url=url))


@pytest.fixture(scope="module")
async def partnered(settings: Settings, api_database: TestDatabase) -> AsyncIterator[tuple[Api, Partners]]:
    """A running api that follows its partners, and what they publish with."""
    await seed(settings)
    # First: nobody of ours redeclares what is there.
    async with partners_at(settings.broker.rabbitmq_url) as partners, serving(api_database, settings) as api:
        await partners.until_subscribed(TENANTS.queue, ORDERS.queue)
        yield api, partners
