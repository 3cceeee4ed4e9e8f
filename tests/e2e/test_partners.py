"""A tenant of the suite orders, in two forms; it is charged once, the orders service receives it, and cancelling gives it back."""

from uuid import uuid4

import pytest

from libs.common.contracts.foreign import ORDERS as ORDER_QUEUE
from libs.common.contracts.foreign import TENANTS
from tests.support.partners import ORDERS, partners_at
from tests.support.platform import ADMIN, Platform

pytestmark = pytest.mark.e2e


async def test_an_order_of_a_new_tenant_is_paid_and_given_back(platform: Platform) -> None:
    tenant, order = str(uuid4()), str(uuid4())
    async with partners_at(platform.rabbitmq_url) as partners:
        await partners.until_subscribed(TENANTS.queue, ORDER_QUEUE.queue)
        await partners.suite("tenant.created", tenant, {"name": "Acme", "plan": "pro", "region": "sa-east-1"})
        await partners.order("order.confirmed", tenant, order, 59.97000000000001)
        snake = {"order_id": order, "tenant_id": tenant, "total_amount": "59.97", "customer_ref": "c-1"}
        await partners.publish(ORDERS, "order.confirmed", snake)
        await partners.order("payment.charge_requested", tenant, order, 59.97000000000001)
        settled = await partners.settled(order)
        assert (settled["order_id"], settled["tenant_id"], settled["amount"]) == (order, tenant, "59.97")
        client = await platform.login(ADMIN, tenant=tenant)
        answer = await client.call("GET", f"/v1/payments?orderId={order}")
        [payment] = answer.json
        assert payment["order_id"] == order
        entries = await client.call("GET", f"/v1/ledger/entries?payment_intent_id={payment['id']}")
        assert len(entries.json) == 1
        await partners.order("order.cancelled", tenant, order)
        await client.settled(payment["id"], status="REFUNDED")
        # Nobody has received it twice, and the message has an id.
        received = [message_id for paid, message_id in partners.paid if paid == order]
        assert len(received) == 1
        assert received[0]
