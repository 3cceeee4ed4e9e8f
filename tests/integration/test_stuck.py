"""`just stuck` on real servers: each service reads its own schema and its own dead letters."""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from deploy.local.servers import Servers
from deploy.local.stuck import stuck
from libs.common.ids import new_id
from tests.integration.messaging.test_letters import QUEUE, lose
from tests.support.brokers import fresh_vhost
from tests.support.databases import TestDatabase

_INTENT = """
INSERT INTO api.payment_intents (tenant_id, id, amount_minor, currency, status, customer_ref, metadata, version, created_at,
    updated_at) VALUES ('t', $1, 100, 'BRL', $2, 'c', '{}', 2, $3, $3)
"""


@pytest.fixture
def vhost_url(servers: Servers) -> Iterator[str]:
    with fresh_vhost(servers) as url:
        yield url


async def test_payments_that_wait_are_listed_with_reason_and_next_step(
    make_database: Callable[..., AbstractAsyncContextManager[TestDatabase]], vhost_url: str
) -> None:
    lost, unheard, fresh = new_id(), new_id(), new_id()
    now = datetime.now(UTC)
    async with make_database("api", "gateway", "ledger", "notifier") as database:
        admin = await asyncpg.connect(database.admin_url)
        await admin.execute(_INTENT, lost, "AUTHORIZED", now - timedelta(hours=2))
        await admin.execute(_INTENT, unheard, "PROCESSING", now - timedelta(hours=1))
        await admin.execute(_INTENT, fresh, "PROCESSING", now)
        await admin.close()
        await lose(vhost_url, lost)
        env = os.environ | {
            "APP_ENV": "local",
            "LOG_LEVEL": "WARNING",
            "RABBITMQ_URL": vhost_url,
            **{
                f"{name.upper()}_DATABASE_URL": database.url(f"{name}_app")
                for name in ("api", "gateway", "ledger", "notifier")
            },
        }
        text = await asyncio.to_thread(stuck, env)
    assert f"payment {lost} (tenant t): authorized automatic since" in text
    assert f"a dead letter waits in {QUEUE}: attempt_conflict" in text
    assert f"just redrive gateway {QUEUE}" in text
    assert f"payment {unheard} (tenant t): processing since" in text
    assert "no attempt at the gateway: the command to authorize has not arrived" in text
    assert str(fresh) not in text
