"""While the database takes no writes, whoever reads is answered and whoever writes is refused with the time to retry."""

import asyncio
from uuid import uuid4

from tests.integration.api.conftest import Api
from tests.support.databases import TestDatabase
from tests.support.read_only import read_only


async def test_reads_go_on_and_writes_are_503(api: Api, api_database: TestDatabase, tenant_id: str) -> None:
    client = api.client(tenant_id)
    intent = str((await client.create())["id"])
    key, body = str(uuid4()), {"amount": "1.00", "currency": "BRL", "customer_ref": "c"}
    async with read_only(api_database, "api_app"):
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
