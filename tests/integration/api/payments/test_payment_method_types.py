"""Pix and boleto at the api: what is refused, what the customer sees, and how it ends, also when it is paid late."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from libs.common.clock import ManualClock
from libs.common.contracts import gateway
from libs.common.contracts.gateway_actions import PixDisplayQrCode
from services.api.payments import Abandoner
from tests.integration.api.conftest import Api
from tests.support.platform import Client

MONEY: dict[str, Any] = {"amount_minor": 15050, "currency": "BRL"}
PIX = {"amount": "150.50", "currency": "BRL", "customer_ref": "c", "payment_method_type": "pix"}
PAYER_ADDRESS = {"line1": "Rua A, 1", "city": "São Paulo", "state": "SP", "postal_code": "01310-100", "country": "BR"}
PAYER = {
    "name": "Maria Silva",
    "email": "maria@example.com",
    "tax_id": "000.000.000-00",
    "address": PAYER_ADDRESS,
}
BOLETO = PIX | {"payment_method_type": "boleto", "billing_details": PAYER}


async def create(client: Client, body: dict[str, Any]) -> Any:
    return await client.call("POST", "/v1/payment-intents", body, key=str(uuid4()))


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (PIX | {"currency": "USD"}, "payment_method_type_not_allowed"),
        (PIX | {"capture_method": "manual"}, "payment_method_type_not_allowed"),
        (BOLETO | {"payment_method": "pm_card_visa"}, "payment_method_type_not_allowed"),
        (PIX | {"payment_method_type": "boleto"}, "billing_details_required"),
        (BOLETO | {"billing_details": PAYER | {"tax_id": "000.000.000"}}, "billing_details_required"),
        (PIX | {"payment_method_type": "cash"}, "invalid_request"),
        (BOLETO | {"billing_details": PAYER | {"email": "nobody"}}, "invalid_request"),
    ],
)
async def test_slip_that_cannot_be_made_is_refused(api: Api, tenant_id: str, body: dict[str, Any], code: str) -> None:
    refused = await create(api.client(tenant_id), body)
    assert (refused.status, refused.json["code"]) == (422, code), refused.raw


@pytest.mark.parametrize("name", ["name", "email", "tax_id", *[f"address/{each}" for each in PAYER_ADDRESS]])
async def test_payer_with_a_line_break_is_refused(api: Api, tenant_id: str, name: str) -> None:
    payer: dict[str, Any] = PAYER | {"address": dict(PAYER_ADDRESS)}
    holder = payer["address"] if name.startswith("address/") else payer
    holder[name.removeprefix("address/")] += "\n"
    refused = await create(api.client(tenant_id), BOLETO | {"billing_details": payer})
    assert (refused.status, refused.json["code"]) == (422, "invalid_request"), refused.raw
    assert [each["pointer"] for each in refused.json["errors"]] == [f"/billing_details/{name}"]


async def test_card_is_the_type_of_who_names_none(api: Api, tenant_id: str) -> None:
    made = await create(api.client(tenant_id), {"amount": "1.00", "currency": "USD", "customer_ref": "c"})
    assert (made.json["payment_method_type"], made.json["next_action"]) == ("card", None)


async def test_payer_goes_to_the_gateway_and_is_not_shown(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    made = await create(client, BOLETO)
    assert made.status == 200, made.raw
    await client.confirm(made.json["id"], headers={"Prefer": "respond-async"})
    shown = await client.call("GET", f"/v1/payment-intents/{made.json['id']}")
    assert "Maria" not in shown.raw.decode()
    rows = await api.database.fetch(
        "SELECT body FROM outbox WHERE tenant_id = $1 AND contract = 'command:gateway:payment.authorize'", tenant_id
    )
    assert "Maria" in rows[0]["body"]
    assert '"boleto"' in rows[0]["body"]


async def waiting(api: Api, client: Client, tenant: str) -> str:
    intent = str((await create(client, PIX)).json["id"])
    await client.confirm(intent, headers={"Prefer": "respond-async"})
    action = PixDisplayQrCode(data="0002")
    event = gateway.PaymentActionRequired(
        payment_intent_id=UUID(intent),
        gateway_ref="pi_1",
        next_action=action,
        action_url="https://pix.example",
        **MONEY,
    )
    await api.handle(tenant, event, by=api.consumers.on_payment_action_required)
    return intent


async def test_code_is_shown_until_it_expires_and_late_money_is_taken(
    api: Api, clock: ManualClock, tenant_id: str
) -> None:
    client = api.client(tenant_id)
    intent = await waiting(api, client, tenant_id)
    shown = (await client.call("GET", f"/v1/payment-intents/{intent}")).json
    assert (shown["status"], shown["next_action"]["pix_display_qr_code"]["data"]) == ("REQUIRES_ACTION", "0002")
    ended = gateway.AuthorizationExpired(
        payment_intent_id=UUID(intent), gateway_ref="pi_1", expired_at=clock.now(), was_held=False, **MONEY
    )
    await api.handle(tenant_id, ended, by=api.consumers.on_authorization_expired)
    shown = (await client.call("GET", f"/v1/payment-intents/{intent}")).json
    assert (shown["status"], shown["next_action"], shown["authorized_amount"]) == ("EXPIRED", None, "0.00")
    held = gateway.PaymentAuthorized(payment_intent_id=UUID(intent), gateway_ref="pi_1", **MONEY)
    await api.handle(tenant_id, held, by=api.consumers.on_payment_authorized)
    taken = gateway.PaymentCaptured(
        payment_intent_id=UUID(intent), gateway_ref="pi_1", captured_at=clock.now(), **MONEY
    )
    await api.handle(tenant_id, taken, by=api.consumers.on_payment_captured)
    shown = (await client.call("GET", f"/v1/payment-intents/{intent}")).json
    assert (shown["status"], shown["captured_amount"]) == ("AUTHORIZED", "150.50")


async def test_code_that_nobody_pays_is_left_to_its_end(api: Api, clock: ManualClock, tenant_id: str) -> None:
    client = api.client(tenant_id)
    intent = await waiting(api, client, tenant_id)
    clock.advance(timedelta(days=2))
    await Abandoner(api.database, clock=clock, after=timedelta(days=1), batch_max=10).abandon()
    assert await client.status(intent) == "REQUIRES_ACTION"
