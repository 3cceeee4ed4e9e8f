"""The partners, as they publish: the suite's outbox (enveloped, `text/plain`, no headers), the reference's flat tenants, and the
orders service, which receives settled payments on a queue of its own.

Properties, headers and encodings are those that were captured of them; nothing of ours is used to write a message.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import aio_pika
from aio_pika import DeliveryMode, ExchangeType
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aio_pika.exceptions import ChannelNotFoundEntity

SUITE, FLAT_TENANTS, ORDERS, PAYMENTS = "saas.events", "saas.x", "orders.x", "payments.x"
INBOUND = "orders.payments"
"""The orders service's own queue of settled payments."""


def envelope_of(event: str, tenant_id: str, payload: dict[str, Any], *, at: datetime) -> dict[str, Any]:
    """What the suite's outbox writes."""
    return {
        "id": str(uuid4()),
        "aggregateType": "TENANT",
        "aggregateId": tenant_id,
        "eventType": event,
        "payload": payload,
        "createdAt": at.isoformat().replace("+00:00", "Z"),
    }


def order_of(tenant_id: str, order_id: str, amount: float | None) -> dict[str, Any]:
    """What the orders service writes of an order; with an amount where it is to be charged."""
    body: dict[str, Any] = {"orderId": order_id, "tenantId": tenant_id, "correlationId": str(uuid4())}
    if amount is None:
        return body
    items = [{"sku": "ELET-003", "qty": 2, "price": amount / 2}]
    return body | {"customerId": "buyer@example.com", "items": items, "totalAmount": amount, "currency": "BRL"}


def body_of(exchange: str, routing_key: str) -> bytes:
    """One body that a partner publishes there."""
    tenant = str(uuid4())
    if exchange == SUITE:
        event = routing_key.removeprefix("saas.TENANT.")
        payload = {"name": "Acme", "plan": "pro"} | ({"region": "us-east-1"} if event == "tenant.created" else {})
        return json.dumps(envelope_of(event, tenant, payload, at=datetime.now(UTC))).encode()
    if exchange == FLAT_TENANTS:
        return json.dumps({"tenant_id": tenant, "name": "Acme", "plan": "pro", "region": "region-a"}).encode()
    return json.dumps(order_of(tenant, str(uuid4()), None if routing_key == "order.cancelled" else 59.97)).encode()


class Partners:
    """Publishes what other teams publish, and looks at what is left of it."""

    def __init__(self, channel: AbstractChannel) -> None:
        self.channel = channel
        self.paid: list[tuple[str | None, str | None]] = []
        """What `settled` has received: orders, and the ids of the messages."""

    async def publish(
        self,
        exchange: str,
        routing_key: str,
        body: bytes | dict[str, Any],
        *,
        content_type: str | None = "application/json",
        message_id: str | None = None,
        headers: dict[str, Any] | None = None,
        timestamp: datetime | None = None,
    ) -> None:
        """Publish one message, which a queue must take."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        message = aio_pika.Message(
            raw,
            content_type=content_type,
            delivery_mode=DeliveryMode.PERSISTENT,
            message_id=message_id,
            headers=headers or {},
            timestamp=timestamp,
        )
        target = await self.channel.get_exchange(exchange, ensure=False) if exchange else self.channel.default_exchange
        await target.publish(message, routing_key=routing_key, mandatory=True)

    async def suite(self, event: str, tenant_id: str, payload: dict[str, Any], *, at: datetime | None = None) -> None:
        """The suite's outbox publishes an event of a tenant."""
        body = envelope_of(event, tenant_id, payload, at=at or datetime.now(UTC))
        await self.publish(SUITE, f"saas.TENANT.{event}", body, content_type="text/plain")

    async def flat_tenant(self, event: str, body: dict[str, Any], *, at: datetime | None = None) -> None:
        """An event of a tenant, as the reference system expects it."""
        await self.publish(FLAT_TENANTS, event, body, timestamp=at)

    async def order(self, event: str, tenant_id: str, order_id: str, amount: float | None = None, **more: Any) -> None:
        """The orders service publishes an event of an order: `payment.*` on `payments.x`, all else on `orders.x`."""
        body = order_of(tenant_id, order_id, amount)
        headers = {"X-Correlation-Id": body["correlationId"], "X-Tenant-Id": tenant_id}
        exchange = PAYMENTS if event.startswith("payment.") else ORDERS
        await self.publish(exchange, event, body | more, headers=headers, timestamp=datetime.now(UTC))

    async def settled(self, order_id: str, *, seconds: float = 60) -> dict[str, Any]:
        """Wait until the orders service has received that an order is paid; reads what it reads of it, at the top."""
        queue = await self.channel.get_queue(INBOUND, ensure=False)
        async with asyncio.timeout(seconds):
            while True:
                message = await queue.get(fail=False, no_ack=True)
                if message is None:
                    await asyncio.sleep(0.05)
                    continue
                body: dict[str, Any] = json.loads(message.body)
                self.paid.append((body.get("orderId") or body.get("order_id"), message.message_id))
                if self.paid[-1][0] == order_id:
                    return body

    async def until_subscribed(self, *queues: str) -> None:
        """Wait until each of these queues has a consumer; then its bindings are there too."""
        async with asyncio.timeout(60):
            for queue in queues:
                while not await self._consumers(queue):
                    await asyncio.sleep(0.05)

    async def _consumers(self, queue: str) -> int:
        try:
            declared = await self.channel.declare_queue(queue, passive=True)
        except ChannelNotFoundEntity:
            await self.channel.reopen()
            return 0
        return declared.declaration_result.consumer_count or 0

    async def dead_letter(self, queue: str) -> AbstractIncomingMessage | None:
        """Take one dead letter of a queue."""
        dead = await self.channel.get_queue(f"{queue}.dead", ensure=False)
        return await dead.get(fail=False, no_ack=True)


@asynccontextmanager
async def partners_at(url: str) -> AsyncIterator[Partners]:
    """Connect, and declare the exchanges as the partners do: topic, durable, no arguments."""
    connection = await aio_pika.connect(url, timeout=10)
    async with connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        for exchange in (SUITE, FLAT_TENANTS, ORDERS, PAYMENTS):
            await channel.declare_exchange(exchange, ExchangeType.TOPIC, durable=True)
        dead: dict[str, Any] = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": f"{INBOUND}.dlq"}
        inbound = await channel.declare_queue(INBOUND, durable=True, arguments=dead)
        await inbound.bind(PAYMENTS, "payment.settled")
        yield Partners(channel)
