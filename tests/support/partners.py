"""The partners, as they publish: the suite's outbox (enveloped, `text/plain`, no headers) and the reference's flat tenants.

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

SUITE, FLAT_TENANTS = "saas.events", "saas.x"


class Partners:
    """Publishes what other teams publish, and looks at what is left of it."""

    def __init__(self, channel: AbstractChannel) -> None:
        self.channel = channel

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
        target = await self.channel.get_exchange(exchange, ensure=False)
        await target.publish(message, routing_key=routing_key, mandatory=True)

    async def suite(self, event: str, tenant_id: str, payload: dict[str, Any], *, at: datetime | None = None) -> None:
        """The suite's outbox publishes an event of a tenant."""
        created_at = (at or datetime.now(UTC)).isoformat().replace("+00:00", "Z")
        body = {
            "id": str(uuid4()),
            "aggregateType": "TENANT",
            "aggregateId": tenant_id,
            "eventType": event,
            "payload": payload,
            "createdAt": created_at,
        }
        await self.publish(SUITE, f"saas.TENANT.{event}", body, content_type="text/plain")

    async def flat_tenant(self, event: str, body: dict[str, Any], *, at: datetime | None = None) -> None:
        """An event of a tenant, as the reference system expects it."""
        await self.publish(FLAT_TENANTS, event, body, timestamp=at)

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
        for exchange in (SUITE, FLAT_TENANTS):
            await channel.declare_exchange(exchange, ExchangeType.TOPIC, durable=True)
        yield Partners(channel)
