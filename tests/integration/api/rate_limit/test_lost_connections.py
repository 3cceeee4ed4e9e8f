"""Connections to Redis that a network has lost cost one question without an answer, however many they are."""

import asyncio
from urllib.parse import urlsplit

import pytest

from deploy.local.servers import Servers
from services.api.errors import StoreUnavailable
from services.api.rate_limit import Store, store
from services.api.settings import RedisSettings
from tests.support.proxies import running_proxies

pytestmark = pytest.mark.integration

CONNECTIONS = 5
SECONDS = 10


async def test_lost_connections_cost_one_question_together(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_AWAY_SECONDS", 0.0)
    port = urlsplit(servers.redis_url).port
    assert port is not None
    async with running_proxies([port]) as (proxy,):
        url = servers.redis_url.replace(f":{port}", f":{proxy.port}", 1)
        redis = Store(RedisSettings(redis_url=url, redis_timeout_seconds=0.3))

        async def read_together() -> None:
            await asyncio.gather(*(redis.read("test:lost") for _ in range(CONNECTIONS)))

        try:
            async with asyncio.timeout(SECONDS):
                await read_together()
                await proxy.act("forget")
                with pytest.raises(StoreUnavailable):
                    await redis.read("test:lost")
                await read_together()
        finally:
            await redis.close()
