"""Other teams' users on a real broker: each does what its own service does there, and nothing else."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import aio_pika
import pytest
from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel, AbstractQueue

from libs.common.contracts.foreign import ORDERS, TENANTS, subscriptions_of
from libs.common.messaging.topology import declare, topology
from tests.integration.messaging.test_rights import Place, is_refused, place
from tests.support.partners import body_of

__all__ = ["place"]

SETTLED = "payment.settled"


async def connect(place: Place, user: str) -> Any:
    return await aio_pika.connect(place.url_of(user))


async def publish(channel: AbstractChannel, exchange: str, routing_key: str, body: bytes = b"{}") -> None:
    """Publish what a queue must take."""
    target = await channel.get_exchange(exchange, ensure=False) if exchange else channel.default_exchange
    await target.publish(aio_pika.Message(body), routing_key, mandatory=True)


async def queue_as_theirs(channel: AbstractChannel, name: str, dead: str) -> AbstractQueue:
    """Declare a queue of the orders service with its own arguments."""
    await channel.declare_queue(dead, durable=True)
    arguments: dict[str, Any] = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead}
    return await channel.declare_queue(name, durable=True, arguments=arguments)


async def test_partners_publish_and_receive_with_their_users(place: Place) -> None:
    async with await connect(place, "api") as ours:
        api = await ours.channel(on_return_raises=True)
        await declare(api, topology("api", subscriptions_of("api")))
        async with await connect(place, "orders") as theirs:
            channel = await theirs.channel(on_return_raises=True)
            # At its start the orders service declares all that it uses, `payments.x` included.
            for exchange in ("orders.x", "payments.x"):
                await channel.declare_exchange(exchange, ExchangeType.TOPIC, durable=True)
            events = await queue_as_theirs(channel, "orders.events", "orders.dlq")
            await events.bind("orders.x", "#")
            inbound = await queue_as_theirs(channel, "orders.payments", "orders.payments.dlq")
            await inbound.bind("payments.x", SETTLED)
            for form in ORDERS.forms:
                if (form.exchange, form.routing_key) != ("orders.x", "payment.charge_requested"):
                    await publish(channel, form.exchange, form.routing_key, body_of(form.exchange, form.routing_key))
            await publish(api, "payments.x", SETTLED, b'{"order_id": "ord-1"}')
            settled = await inbound.get(timeout=10)
            assert json.loads(settled.body)["order_id"] == "ord-1"
            # What it cannot handle dies in its own dead letters.
            await settled.reject(requeue=False)
        async with await connect(place, "tenants") as theirs:
            channel = await theirs.channel(on_return_raises=True)
            await channel.declare_exchange("saas.events", ExchangeType.TOPIC, durable=True)
            outbox = await channel.declare_queue("saas.outbox.events", durable=True)
            await outbox.bind("saas.events", "saas.#")
            for form in TENANTS.forms:
                await publish(channel, form.exchange, form.routing_key, body_of(form.exchange, form.routing_key))
        received = [
            (await api.declare_queue(each.queue, passive=True)).declaration_result for each in (ORDERS, TENANTS)
        ]
        assert [each.message_count for each in received] == [len(ORDERS.forms) - 1, len(TENANTS.forms)]


@pytest.mark.parametrize("user", ["orders", "tenants"])
async def test_partners_do_nothing_else(place: Place, user: str) -> None:
    other = {"orders": "saas", "tenants": "orders"}[user]
    acts: dict[str, Callable[[AbstractChannel], Awaitable[object]]] = {
        "forge a settled payment": lambda c: publish(c, "payments.x", SETTLED),
        "forge an event between services": lambda c: publish(c, "gateway.events", "payment.captured"),
        "send a command": lambda c: publish(c, "gateway.commands", "payment.refund"),
        "send a request": lambda c: publish(c, "ledger.requests", "journal.post"),
        "publish as the other team": lambda c: publish(c, f"{other}.x", "tenant.created"),
        "write to a queue past its exchange": lambda c: publish(c, "", ORDERS.queue),
        "read what is ours": lambda c: _get(c, "ledger.payment.captured"),
        "read what was sent to us": lambda c: _get(c, ORDERS.queue),
        "read dead letters": lambda c: _get(c, "gateway.payment.authorize.dead"),
        "read every public event": lambda c: _bind(c, user, "payments.x", "#"),
        "read captured payments": lambda c: _bind(c, user, "payments.x", "payment.captured"),
        "read events between services": lambda c: _bind(c, user, "api.events", "payment.settled"),
        "declare a queue with our name": lambda c: c.declare_queue("api.more", durable=True),
        "declare an exchange with our name": lambda c: c.declare_exchange("api.more", durable=True),
        "delete a queue": lambda c: c.queue_delete("ledger.payment.captured"),
        "delete an exchange": lambda c: c.exchange_delete("gateway.events"),
        "have its dead letters go to any queue": lambda c: queue_as_theirs(
            c, f"{_own(user)}.more", "api.requests.work"
        ),
    }
    url = place.url_of(user)
    assert [what for what, act in acts.items() if not await is_refused(url, act)] == []


def _own(user: str) -> str:
    return {"orders": "orders", "tenants": "saas"}[user]


async def _get(channel: AbstractChannel, name: str) -> None:
    await (await channel.get_queue(name, ensure=False)).get(fail=False)


async def _bind(channel: AbstractChannel, user: str, exchange: str, routing_key: str) -> None:
    queue = await channel.declare_queue(f"{_own(user)}.look", exclusive=True)
    await queue.bind(exchange, routing_key)
