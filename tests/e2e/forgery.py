"""A capture that never happened, published by somebody who knows the gateway's password at RabbitMQ."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import aio_pika
import msgspec

from libs.common.contracts.gateway import PaymentCaptured
from libs.common.ids import new_id
from libs.common.messaging.envelope import PackedEvent, encode_pack
from tests.e2e.bookkeeping import CHIEF, person
from tests.support.platform import Client, Platform

AMOUNT = "150.50"


class Forgery(msgspec.Struct, frozen=True, kw_only=True):
    """A payment that is authorized and whose capture is forged."""

    tenant: str
    """Whose payment it is; nobody else's books are touched."""
    intent: str


async def forge(platform: Platform) -> Forgery:
    """Have a payment authorized, and publish that it was captured."""
    forgery = Forgery(tenant=f"tenant-{uuid4().hex[:12]}", intent="")
    client = client_of(platform, forgery)
    made = await client.call(
        "POST",
        "/v1/payment-intents",
        {"amount": AMOUNT, "currency": "BRL", "customer_ref": "c-1", "capture_method": "manual"},
        key=str(uuid4()),
    )
    assert made.status == 200, made.raw
    forgery = msgspec.structs.replace(forgery, intent=made.json["id"])
    await client.confirm(forgery.intent)
    await client.settled(forgery.intent, status="AUTHORIZED")
    body = PaymentCaptured(
        payment_intent_id=UUID(forgery.intent),
        amount_minor=15050,
        currency="BRL",
        gateway_ref="forged",
        captured_at=datetime.now(UTC),
    )
    event = PackedEvent(
        id=new_id(),
        occurred_at=datetime.now(UTC),
        tenant_id=forgery.tenant,
        correlation_id="forged",
        body=msgspec.Raw(body.encode()),
    )
    url = platform.environ.get("GATEWAY_RABBITMQ_URL", platform.rabbitmq_url)
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange(body.contract.exchange, ensure=False)
        pack = aio_pika.Message(encode_pack(body.contract.name, [event]))
        await exchange.publish(pack, routing_key=body.contract.name)
    return forgery


def client_of(platform: Platform, forgery: Forgery) -> Client:
    """Somebody who may pay and read everything of the tenant."""
    return person(platform, forgery.tenant, "victim", (*CHIEF, "payments:read", "payments:write", "admin:read"))
