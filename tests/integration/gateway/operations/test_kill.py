"""`kill -9` of the gateway in the middle of its calls: no charge is lost, none is made twice."""

import asyncio
import os
from collections import Counter
from pathlib import Path

import aio_pika
import asyncpg
import pytest

from tests.integration.gateway.test_service import Api, authorize
from tests.support import forks
from tests.support.databases import TestDatabase
from tests.support.ports import free_port
from tests.support.waiting import until

pytestmark = pytest.mark.long

PAYMENTS = 60
WAIT_SECONDS = 60
"""Enough for a process to start on a busy machine."""


async def start(database: TestDatabase, own_url: str, log: Path) -> forks.Process:
    environ = os.environ | {
        "GATEWAY_DATABASE_URL": database.url("gateway_app"),
        "GATEWAY_RABBITMQ_URL": own_url,
        "HTTP_PORT": str(free_port()),
        "SANDBOX_LATENCY_SECONDS": "0.2",
        # Fewer places than commands, so that every kill finds some calling, some waiting and some done.
        "CONSUMER_CONCURRENCY": "8",
        "PROCESSOR_CONCURRENCY_MAX": "6",
        "PROCESSOR_WAITING_MAX": "1",
        "NOT_TAKEN_PAUSE_SECONDS": "0.5",
        "ATTEMPT_LEASE_SECONDS": "3",
        "PROCESSOR_DEADLINE_SECONDS": "1",
        "PROCESSOR_TIMEOUT_SECONDS": "1",
        "PROCESSOR_WAIT_SECONDS": "1",
        "RESOLVE_EVERY_SECONDS": "0.2",
    }
    return await asyncio.to_thread(forks.start, "gateway", "serve", environ=environ, log=log)


async def test_killed_again_and_again_every_payment_is_authorized_once(
    gateway_database: TestDatabase, vhost_url: str, own_urls: dict[str, str], tenant_id: str, tmp_path: Path
) -> None:
    log = tmp_path / "gateway.log"
    watcher = await asyncpg.connect(gateway_database.admin_url)
    process = await start(gateway_database, own_urls["gateway"], log)
    connection = await aio_pika.connect(vhost_url)
    try:
        channel = await connection.channel()
        api = Api(channel, tenant_id)

        async def listening() -> bool:
            try:
                await channel.get_queue("gateway.payment.authorize")
            except aio_pika.exceptions.ChannelClosed:
                await channel.reopen()
                return False
            return True

        await until(listening, seconds=WAIT_SECONDS)
        await api.listen()
        commands = [authorize(15_050) for _ in range(PAYMENTS)]
        await api.send(*commands)
        for kills in range(1, 3):

            async def decided(expected: int = kills * 15) -> bool:
                count: int = await watcher.fetchval(
                    "SELECT count(*) FROM gateway.attempts WHERE tenant_id = $1 AND status = 'APPROVED'", tenant_id
                )
                return count >= expected

            # Six calls are made at a time, so at any such moment some are being made, some wait and some are done.
            await until(decided, seconds=WAIT_SECONDS)
            process.kill()
            await forks.ended(process, seconds=WAIT_SECONDS)
            process = await start(gateway_database, own_urls["gateway"], log)

        intents = {str(command.payment_intent_id) for command in commands}

        async def all_published() -> bool:
            return {body["payment_intent_id"] for _, _, body in api.received} == intents

        await until(all_published, seconds=WAIT_SECONDS)
        rows = await watcher.fetch(
            "SELECT id, gateway_ref, status FROM gateway.attempts WHERE tenant_id = $1", tenant_id
        )
        assert Counter(row["status"] for row in rows) == {"APPROVED": PAYMENTS}
        assert len({row["gateway_ref"] for row in rows}) == PAYMENTS
        # A relay that died between the broker's confirm and its own commit publishes an event again, under the same id.
        assert len({event.id for _, event, _ in api.received}) == PAYMENTS
    finally:
        if process.returncode is None:
            process.terminate()
            await forks.ended(process, seconds=WAIT_SECONDS)
        await watcher.close()
        await connection.close()
