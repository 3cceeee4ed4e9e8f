"""A payment that names a customer is refused where the customer is not there: when it is created, and when it is confirmed."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from libs.common.contracts import Message
from libs.common.contracts.gateway_customers import FindSavedMethod
from services.api.app import seed
from tests.integration.api.conftest import Api, serving, settings_for
from tests.integration.api.customers.test_customers import made, path
from tests.integration.api.idempotency.conftest import made as reply
from tests.support.databases import TestDatabase

BODY = {"amount": "25.00", "currency": "BRL", "customer_ref": "c"}
PAID = BODY | {"amount": "150.50"}


async def gateway(message: Message) -> Any:
    """The gateway, which has each payment method that is looked for."""
    assert isinstance(message, FindSavedMethod)
    return reply(message.contract.reply)


@pytest.fixture(scope="module")
async def api(api_database: TestDatabase) -> AsyncIterator[Api]:
    settings = settings_for(api_database)
    await seed(settings)
    async with serving(api_database, settings, ask=gateway) as running:
        yield running


async def test_customer_who_is_deleted_is_not_charged(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    kept, gone = await made(client), await made(client)
    intents = []
    for customer in (kept, gone):
        body = BODY | {"customer": customer["id"], "payment_method": str(uuid4()), "off_session": True}
        answer = await client.call("POST", "/v1/payment-intents", body, key=str(uuid4()))
        assert answer.status == 200, answer.raw
        intents.append(f"/v1/payment-intents/{answer.json['id']}/confirm")
    assert (await client.call("DELETE", path(gone))).status == 204
    # The intent as it was created, and then as it is read.
    for _ in range(2):
        refused = await client.call("POST", intents[1], key="k")
        assert (refused.status, refused.json["code"]) == (422, "customer_unknown"), refused.raw
    assert [name for name in await api.published(tenant_id) if name.endswith("payment.authorize")] == []
    await client.call("POST", intents[0], key="k")
    assert len([name for name in await api.published(tenant_id) if name.endswith("payment.authorize")]) == 1


async def test_declined_payment_goes_on_with_what_is_saved(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    customer, method = await made(client), str(uuid4())
    intent = (await client.call("POST", "/v1/payment-intents", PAID | {"customer": customer["id"]}, key="k")).json["id"]
    where = f"/v1/payment-intents/{intent}/confirm"
    await client.call("POST", where, key="first")
    await api.declined(tenant_id, intent)
    body = {"payment_method": method, "off_session": True}
    begun = await client.call("POST", where, body, key="second")
    shown = {name: begun.json[name] for name in ("payment_method", "off_session", "customer", "status")}
    assert shown == {"payment_method": method, "off_session": True, "customer": customer["id"], "status": "PROCESSING"}
    assert (await client.call("DELETE", path(customer))).status == 204
    # The repetition is answered as before, another confirmation is not.
    assert (await client.call("POST", where, body, key="second")).raw == begun.raw
    refused = await client.call("POST", where, body, key="third")
    assert (refused.status, refused.json["code"]) == (422, "customer_unknown"), refused.raw


async def test_expired_key_does_not_spare_the_check_of_its_customer(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    body = BODY | {"customer": (await made(client))["id"]}
    assert (await client.call("POST", "/v1/payment-intents", body, key="k")).status == 200
    foreign = body | {"customer": str(uuid4())}
    reused = await client.call("POST", "/v1/payment-intents", foreign, key="k")
    assert (reused.status, reused.json["code"]) == (422, "idempotency_key_reused")
    await api.database.write(
        "UPDATE idempotency_keys SET expires_at = now() - interval '1 second' WHERE tenant_id = $1", tenant_id
    )
    refused = await client.call("POST", "/v1/payment-intents", foreign, key="k")
    assert (refused.status, refused.json["code"]) == (422, "customer_unknown"), refused.raw
