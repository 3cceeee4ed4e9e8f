"""The tests and their servers live on the same day, also where the clock was moved."""

from datetime import UTC, datetime, timedelta

import asyncpg
import redis.asyncio

from deploy.local.servers import Servers
from libs.common.ids import new_id

CLOSE = timedelta(minutes=5)


async def test_the_servers_live_on_the_day_of_the_tests(servers: Servers) -> None:
    connection = await asyncpg.connect(servers.postgres_url, timeout=15)
    try:
        written = await connection.fetchval("SELECT now()")
    finally:
        await connection.close()
    assert abs(datetime.now(UTC) - written) < CLOSE
    async with redis.asyncio.Redis.from_url(servers.redis_url) as cache:
        seconds, _ = await cache.time()
    assert abs(datetime.now(UTC) - datetime.fromtimestamp(seconds, UTC)) < CLOSE


def test_an_id_carries_the_day_of_the_tests() -> None:
    minted = datetime.fromtimestamp((new_id().int >> 80) / 1000, UTC)
    assert abs(datetime.now(UTC) - minted) < CLOSE
