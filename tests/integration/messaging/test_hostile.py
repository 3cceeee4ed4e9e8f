"""Hostile messages on every queue of all four services: each is dead-lettered once with a reason, and nothing stops.

`just fuzz-messages` sends more of them (`HOSTILE_MESSAGES`).
"""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from importlib import import_module
from typing import Any
from uuid import uuid4

import aio_pika
import hypothesis
import msgspec
import pytest
from hypothesis import strategies as st

from deploy.local.servers import Servers
from libs.common.contracts import Kind, Message, PublicEvent, handled_by
from libs.common.contracts.api import TenantProvisioned
from libs.common.ids import new_id
from libs.common.messaging.envelope import ATTEMPTS_MAX, PACK_EVENTS_MAX, PackedEvent, encode_pack
from libs.common.messaging.redelivery import UNEXPECTED_RETRIES_MAX
from libs.common.messaging.requests import Reply, sends_requests
from libs.common.messaging.topology import reply_exchange
from libs.common.service import Service
from libs.common.settings import load
from tests.support.brokers import fresh_vhost
from tests.support.databases import SERVICES, fresh_database
from tests.support.platform import service_environment
from tests.support.waiting import until

pytestmark = pytest.mark.long

MESSAGES = int(os.environ.get("HOSTILE_MESSAGES", "120"))
BRACKETS = 200_000
TENANT = "tenant-hostile"

type Kinds = list[tuple[str, type[Message]]]

QUEUES: Kinds = [
    (kind.contract.queue(service), kind)
    for service in SERVICES
    for kind in handled_by(service)
    if kind.contract.kind is not Kind.REQUEST and not kind.contract.broadcast
]


def _event(kind: type[Message], **changes: Any) -> dict[str, Any]:
    body = kind.example | ({"tenant_id": TENANT} if issubclass(kind, PublicEvent) else {})
    sound = {
        "id": str(new_id()),
        "occurred_at": datetime.now(UTC).isoformat(),
        "tenant_id": TENANT,
        "correlation_id": "c",
        "body": body,
    }
    return sound | changes


def _pack(kind: type[Message], *events: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"type": kind.contract.name, "events": events})


def _nested(kind: type[Message]) -> bytes:
    body = msgspec.Raw(b"[" * BRACKETS + b"]" * BRACKETS)
    event = PackedEvent(id=new_id(), occurred_at=datetime.now(UTC), tenant_id=TENANT, correlation_id="c", body=body)
    return encode_pack(kind.contract.name, [event])


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**25), 10**25) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)
_BROKEN_ENVELOPES: dict[str, st.SearchStrategy[Any]] = {
    "attempt": st.sampled_from([-1_000_000, -1, ATTEMPTS_MAX + 1, 10**30, "0", None, 1.5]),
    "id": st.sampled_from(["", "x", 1, None, "0" * 36]),
    "occurred_at": st.sampled_from(["2026-11-22T10:00:00", "yesterday", -1, None, "2026-13-45T00:00:00Z"]),
    "tenant_id": st.sampled_from(["t" * 100_000, 7, None, ["t"]]),
    "correlation_id": st.sampled_from(["c" * 1000, 7, None]),
    "traceparent": st.sampled_from(["0" * 1000, 7]),
    "body": _json.filter(lambda body: not isinstance(body, dict) or not body),
}


def _malformed(kind: type[Message]) -> st.SearchStrategy[bytes]:
    """Messages that must be dead-lettered as malformed, whatever the handler does."""
    broken = st.sampled_from(sorted(_BROKEN_ENVELOPES)).flatmap(
        lambda field: _BROKEN_ENVELOPES[field].map(lambda value: _pack(kind, _event(kind, **{field: value})))
    )
    return st.one_of(
        st.binary(max_size=200).filter(lambda raw: not raw.lstrip().startswith(b"{")),
        _json.map(msgspec.json.encode),
        st.just(_nested(kind)),
        st.just(_pack(kind)),
        st.just(_pack(kind, *[_event(kind)] * (PACK_EVENTS_MAX + 1))),
        st.just(_pack(kind, _event(kind))[:-2]),
        broken,
    )


