"""Where a customer comes back to is named on creation or on confirmation, and the gateway receives the last one."""

from uuid import uuid4

import msgspec
import pytest

from libs.common.contracts import gateway
from tests.integration.api.conftest import Api
from tests.support.platform import Answer, Client

ASYNC = {"Prefer": "respond-async"}
FIRST, SECOND = "https://shop.example/back?order=7", "http://localhost:3000/back"


async def created(client: Client, return_url: str | None) -> Answer:
    body = {"amount": "150.50", "currency": "BRL", "customer_ref": "c", "return_url": return_url}
    named = {name: value for name, value in body.items() if value is not None}
    return await client.call("POST", "/v1/payment-intents", named, key=str(uuid4()))


@pytest.mark.parametrize(
    ("first", "second", "sent"),
    [(FIRST, None, FIRST), (FIRST, SECOND, SECOND), (None, SECOND, SECOND), (None, None, "")],
)
async def test_last_named_place_is_sent(
    api: Api, tenant_id: str, first: str | None, second: str | None, sent: str
) -> None:
    client = api.client(tenant_id)
    intent = (await created(client, first)).json
    assert intent["return_url"] == first
    path = f"/v1/payment-intents/{intent['id']}/confirm"
    body = None if second is None else {"return_url": second}
    confirmed = await client.call("POST", path, body, key=str(uuid4()), headers=ASYNC)
    assert (confirmed.status, confirmed.json["return_url"]) == (202, sent or None)
    [row] = await api.database.fetch(
        "SELECT body FROM outbox WHERE tenant_id = $1 AND contract = 'command:gateway:payment.authorize'", tenant_id
    )
    assert msgspec.json.decode(row["body"], type=gateway.AuthorizePayment).return_url == sent
    assert (await client.call("GET", f"/v1/payment-intents/{intent['id']}")).json["return_url"] == (sent or None)


@pytest.mark.parametrize(
    "wrong", ["shop.example/back", "javascript:alert(1)", "https://", "https://a b", f"{FIRST}\n", 7]
)
async def test_place_that_is_no_url_is_refused(api: Api, tenant_id: str, wrong: object) -> None:
    client = api.client(tenant_id)
    body = {"amount": "150.50", "currency": "BRL", "customer_ref": "c", "return_url": wrong}
    refused = await client.call("POST", "/v1/payment-intents", body, key=str(uuid4()))
    assert refused.status == 422, refused.raw
    intent = (await created(client, None)).json["id"]
    path = f"/v1/payment-intents/{intent}/confirm"
    assert (await client.call("POST", path, {"return_url": wrong}, key=str(uuid4()))).status == 422
