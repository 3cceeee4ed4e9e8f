"""The four services in this process, and how hostile messages for them are drawn and sent."""

import os
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from typing import Any
from uuid import uuid4

import aio_pika
import hypothesis
import msgspec
from hypothesis import strategies as st

from deploy.fake_stripe import running_fake_stripe
from deploy.local.servers import Servers
from libs.common.contracts import Kind, Message, handled_by
from libs.common.messaging.requests import Reply, sends_requests
from libs.common.messaging.topology import reply_exchange
from libs.common.service import Service
from libs.common.settings import load
from tests.support.databases import SERVICES, fresh_database
from tests.support.platform import service_environment
from tests.support.waiting import until

BRACKETS = 200_000

type Kinds = list[tuple[str, type[Message]]]

QUEUES: Kinds = [
    (kind.contract.queue(service), kind)
    for service in SERVICES
    for kind in handled_by(service)
    if kind.contract.kind is not Kind.REQUEST and not kind.contract.broadcast
]
REQUESTS: Kinds = [
    (kind.contract.queue(service), kind)
    for service in SERVICES
    for kind in handled_by(service)
    if kind.contract.kind is Kind.REQUEST
]

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**25), 10**25) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)


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

    def __init__(self, services: dict[str, Service], channel: aio_pika.abc.AbstractChannel, *, admin_url: str) -> None:
        self.services = services
        self.channel = channel
        self.admin_url = admin_url

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
async def running(servers: Servers, vhost_url: str) -> AsyncIterator[Platform]:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(fresh_database(servers))
        stripe = await stack.enter_async_context(running_fake_stripe())
        environ = service_environment(servers, database, vhost_url) | {"STRIPE_API_BASE": stripe.url}
        services: dict[str, Service] = {}
        for name in SERVICES:
            app, settings = import_module(f"services.{name}.app"), import_module(f"services.{name}.settings")
            services[name] = app.build(load(settings.Settings, service=name, environ=environ))
            await stack.enter_async_context(services[name]._lifespan(services[name].app))

        async def is_ready() -> bool:
            return not any(service.bus.trouble for service in services.values())

        await until(is_ready, seconds=180)
        connection = await stack.enter_async_context(await aio_pika.connect(vhost_url))
        yield Platform(services, await connection.channel(), admin_url=database.admin_url)


class Requests:
    """Sends requests as the services do that may send them, and takes the replies."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._queues: dict[str, str] = {}
        self._sent = 0
        self.replies: dict[str, Reply] = {}
        """By the tickets of the requests."""

    async def open(self) -> None:
        """Make a queue for the replies to each requester."""
        channel = self._platform.channel
        for requester in {kind.contract.published_by[0] for _, kind in REQUESTS}:
            exchange = reply_exchange(requester)
            queue = await channel.declare_queue(f"{exchange}.{uuid4().hex}", exclusive=True)
            # Fetched one by one, a reply would be lost when a fetch took too long.
            await queue.consume(self._take, no_ack=True)
            if sends_requests(requester):
                await queue.bind(exchange, queue.name)
            self._queues[requester] = queue.name

    async def _take(self, message: aio_pika.abc.AbstractIncomingMessage) -> None:
        self.replies[str(message.correlation_id)] = msgspec.json.decode(message.body, type=Reply)

    async def send(self, queue: str, kind: type[Message], body: bytes, **properties: Any) -> str:
        """Send a request; returns its ticket."""
        self._sent += 1
        ticket = str(self._sent)
        sound = {
            "type": kind.contract.name,
            "reply_to": self._queues[kind.contract.published_by[0]],
            "correlation_id": ticket,
        }
        await self._platform.send(queue, body, **sound | properties)
        return ticket

    async def answers(self, tickets: Iterable[str]) -> list[Reply]:
        """Wait for the replies to these requests."""
        tickets = list(tickets)

        async def all_there() -> bool:
            return self.replies.keys() >= set(tickets)

        await until(all_there, seconds=120)
        return [self.replies.pop(ticket) for ticket in tickets]
