"""Payments whose customer does not come back are cancelled at the processor, once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from libs.common.clock import ManualClock
from libs.common.contracts import gateway
from libs.common.db import Database
from services.api.payments import Abandoner
from tests.integration.api.conftest import Api
from tests.support.databases import TestDatabase
from tests.support.platform import Client

DAY = timedelta(days=1)
ASYNC = {"Prefer": "respond-async"}
MONEY: dict[str, Any] = {"amount_minor": 15050, "currency": "BRL"}


@pytest.fixture
async def database(api_database: TestDatabase) -> AsyncIterator[Database]:
    async with api_database.open("api") as opened:
        yield opened


async def waiting_for_its_customer(api: Api, client: Client, tenant: str) -> str:
    intent = str((await client.create())["id"])
    await client.confirm(intent, headers=ASYNC)
    action = gateway.PaymentActionRequired(payment_intent_id=UUID(intent), gateway_ref="pi_1", **MONEY)
    await api.handle(tenant, action, by=api.consumers.on_payment_action_required)
    assert await client.status(intent) == "REQUIRES_ACTION"
    return intent


async def voids_of(api: Api, tenant: str) -> list[gateway.VoidPayment]:
    rows = await api.database.fetch(
        "SELECT body FROM outbox WHERE tenant_id = $1 AND contract = 'command:gateway:payment.void'", tenant
    )
    return [msgspec.json.decode(row["body"], type=gateway.VoidPayment) for row in rows]


async def test_customer_who_is_late_loses_the_payment_once(
    api: Api, database: Database, clock: ManualClock, tenant_id: str
) -> None:
    client = api.client(tenant_id)
    intent = await waiting_for_its_customer(api, client, tenant_id)
    # Each process has one; the row is taken by one of them.
    abandoners = [Abandoner(database, clock=clock, after=DAY, batch_max=2) for _ in range(3)]
    clock.advance(DAY - timedelta(minutes=5))
    await asyncio.gather(*(each.abandon() for each in abandoners))
    assert await voids_of(api, tenant_id) == []
    clock.advance(timedelta(minutes=10))
    await asyncio.gather(*(each.abandon() for each in abandoners))
    [void] = await voids_of(api, tenant_id)
    assert (str(void.payment_intent_id), void.gateway_ref, void.reason) == (intent, "pi_1", "abandoned")
    assert await client.status(intent) == "REQUIRES_ACTION"
    lines = await api.database.fetch(
        "SELECT actor, action FROM audit_log WHERE tenant_id = $1 AND target = $2 ORDER BY id DESC LIMIT 1",
        tenant_id,
        intent,
    )
    assert [tuple(line) for line in lines] == [("api", "payment_intent.abandon")]
    released = gateway.PaymentVoided(payment_intent_id=UUID(intent), gateway_ref="pi_1", voided_at=clock.now(), **MONEY)
    await api.handle(tenant_id, released, by=api.consumers.on_payment_voided)
    assert await client.status(intent) == "VOIDED"
    assert (await api.published(tenant_id))[-1] == "event:api:payment.voided"


async def test_customer_who_acts_at_last_is_released(
    api: Api, database: Database, clock: ManualClock, tenant_id: str
) -> None:
    client = api.client(tenant_id)
    intent = await waiting_for_its_customer(api, client, tenant_id)
    clock.advance(DAY + timedelta(minutes=5))
    await Abandoner(database, clock=clock, after=DAY, batch_max=100).abandon()
    await api.authorized(tenant_id, intent)
    voided = gateway.PaymentVoided(payment_intent_id=UUID(intent), gateway_ref="pi_1", voided_at=clock.now(), **MONEY)
    await api.handle(tenant_id, voided, by=api.consumers.on_payment_voided)
    assert await client.status(intent) == "VOIDED"
    assert "command:gateway:payment.capture" not in await api.published(tenant_id)


async def test_hold_reported_again_shows_when_it_ends(api: Api, clock: ManualClock, tenant_id: str) -> None:
    client = api.client(tenant_id)
    body = {"amount": "150.50", "currency": "BRL", "customer_ref": "c", "capture_method": "manual"}
    intent = str((await client.call("POST", "/v1/payment-intents", body, key=str(uuid4()))).json["id"])
    await client.confirm(intent, headers=ASYNC)
    held = gateway.PaymentAuthorized(payment_intent_id=UUID(intent), gateway_ref="pi_1", **MONEY)
    for each in (held, msgspec.structs.replace(held, expires_at=clock.now()), held):
        await api.handle(tenant_id, each, by=api.consumers.on_payment_authorized)
    assert (await client.call("GET", f"/v1/payment-intents/{intent}")).json["expires_at"] is not None
    assert (await api.published(tenant_id)).count("event:api:payment.authorized") == 1


async def test_cancellation_that_was_refused_is_requested_again(
    api: Api, database: Database, clock: ManualClock, tenant_id: str
) -> None:
    client = api.client(tenant_id)
    intent = await waiting_for_its_customer(api, client, tenant_id)
    refused = gateway.VoidFailed(payment_intent_id=UUID(intent), reason="processor_refused", detail="No.", **MONEY)
    for requested in (1, 2):
        clock.advance(DAY + timedelta(minutes=5))
        await Abandoner(database, clock=clock, after=DAY, batch_max=100).abandon()
        assert len(await voids_of(api, tenant_id)) == requested
        for _ in range(2):
            await api.handle(tenant_id, refused, by=api.consumers.on_void_failed)
        assert await client.status(intent) == "REQUIRES_ACTION"
