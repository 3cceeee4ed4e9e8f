"""Plays the suite and the orders service beside a running platform, and prints what each of them publishes and receives."""

import asyncio
import sys
from uuid import uuid4

from deploy.local import servers
from deploy.local.environment import partners_vhost
from tests.support.partners import ORDERS, Partners, partners_at


def show(who: str, what: object) -> None:
    """Print one line."""
    print(f"{who:>7}  {what}", flush=True)


async def play(url: str) -> None:
    """Make a tenant, confirm an order in two forms, wait until it is paid, and cancel it."""
    tenant, order = str(uuid4()), str(uuid4())
    async with partners_at(url) as partners:
        show("suite", f"tenant.created {tenant} on saas.events, enveloped, text/plain")
        await partners.suite("tenant.created", tenant, {"name": "Acme Corp", "plan": "pro", "region": "sa-east-1"})
        show("orders", f"order.confirmed {order} on orders.x, totalAmount 0.30000000000000004")
        await partners.order("order.confirmed", tenant, order, 0.30000000000000004)
        show("orders", "payment.charge_requested on payments.x, the same order")
        await partners.order("payment.charge_requested", tenant, order, 0.30000000000000004)
        snake = {"order_id": order, "tenant_id": tenant, "total_amount": "0.30", "customer_ref": "c-1"}
        show("orders", "order.confirmed on orders.x, flat snake_case, the same order")
        await partners.publish(ORDERS, "order.confirmed", snake)
        show("orders", f"received payment.settled {await partners.settled(order)}")
        await cancel(partners, tenant, order)


async def cancel(partners: Partners, tenant: str, order: str) -> None:
    """Cancel the order, and wait until it is given back."""
    refunds = await partners.channel.declare_queue(exclusive=True)
    await refunds.bind("payments.x", "payment.refunded")
    show("orders", "order.cancelled on orders.x")
    await partners.order("order.cancelled", tenant, order)
    async with asyncio.timeout(60), refunds.iterator() as messages:
        async for message in messages:
            if order.encode() in message.body:
                show("orders", f"received payment.refunded {message.body.decode()}")
                return


if __name__ == "__main__":
    asyncio.run(play(sys.argv[1] if len(sys.argv) > 1 else servers.ensure("dev").rabbitmq_vhost_url(partners_vhost())))
