"""A refund that is requested again, after the database has lost it and its key, is the same refund."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest

from tests.integration.api.conftest import Api
from tests.integration.api.payments.test_operations import ASYNC, do, settled, succeeded
from tests.support.databases import TestDatabase
from tests.support.platform import Client

BODY = {"amount": "50.00"}


@pytest.fixture
async def administrator(api_database: TestDatabase) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(api_database.admin_url)
    try:
        yield connection
    finally:
        await connection.close()


async def lose(administrator: asyncpg.Connection, intent: str) -> None:
    """Forget the refunds of a payment, as a database does that is restored to before them."""
    of_intent = UUID(intent)
    await administrator.execute("DELETE FROM api.refunds WHERE payment_intent_id = $1", of_intent)
    await administrator.execute("DELETE FROM api.idempotency_keys WHERE operation LIKE 'refund%'")
    await administrator.execute(
        "UPDATE api.payment_intents SET refunding_minor = 0, refunded_minor = 0 WHERE id = $1", of_intent
    )


async def first(api: Api, tenant_id: str) -> tuple[Client, str, str, Any]:
    """Refund a payment under a key: the client, the payment, the key and the answer."""
    client = api.client(tenant_id)
    intent = await settled(api, client, tenant_id)
    key = str(uuid4())
    return client, intent, key, await do(client, intent, "refund", BODY, key=key, headers=ASYNC)


async def test_refund_that_was_lost_has_the_same_id_again(
    api: Api, tenant_id: str, administrator: asyncpg.Connection
) -> None:
    client, intent, key, made = await first(api, tenant_id)
    await lose(administrator, intent)
    again = await do(client, intent, "refund", BODY, key=key, headers=ASYNC)
    assert (made.status, again.status) == (200, 200)
    assert again.json["id"] == made.json["id"]
    assert (await do(client, intent, "refund", BODY, key=str(uuid4()), headers=ASYNC)).json["id"] != made.json["id"]


async def test_refund_that_was_found_at_the_processor_answers_its_key(
    api: Api, tenant_id: str, administrator: asyncpg.Connection
) -> None:
    client, intent, key, made = await first(api, tenant_id)
    await lose(administrator, intent)
    found = msgspec.structs.replace(succeeded(intent, made.json["id"]), is_adopted=True)
    await api.handle(tenant_id, found, by=api.consumers.on_refund_succeeded)
    requested = (await api.published(tenant_id)).count("command:gateway:payment.refund")

    other = await do(client, intent, "refund", {"amount": "51.00"}, key=key)
    assert (other.status, other.json["code"]) == (422, "idempotency_key_reused")
    again = await do(client, intent, "refund", BODY, key=key)
    assert (again.status, again.json["id"], again.json["status"]) == (200, made.json["id"], "COMPLETED")
    assert (await do(client, intent, "refund", BODY, key=key)).raw == again.raw
    payment = (await client.call("GET", f"/v1/payment-intents/{intent}")).json
    assert payment["refunded_amount"] == "50.00"
    # Nothing is requested of the processor.
    assert (await api.published(tenant_id)).count("command:gateway:payment.refund") == requested


async def test_refund_that_is_found_while_it_is_requested_again_is_made_once(
    api: Api, tenant_id: str, administrator: asyncpg.Connection
) -> None:
    client, intent, key, _ = await first(api, tenant_id)
    of_intent = UUID(intent)
    await administrator.execute(
        "CREATE TEMPORARY TABLE kept AS SELECT * FROM api.refunds WHERE payment_intent_id = $1", of_intent
    )
    await lose(administrator, intent)
    requested = (await api.published(tenant_id)).count("command:gateway:payment.refund")
    async with administrator.transaction():
        # As the consumer does that finds it: under the lock of the payment, for which the request has to wait.
        await administrator.execute("UPDATE api.payment_intents SET refunded_minor = 5000 WHERE id = $1", of_intent)
        again = asyncio.create_task(do(client, intent, "refund", BODY, key=key, headers=ASYNC))
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))"
        async with asyncio.timeout(60):
            while not await administrator.fetchval(waiting):
                await asyncio.sleep(0.01)
        await administrator.execute("UPDATE kept SET status = 'COMPLETED', gateway_ref = 're_1'")
        await administrator.execute("INSERT INTO api.refunds SELECT * FROM kept")
    answer = await again
    assert (answer.status, answer.json["status"]) == (200, "COMPLETED")
    assert (await do(client, intent, "refund", BODY, key=key)).raw == answer.raw
    payment = (await client.call("GET", f"/v1/payment-intents/{intent}")).json
    assert payment["refunded_amount"] == "50.00"
    assert (await api.published(tenant_id)).count("command:gateway:payment.refund") == requested


async def test_key_that_is_free_again_makes_another_refund(
    api: Api, tenant_id: str, administrator: asyncpg.Connection
) -> None:
    client, intent, key, made = await first(api, tenant_id)
    await administrator.execute("UPDATE api.refunds SET created_at = created_at - interval '100 days'")
    await administrator.execute(
        "UPDATE api.idempotency_keys SET expires_at = created_at WHERE operation LIKE 'refund%'"
    )
    second = await do(client, intent, "refund", BODY, key=key, headers=ASYNC)
    assert second.status == 200
    assert second.json["id"] != made.json["id"]
    shown = (await client.call("GET", f"/v1/payment-intents/{intent}/refunds")).json
    assert {refund["id"] for refund in shown} == {made.json["id"], second.json["id"]}
