"""The Python client against the platform: a payment from its creation to its refund, its webhook, lists and errors."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from payments_client import AsyncClient, Client, Login, Webhook, errors, models, read_data
from tests.e2e.bookkeeping import new_tenant, person
from tests.support.platform import DEMO_TENANT, OPERATOR, Platform
from tests.support.receiver import Receiver

ALL = ("admin:write", "payments:read", "payments:write", "payments:refund", "ledger:read")


async def test_a_payment_is_made_captured_refunded_and_its_webhook_verified(
    platform: Platform, receiver: Receiver
) -> None:
    tenant = new_tenant()
    engineer = person(platform, tenant, "engineer@example.com", ALL)
    async with AsyncClient(platform.base(), authentication=engineer.token, tenant_id=tenant) as client:
        endpoint = await client.create_webhook(models.CreateWebhook(url=receiver.url, events=["payment.settled"]))
        wish = models.CreatePaymentIntent(
            amount=Decimal("150.50"), currency="BRL", customer_ref="c", capture_method=models.CaptureMethod.MANUAL
        )
        made = await client.create_payment_intent(wish, idempotency_key="one")
        assert (await client.create_payment_intent(wish, idempotency_key="one")).id == made.id
        with pytest.raises(errors.BY_CODE["idempotency_key_reused"]):
            await client.create_payment_intent(
                models.CreatePaymentIntent(amount=1, currency="BRL", customer_ref="c"), idempotency_key="one"
            )
        confirmed = await client.confirm_payment_intent(made.id, prefer="wait=20")
        assert confirmed.status == models.Status.AUTHORIZED
        await client.capture_payment_intent(made.id, prefer="wait=20")
        settled = await _settled(client, made.id)
        assert (settled.captured_amount, settled.amount) == ("150.50", "150.50")
        await client.refund_payment_intent(made.id, models.RefundRequest(amount="50.50", reason="half"))
        async with asyncio.timeout(60):
            while (await client.get_payment_intent(made.id)).refunded_amount != "50.50":
                await asyncio.sleep(0.05)
        assert [intent.id async for intent in client.iterate_payment_intents(customer_ref="c")] == [made.id]
        entries = [entry async for entry in client.iterate_ledger_entries(payment_intent_id=made.id, limit=1)]
        assert len(entries) >= 2
        with pytest.raises(errors.NotFound) as missing:
            await client.get_payment_intent(endpoint.id)
        assert missing.value.correlation_id
    async with asyncio.timeout(60):
        while not receiver.received:
            await asyncio.sleep(0.05)
    assert isinstance(endpoint.secret, str)
    event = Webhook(endpoint.secret).verify(receiver.received[0].body, receiver.received[0].headers)
    assert read_data(event, models.PaymentSettled).payment_intent_id == made.id


async def test_a_thread_logs_in_as_a_person(platform: Platform) -> None:
    def use() -> Any:
        login = Login(*OPERATOR)
        with Client(platform.base(), authentication=login, tenant_id=DEMO_TENANT, correlation_id="mine") as client:
            return client.get_me(), client.list_accounts()

    me, accounts = await asyncio.to_thread(use)
    assert me.tid == DEMO_TENANT
    assert {"CASH", "REVENUE"} <= {account.code for account in accounts}


async def _settled(client: AsyncClient, intent_id: str) -> models.ExpandedPaymentIntent:
    async with asyncio.timeout(60):
        while True:
            shown = await client.get_payment_intent(intent_id)
            if shown.status == models.Status.SETTLED:
                return shown
            await asyncio.sleep(0.05)
