"""While the database takes no writes, whoever reads is answered and whoever writes is refused with the time to retry."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg

from tests.integration.api.conftest import Api
from tests.support.databases import TestDatabase


@asynccontextmanager
async def _read_only(database: TestDatabase) -> AsyncIterator[None]:
    """Take writing from the api's role, and its connections from it, as a switchover would."""
    admin = await asyncpg.connect(database.admin_url)
    setting = f'ALTER ROLE api_app IN DATABASE "{database.name}"'
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND usename = 'api_app'"
    try:
        await admin.execute(f"{setting} SET default_transaction_read_only = on")
        await admin.execute(end, database.name)
        yield
    finally:
        await admin.execute(f"{setting} RESET default_transaction_read_only")
        await admin.execute(end, database.name)
        await admin.close()


async def test_reads_go_on_and_writes_are_503(api: Api, api_database: TestDatabase, tenant_id: str) -> None:
    client = api.client(tenant_id)
    intent = str((await client.create())["id"])
    key, body = str(uuid4()), {"amount": "1.00", "currency": "BRL", "customer_ref": "c"}
    async with _read_only(api_database):
        async with asyncio.timeout(60):
            # Connections that were cut are met once.
            while (await client.call("GET", "/v1/payment-intents")).status != 200:
                await asyncio.sleep(0.02)
        ready = await client.call("GET", "/readyz")
        assert ready.json["checks"]["database"] == "read_only"
        for path in (
            "/v1/payment-intents",
            f"/v1/payment-intents/{intent}",
            f"/v1/payment-intents/{intent}/events",
            f"/v1/payment-intents/{intent}/refunds",
        ):
            answer = await client.call("GET", path)
            assert answer.status == 200, (path, answer.raw)
        refused = [
            await client.call("POST", "/v1/payment-intents", body, key=key),
            await client.call("POST", f"/v1/payment-intents/{intent}/confirm", key=str(uuid4())),
            await client.call("POST", f"/v1/payment-intents/{intent}/void", key=str(uuid4())),
        ]
        assert [(answer.status, answer.json["code"]) for answer in refused] == [(503, "database_read_only")] * 3
        assert all(int(answer.headers["Retry-After"]) > 0 for answer in refused)
    async with asyncio.timeout(60):
        while (await client.call("POST", "/v1/payment-intents", body, key=key)).status != 200:
            await asyncio.sleep(0.02)
    assert (await client.call("GET", "/readyz")).json["checks"]["database"] == "ok"
