"""Dead letters of a running platform, made as its services make them."""

from datetime import UTC, datetime
from uuid import UUID

import aio_pika
import msgspec

from libs.common.clock import iso
from libs.common.contracts.api import TenantProvisioned
from libs.common.ids import new_id
from libs.common.messaging.envelope import PackedEvent, encode_pack
from libs.common.messaging.topology import dead_exchange, dead_queue

QUEUE = "ledger.tenant.provisioned"
"""The queue whose letters these are."""


async def lose(url: str, tenant: str, *, correlation_id: str = "lost") -> UUID:
    """Put among the ledger's dead letters that a tenant is known; returns the event. Handled again, it opens the tenant's accounts."""
    event_id, now = new_id(), datetime.now(UTC)
    body = TenantProvisioned(**TenantProvisioned.example | {"tenant_id": tenant})
    event = PackedEvent(
        id=event_id,
        occurred_at=now,
        tenant_id=tenant,
        correlation_id=correlation_id,
        body=msgspec.Raw(body.encode()),
    )
    letter = aio_pika.Message(
        encode_pack(body.contract.name, [event]),
        message_id=str(event_id),
        type=body.contract.name,
        headers={"x-reason": "a_test", "x-detail": "It was lost on purpose.", "x-failed-at": iso(now)},
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel(publisher_confirms=True)
        exchange = await channel.get_exchange(dead_exchange("ledger"), ensure=False)
        await exchange.publish(letter, routing_key=QUEUE, mandatory=True)
    return event_id


async def forget(url: str) -> None:
    """Remove what was not handled again."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await (await channel.get_queue(dead_queue(QUEUE), ensure=False)).purge()
