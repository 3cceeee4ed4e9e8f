"""Every request of the pacts, sent to the running services over the broker: what they reply is what the requester reads.

A pact of a request is made of the type that its requester decodes, so the reply is held to that type; a refusal to its schema in AsyncAPI,
and its code to docs/errors.md.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import aio_pika
import jsonschema_rs
import msgspec

from deploy.local.layout import ROOT
from libs.common.contracts import REGISTRY, Kind, Message
from libs.common.contracts.ledger_calendar import SetCalendar
from libs.common.messaging.asyncapi_parts import REFUSAL
from libs.common.messaging.requests import Reply
from libs.common.messaging.topology import reply_exchange
from tests.contract.refusals import REFUSED, error_of, kind_of
from tests.e2e.bookkeeping import new_tenant, person
from tests.support.platform import Platform

SECONDS = 60
EXAMPLES, IDS = "00000000-0000-0000-0000-000000000002", "0190f3a4"
"""The tenant of the contracts' examples, and how the ids of things in them begin: both are made anew for each run."""
FIRST = (
    "accounts.open",
    "exchange_rates.record",
    "journal.post",
    "holds.place",
    "webhook_endpoints.register",
    "imports.put_source",
    "imports.start",
    "matching_rules.put",
    "reconciliation_runs.start",
)
"""What makes things that other requests are about."""
LAST = (
    "holds.capture",
    "imports.delete_source",
    "webhook_endpoints.delete",
    "journal.set_policy",
    "policy.propose",
    "policy.change",
    "policy.changes",
    "policy.approve",
    "policy.reject",
    "periods.close",
)
"""What ends them."""
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


def requests() -> list[type[Message]]:
    """Every request, in the order in which a tenant could send them."""

    def turn(kind: type[Message]) -> tuple[int, int]:
        name = kind.contract.name
        if name in FIRST:
            return 0, FIRST.index(name)
        return (2, LAST.index(name)) if name in LAST else (1, 0)

    return sorted((each for each in REGISTRY.values() if each.contract.kind is Kind.REQUEST), key=turn)


def dates_of(name: str, now: datetime) -> dict[str, str]:
    """What has to be before or after the present in a request, whose example has dates of one year."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    yesterday, month = today - timedelta(days=1), today.replace(day=1)
    # By the zone of the example of `calendar.set`, which is sent before.
    local = now.astimezone(ZoneInfo(SetCalendar.example["zone"]))
    month_of_calendar = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)
    dates: dict[str, dict[str, datetime]] = {
        "exchange_rates.record": {"effective_at": yesterday},
        "holds.place": {"expires_at": now + timedelta(days=1)},
        "periods.close": {"ends_before": month_of_calendar},
        "reconciliation_runs.start": {"window_from": yesterday, "window_until": today},
    }
    if name in {"reconciliation_periods.close", "reconciliation_periods.get"}:
        return {"month": f"{month - timedelta(days=1):%Y-%m}"}
    return {member: at.isoformat() for member, at in dates.get(name, {}).items()}


def body_of(kind: type[Message], *, tenant: str, payment: str, ids: str) -> bytes:
    """The example of a request, of another tenant, about its payment and other things."""
    body = json.loads(json.dumps(kind.example).replace(EXAMPLES, tenant).replace(IDS, ids))
    if "payment_intent_id" in body:
        body["payment_intent_id"] = payment
    if {"after", "until"} <= body.keys():
        body |= {"after": str(UUID(int=0)), "until": str(UUID(int=2**128 - 1))}
    return json.dumps(body | dates_of(kind.contract.name, datetime.now(UTC))).encode()


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
            raw = await ours.request(kind, body_of(kind, tenant=tenant, payment=payment, ids=ids))
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
