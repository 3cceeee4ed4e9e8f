"""A refund and a dispute of the same money: the merchant sees it in the payment's timeline, once, and nothing else changes."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from libs.common.contracts import gateway
from libs.common.ids import new_id
from tests.integration.api.conftest import Api
from tests.integration.api.payments.test_operations import ASYNC, do, settled, succeeded

LINE = "payment.given_back_twice"


def opened(intent: str, amount_minor: int) -> gateway.DisputeOpened:
    return gateway.DisputeOpened(
        payment_intent_id=UUID(intent),
        amount_minor=amount_minor,
        currency="BRL",
        dispute_id=new_id(),
        gateway_ref="dp_1",
        happened_at=datetime.now(UTC),
        reason="fraudulent",
    )


@pytest.mark.parametrize("is_dispute_first", [True, False])
@pytest.mark.parametrize(("disputed", "lines"), [(10051, 1), (10050, 0)])
async def test_money_given_back_twice_is_in_the_timeline_once(
    api: Api, tenant_id: str, disputed: int, lines: int, is_dispute_first: bool
) -> None:
    client = api.client(tenant_id)
    intent = await settled(api, client, tenant_id)
    refund = (await do(client, intent, "refund", {"amount": "50.00"}, headers=ASYNC)).json["id"]
    dispute, refunded = opened(intent, disputed), succeeded(intent, refund)
    steps: list[tuple[Any, Any]] = [
        (dispute, api.consumers.on_dispute_opened),
        (refunded, api.consumers.on_refund_succeeded),
    ]
    for message, handler in steps if is_dispute_first else reversed(steps):
        for _ in range(2):
            await api.handle(tenant_id, message, by=handler)
    timeline = (await client.call("GET", f"/v1/payment-intents/{intent}/events")).json
    found = [line for line in timeline if line["type"] == LINE]
    assert len(found) == lines
    assert all((line["actor"], line["status"]) == ("gateway", "PARTIALLY_REFUNDED") for line in found)
    # It is the last thing that happened, and no message is published about it.
    assert not found or timeline[-1]["type"] == LINE
    assert not [name for name in await api.published(tenant_id) if LINE in name]


async def test_dispute_of_more_than_the_payment_alone_is_no_such_thing(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    intent = await settled(api, client, tenant_id)
    await api.handle(tenant_id, opened(intent, 20000), by=api.consumers.on_dispute_opened)
    timeline = (await client.call("GET", f"/v1/payment-intents/{intent}/events")).json
    assert LINE not in [line["type"] for line in timeline]