def _odd(kind: type[Message]) -> st.SearchStrategy[bytes]:
    """Messages that their contract may admit: what becomes of them is the handler's decision.

    They come for the last time that an unknown error is tried, so that such a one is seen as a dead letter.
    """
    fields = sorted(kind.example)
    value: st.SearchStrategy[Any] = st.sampled_from(
        [-1, 0, 10**18, 10**30, "", "\x00", "x" * 10_000, "XXX", None, [], {}, 1e300, "0001-01-01T00:00:00Z"]
    )
    changes = st.dictionaries(st.sampled_from(fields), value, min_size=1, max_size=3)

    def changed(change: dict[str, Any]) -> bytes:
        event = _event(kind, attempt=UNEXPECTED_RETRIES_MAX)
        return _pack(kind, event | {"body": event["body"] | change | {"unknown": "field"}})

    twice = _event(kind, attempt=UNEXPECTED_RETRIES_MAX)
    return changes.map(changed) | st.just(_pack(kind, twice, twice))


def examples[T](strategy: st.SearchStrategy[T], count: int) -> list[T]:
    """Draw values: what takes them is asynchronous, and far too slow to be called for each."""
    drawn: list[T] = []

    @hypothesis.seed(int(os.environ.get("PYTEST_SEED", "0")))
    @hypothesis.settings(
        max_examples=count, database=None, deadline=None, suppress_health_check=list(hypothesis.HealthCheck)
    )
    @hypothesis.given(strategy)
    def draw(value: T) -> None:
        drawn.append(value)

    draw()
    return drawn


class Platform:
    """All four services in this process, and a channel to send by."""

    def __init__(self, services: dict[str, Service], channel: aio_pika.abc.AbstractChannel) -> None:
        self.services = services
        self.channel = channel

    async def send(self, queue: str, body: bytes, **properties: Any) -> None:
        await self.channel.default_exchange.publish(aio_pika.Message(body, **properties), routing_key=queue)

    async def count(self, queue: str) -> int:
        declared = await self.channel.declare_queue(queue, passive=True)
        return declared.declaration_result.message_count or 0

    async def reasons(self, queue: str) -> Counter[str]:
        """The reasons of all dead letters of a queue, which is empty afterwards."""
        source = await self.channel.get_queue(f"{queue}.dead")
        found: Counter[str] = Counter()
        while (letter := await source.get(fail=False, no_ack=True)) is not None:
            assert letter.headers["x-detail"]
            found[str(letter.headers["x-reason"])] += 1
        return found

    async def is_idle(self) -> bool:
        """Whether every queue is empty and nothing is being handled."""
        if not all(service.bus._idle() for service in self.services.values()):
            return False
        return not any([await self.count(queue) for queue, _ in QUEUES])


@asynccontextmanager
async def _running(servers: Servers, vhost_url: str) -> AsyncIterator[Platform]:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(fresh_database(servers))
        environ = service_environment(servers, database, vhost_url)
        services: dict[str, Service] = {}
        for name in SERVICES:
            app, settings = import_module(f"services.{name}.app"), import_module(f"services.{name}.settings")
            services[name] = app.build(load(settings.Settings, service=name, environ=environ))
            await stack.enter_async_context(services[name]._lifespan(services[name].app))

        async def is_ready() -> bool:
            return not any(service.bus.trouble for service in services.values())

        await until(is_ready, seconds=180)
        connection = await stack.enter_async_context(await aio_pika.connect(vhost_url))
        yield Platform(services, await connection.channel())


@pytest.fixture(scope="module")
async def platform(servers: Servers) -> AsyncIterator[Platform]:
    with fresh_vhost(servers) as url:
        async with _running(servers, url) as made:
            yield made


