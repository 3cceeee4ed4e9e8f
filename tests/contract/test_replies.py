"""Every request of the pacts, sent to the running services over the broker: what they reply is what the requester reads.

A pact of a request is made of the type that its requester decodes, so the reply is held to that type; a refusal to its schema in AsyncAPI,
and its code to docs/errors.md.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import aio_pika
import jsonschema_rs
import msgspec

from deploy.local.layout import ROOT
from libs.common.contracts import Message
from libs.common.messaging.asyncapi_parts import REFUSAL
from libs.common.messaging.requests import Reply
from libs.common.messaging.topology import reply_exchange
from tests.contract.refusals import REFUSED, error_of, kind_of
from tests.e2e.bookkeeping import new_tenant, person
from tests.support.platform import Platform
from tests.support.requests import body_of, requests

SECONDS = 60
FULL = {
    "accounts.list",
    "attempts.list",
    "balances.list",
    "entries.list",
    "gateway_configs.list",
    "imports.list",
    "imports.list_sources",
    "policy.changes",
    "webhook_endpoints.list",
}
"""Lists that have an item for it, whatever else goes on."""


def is_empty(answer: dict[str, Any]) -> bool:
    """Whether an answer is a list without an item."""
    lists = [value for value in answer.values() if isinstance(value, list)]
    return bool(lists) and not any(lists)


class Requester:
    """Sends requests as a service does, and receives the bytes of their replies."""

    def __init__(self, channel: aio_pika.abc.AbstractChannel, tenant: str) -> None:
        self._channel, self._tenant = channel, tenant
        self._replies: dict[str, tuple[str, aio_pika.abc.AbstractQueueIterator]] = {}

    async def receive(self, service: str) -> None:
        """Take replies to requests of a service."""
        exchange = reply_exchange(service)
        queue = await self._channel.declare_queue(f"{exchange}.{uuid4().hex}", exclusive=True)
        await queue.bind(exchange, queue.name)
        self._replies[service] = queue.name, queue.iterator(no_ack=True)

    async def request(self, kind: type[Message], body: bytes) -> bytes:
        """Send a request and return the reply."""
        contract, ticket = kind.contract, uuid4().hex
        reply_to, replies = self._replies[contract.published_by[0]]
        message = aio_pika.Message(
            body,
            type=contract.name,
            reply_to=reply_to,
            correlation_id=ticket,
            headers={"X-Correlation-Id": ticket, "X-Tenant-Id": self._tenant, "traceparent": ""},
        )
        await (await self._channel.get_exchange(contract.exchange, ensure=False)).publish(message, contract.name)
        async with asyncio.timeout(SECONDS):
            reply = await anext(replies)
        assert reply.correlation_id == ticket
        return reply.body


@asynccontextmanager
async def requester(platform: Platform, tenant: str) -> AsyncIterator[Requester]:
    async with await aio_pika.connect(platform.rabbitmq_url) as connection:
        made = Requester(await connection.channel(), tenant)
        for service in ("api", "gateway"):
            await made.receive(service)
        yield made


async def test_every_request_is_answered_as_its_requester_reads(platform: Platform) -> None:
    tenant, ids = new_tenant(), f"019{uuid4().hex[:5]}"
    refusal, errors = jsonschema_rs.Draft202012Validator(REFUSAL), (ROOT / "docs" / "errors.md").read_text()
    refused: dict[str, str] = {}
    empty: set[str] = set()
    operator = person(platform, tenant, "team@example.com", ("payments:read", "payments:write"))
    payment = (await operator.create())["id"]
    await operator.confirm(payment)
    await operator.settled(payment)
    async with requester(platform, tenant) as ours:
        for kind in requests():
            raw = await ours.request(kind, body_of(kind, tenant=tenant, ids=ids, named={"payment_intent_id": payment}))
            reply = msgspec.json.decode(raw, type=Reply)
            if reply.refusal is None:
                assert kind.contract.reply is not None
                msgspec.json.decode(reply.answer, type=kind.contract.reply)
                if is_empty(msgspec.json.decode(reply.answer)):
                    empty.add(kind.contract.name)
                continue
            assert [error.message for error in refusal.iter_errors(json.loads(raw)["refusal"])] == []
            assert f"`{reply.refusal.code}`" in errors
            assert reply.refusal.kind == kind_of(error_of(reply.refusal.code))
            refused[kind.contract.name] = reply.refusal.code
    assert refused == REFUSED
    assert empty.isdisjoint(FULL)