async def test_malformed_message_is_dead_lettered_once_on_every_queue(platform: Platform) -> None:
    expected: Counter[str] = Counter()
    for queue, kind in QUEUES:
        for body in {
            _nested(kind),
            _pack(kind, _event(kind, attempt=-1_000_000)),
            *examples(_malformed(kind), MESSAGES // len(QUEUES)),
        }:
            await platform.send(queue, body)
            expected[queue] += 1
    await until(platform.is_idle, seconds=120)
    for queue, _ in QUEUES:
        assert await platform.reasons(queue) == Counter({"undecodable_message": expected[queue]}), queue
    await asyncio.gather(*(service.bus.ping() for service in platform.services.values()))


async def test_odd_message_stops_nothing_and_is_no_unknown_error(platform: Platform) -> None:
    sent: dict[str, list[bytes]] = {queue: [] for queue, _ in QUEUES}
    for queue, kind in QUEUES:
        for body in examples(_odd(kind), MESSAGES // len(QUEUES)):
            await platform.send(queue, body)
            sent[queue].append(body)
    await until(platform.is_idle, seconds=120)
    for queue, _ in QUEUES:
        reasons = await platform.reasons(queue)
        assert reasons.keys().isdisjoint({"internal_error", "unexpected_error"}), (queue, reasons, sent[queue])
    await asyncio.gather(*(service.bus.ping() for service in platform.services.values()))


async def test_hostile_request_is_answered_with_a_refusal(platform: Platform) -> None:
    replies, answered = {}, []

    # Fetched one by one, an answer would be lost when a fetch took too long.
    async def answer(message: aio_pika.abc.AbstractIncomingMessage) -> None:
        answered.append(msgspec.json.decode(message.body, type=Reply).refusal)

    for requester in {kind.contract.published_by[0] for service in SERVICES for kind in handled_by(service)}:
        exchange = reply_exchange(requester)
        replies[requester] = await platform.channel.declare_queue(f"{exchange}.{uuid4().hex}", exclusive=True)
        await replies[requester].consume(answer, no_ack=True)
        if sends_requests(requester):
            await replies[requester].bind(exchange, replies[requester].name)
    sent = 0
    for service in SERVICES:
        for kind in handled_by(service):
            if kind.contract.kind is not Kind.REQUEST:
                continue
            for body in (b"", b"\xff", b"[" * BRACKETS + b"]" * BRACKETS, b"[]", b"7"):
                await platform.send(
                    kind.contract.queue(service),
                    body,
                    type=kind.contract.name,
                    reply_to=replies[kind.contract.published_by[0]].name,
                    correlation_id=str(sent),
                )
                sent += 1

    async def all_answered() -> bool:
        return len(answered) == sent

    await until(all_answered, seconds=180)
    assert None not in answered


async def test_malformed_event_spoils_no_neighbour(platform: Platform) -> None:
    queue = "ledger.tenant.provisioned"
    tenants = [f"{TENANT}-{i}" for i in range(3)]
    sound = [_event(TenantProvisioned, body={"tenant_id": tenant, "name": "n"}) for tenant in tenants]
    worst: list[Callable[[], dict[str, Any]]] = [
        lambda: _event(TenantProvisioned, attempt=-1_000_000),
        lambda: _event(TenantProvisioned, occurred_at="2026-11-22T10:00:00"),
        lambda: _event(TenantProvisioned, body=msgspec.Raw(b"[" * BRACKETS + b"]" * BRACKETS)),
    ]
    await platform.send(queue, _pack(TenantProvisioned, sound[0], worst[0](), sound[1], worst[1](), sound[0]))
    await platform.send(queue, _pack(TenantProvisioned, worst[1](), sound[2], worst[0]()))
    # Brackets that deep spoil the message: no JSON reader of ours finds where they end.
    await platform.send(queue, _pack(TenantProvisioned, worst[2]()))
    await until(platform.is_idle)
    assert await platform.reasons(queue) == Counter({"undecodable_message": 5})
    rows = await platform.services["ledger"].database.fetch(
        "SELECT DISTINCT tenant_id FROM accounts WHERE tenant_id = ANY($1::text[])", tenants
    )
    assert sorted(row["tenant_id"] for row in rows) == tenants
