"""Other teams in a virtual host of their own: the api lives there with few rights, and an outage of it holds up nobody else."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel
from aiormq.exceptions import AMQPError, ChannelNotFoundEntity, ChannelPreconditionFailed
from yarl import URL

from deploy.local import vhosts
from deploy.local.definitions import definitions
from deploy.local.environment import TEAMS
from deploy.local.rights import USERS
from deploy.local.servers import Servers
from libs.common.addresses import vhost_of
from libs.common.clock import SystemClock
from libs.common.contracts.foreign import ORDER_CONFIRMED, ORDERS, ORDERS_EXCHANGE, ForeignMessage
from libs.common.db import Connection
from libs.common.errors import Invalid, Unavailable
from libs.common.messaging import Bus, Publication, Received
from libs.common.messaging import bus as bus_module
from libs.common.messaging import relay as relay_module
from libs.common.messaging.connections import connect
from libs.common.messaging.redrive import redrive
from libs.common.messaging.topology import DELIVERIES_MAX
from libs.common.settings import BrokerSettings
from tests.integration.messaging.buses import complete_api
from tests.integration.messaging.conftest import Pair, publish_together
from tests.integration.messaging.test_rights import Place, is_refused
from tests.support.brokers import administrator, fresh_vhost
from tests.support.waiting import until

pytestmark = pytest.mark.integration

QUEUE = ORDERS.queue


class Reading:
    """What is read of any message here."""

    tenant_id, correlation_id, message_id, occurred_at = "t1", "", "", None


def read(message: ForeignMessage) -> Reading:
    if message.content == "bad":
        raise Invalid("this is no order")
    return Reading()


class Apart:
    """A running api between two virtual hosts, and what it has seen."""

    def __init__(self, place: Place, theirs: Place, bus: Bus, database: Any) -> None:
        self.place, self.theirs, self.bus, self.database = place, theirs, bus, database
        self.seen: list[str] = []

    async def on_orders(self, tx: Connection, events: Sequence[Received[ForeignMessage]]) -> None:
        self.seen += [event.body.content for event in events]

    async def is_connected(self) -> bool:
        return not self.bus.partners_trouble and not self.bus.trouble


@pytest.fixture(scope="module")
def hosts(servers: Servers) -> Iterator[tuple[Place, Place]]:
    """The services' own virtual host and that of other teams, with the definitions in them."""
    if servers.rabbitmq.kind == "given":
        pytest.skip("a broker that was given has one virtual host")
    prefix = f"{uuid4().hex[:8]}-"
    with fresh_vhost(servers) as own, fresh_vhost(servers) as other:
        made = Place(servers, own, prefix), Place(servers, other, prefix)
        load(*made)
        yield made
        names = ", ".join(f'<<"{prefix}{user}">>' for user in USERS)
        made[0].evaluate(f'[rabbit_auth_backend_internal:delete_user(U, <<"test">>) || U <- [{names}]], ok')


def load(own: Place, theirs: Place) -> None:
    """Load the definitions of both virtual hosts, as RabbitMQ does at its start."""
    passwords = {user: user for user in USERS}
    found = definitions(vhost=own.vhost, partners=theirs.vhost, prefix=own.prefix, passwords=passwords)
    vhosts.load(own.servers.rabbitmq, found)


@pytest.fixture
async def apart(hosts: tuple[Place, Place], pair: Pair) -> AsyncIterator[Apart]:
    async with running(hosts, pair) as made:
        await until(made.is_connected)
        yield made


@asynccontextmanager
async def running(hosts: tuple[Place, Place], pair: Pair) -> AsyncIterator[Apart]:
    """An api that has begun to connect."""
    place, theirs = hosts
    database = await pair.database("api")
    settings = BrokerSettings(
        rabbitmq_url=place.url_of("api"), outbox_poll_seconds=0.2, topology_every_seconds=0.2, request_timeout_seconds=3
    )
    bus = Bus(service="api", settings=settings, database=database, clock=SystemClock(), partners_vhost=theirs.vhost)
    made = Apart(place, theirs, bus, database)
    complete_api(bus)
    bus.handle_foreign(ORDERS, made.on_orders, read=read)
    async with pair.running(bus):
        yield made


async def send(channel: AbstractChannel, exchange: str, key: str, body: bytes, **properties: Any) -> None:
    target = await channel.get_exchange(exchange, ensure=False) if exchange else channel.default_exchange
    await target.publish(aio_pika.Message(body, **properties), key, mandatory=True)


async def test_partners_are_met_in_their_virtual_host(apart: Apart, api_event: Publication) -> None:
    ours = await aio_pika.connect(administrator(apart.place.url))
    theirs = await aio_pika.connect(apart.theirs.url_of("orders"))
    async with ours, theirs:
        channel = await theirs.channel(on_return_raises=True)
        await send(channel, ORDERS_EXCHANGE, ORDER_CONFIRMED, b"one")
        await until(lambda: _is(apart.seen, ["one"]))
        # Dead letters are at home with their reason, and come back by the queue that is there.
        home = await ours.channel(on_return_raises=True)
        dead = await home.get_queue(f"{QUEUE}.dead", ensure=False)
        await send(channel, ORDERS_EXCHANGE, ORDER_CONFIRMED, b"bad")
        often = {"x-delivery-count": DELIVERIES_MAX}
        await send(channel, ORDERS_EXCHANGE, ORDER_CONFIRMED, b"often", headers=often)
        await until(lambda: _has(home, dead.name, 2))
        letters = [await dead.get(no_ack=True) for _ in range(2)]
        reasons = {letter.body: letter.headers["x-reason"] for letter in letters if letter is not None}
        assert reasons == {b"bad": "invalid_request", b"often": "delivered_too_often"}
        kept = {name: letters[0].headers[name] for name in ("x-exchange", "x-routing-key") if letters[0] is not None}
        await send(home, "api.dead", QUEUE, b"two", headers=kept)
        assert (await redrive(apart.place.url_of("redrive"), QUEUE)).moved == 1
        await until(lambda: _is(apart.seen, ["one", "two"]))
        # A public event reaches those who are bound there.
        admin = await aio_pika.connect(administrator(apart.theirs.url))
        async with admin:
            looking = await admin.channel()
            queue = await looking.declare_queue(exclusive=True)
            await queue.bind("payments.x", "payment.failed")
            await publish_together(apart.database, [api_event])
            await until(lambda: _has(looking, queue.name, 1))
            message = await queue.get(no_ack=True)
            assert message is not None
            assert (message.type, json.loads(message.body)) == ("payment.failed", json.loads(api_event.body))


async def test_an_outage_of_their_host_holds_up_nobody_else(apart: Apart, api_event: Publication) -> None:
    name = vhost_of(apart.theirs.url)
    vhosts.delete(apart.theirs.servers.rabbitmq, [name])
    await until(lambda: _is(bool(apart.bus.partners_trouble), True))
    ours = await aio_pika.connect(administrator(apart.place.url))
    async with ours:
        home = await ours.channel()
        inbox = await home.get_queue("notifier.payment.failed", ensure=False)
        await inbox.purge()
        await publish_together(apart.database, [api_event])
        await until(lambda: _has(home, inbox.name, 1))
    assert not apart.bus.trouble
    await until(lambda: _waits(apart, 1))
    # It is back, with nothing in it: the api makes what it needs, and what waited is published.
    vhosts.create(apart.theirs.servers.rabbitmq, [name])
    load(apart.place, apart.theirs)
    admin = await aio_pika.connect(administrator(apart.theirs.url))
    async with admin:
        looking = await admin.channel()
        queue = await looking.declare_queue(exclusive=True)
        await queue.bind("payments.x", "#")
        await until(apart.is_connected)
        await until(lambda: _has(looking, queue.name, 1))
        await until(lambda: _waits(apart, 0))


async def test_an_outage_of_our_own_host_doubles_nothing_at_theirs(
    apart: Apart, api_event: Publication, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = 0

    async def lost(*_: object, **__: object) -> None:
        nonlocal rounds
        rounds += 1
        raise ConnectionResetError("lost while it was sent")

    monkeypatch.setattr(relay_module, "_OUTAGE_SECONDS", 0.05)
    admin = await aio_pika.connect(administrator(apart.theirs.url))
    async with admin:
        looking = await admin.channel()
        queue = await looking.declare_queue(exclusive=True)
        await queue.bind("payments.x", "#")
        with monkeypatch.context() as patched:
            patched.setattr(apart.bus._broker, "publish", lost)
            await publish_together(apart.database, [api_event])
            await until(lambda: _is(rounds >= 3, True))
            name = vhost_of(apart.place.url)
            vhosts.delete(apart.place.servers.rabbitmq, [name])
            await until(lambda: _is(bool(apart.bus.trouble), True))
        for _ in range(3):
            with pytest.raises(Unavailable):
                await apart.bus._relay.round()
        assert await _has(looking, queue.name, 0)
        vhosts.create(apart.place.servers.rabbitmq, [name])
        load(apart.place, apart.theirs)
        await until(apart.is_connected)
        await until(lambda: _is_empty(apart))
        assert await _has(looking, queue.name, 1)


async def test_what_orders_may_do_to_the_public_exchange_is_mended(apart: Apart, api_event: Publication) -> None:
    theirs = await aio_pika.connect(apart.theirs.url_of("orders"))
    async with theirs:
        await (await theirs.channel()).exchange_delete("payments.x")
    admin = await aio_pika.connect(administrator(apart.theirs.url))
    async with admin:

        async def is_there() -> bool:
            try:
                await (await admin.channel()).declare_exchange("payments.x", passive=True)
            except ChannelNotFoundEntity:
                return False
            return True

        await until(is_there)
        looking = await admin.channel()
        queue = await looking.declare_queue(exclusive=True)
        await queue.bind("payments.x", "#")
        await publish_together(apart.database, [api_event])
        await until(lambda: _has(looking, queue.name, 1))


async def test_a_forged_event_cannot_have_the_user_id_of_ours(apart: Apart, api_event: Publication) -> None:
    ours = URL(apart.theirs.url_of("api")).user
    admin = await aio_pika.connect(administrator(apart.theirs.url))
    theirs = await aio_pika.connect(apart.theirs.url_of("orders"))
    async with admin, theirs:
        looking = await admin.channel()
        queue = await looking.declare_queue(exclusive=True)
        await queue.bind("payments.x", "#")
        # RabbitMQ has no right that lets a user publish one routing key to an exchange, but not bind an exchange of its own to it.
        channel = await theirs.channel()
        own = await channel.declare_exchange("orders.own", aio_pika.ExchangeType.FANOUT)
        await (await channel.get_exchange("payments.x", ensure=False)).bind(own)
        await own.publish(aio_pika.Message(b"forged"), "payment.settled")
        await until(lambda: _has(looking, queue.name, 1))
        with pytest.raises(ChannelPreconditionFailed):
            await own.publish(aio_pika.Message(b"forged", user_id=ours), "payment.settled")
        await looking.exchange_delete("orders.own")
        await publish_together(apart.database, [api_event])
        await until(lambda: _has(looking, queue.name, 2))
        received = [await queue.get(no_ack=True) for _ in range(2)]
        assert [(each.type, each.user_id) for each in received if each is not None] == [
            (None, None),
            ("payment.failed", ours),
        ]


async def test_a_conflict_in_their_host_stops_neither_us_nor_public_events(
    hosts: tuple[Place, Place], pair: Pair, api_event: Publication, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus_module, "_CONNECT_PAUSES_SECONDS", (0.2,))
    admin = await aio_pika.connect(administrator(hosts[1].url))
    async with admin:
        looking = await admin.channel()
        await looking.queue_delete(QUEUE)
        await looking.declare_queue(QUEUE, durable=True)
        queue = await looking.declare_queue(exclusive=True)
        await queue.bind("payments.x", "#")
        async with running(hosts, pair) as apart:
            await until(lambda: _is(QUEUE in apart.bus.partners_trouble, True))
            await until(lambda: _is(apart.bus.trouble, ""))
            await publish_together(apart.database, [api_event])
            await until(lambda: _has(looking, queue.name, 1))
            await looking.queue_delete(QUEUE)
            await until(apart.is_connected)


async def test_each_has_its_virtual_host_and_its_names(hosts: tuple[Place, Place]) -> None:
    own, theirs = hosts
    outside = [own.url_of(user) for user in TEAMS] + [theirs.url_of(user) for user in ("ledger", "gateway", "redrive")]
    for url in outside:
        with pytest.raises(AMQPError):
            await connect(url, timeout_seconds=10)
    acts: dict[tuple[str, str], Callable[[AbstractChannel], Awaitable[object]]] = {
        ("orders", "delete our queue"): lambda c: c.queue_delete(QUEUE),
        ("orders", "forge a settled payment"): lambda c: send(c, "payments.x", "payment.settled", b"{}"),
        ("tenants", "publish as the orders service"): lambda c: send(c, ORDERS_EXCHANGE, ORDER_CONFIRMED, b"{}"),
        ("api", "publish as the orders service"): lambda c: send(c, ORDERS_EXCHANGE, ORDER_CONFIRMED, b"{}"),
        ("notifier", "forge a settled payment"): lambda c: send(c, "payments.x", "payment.settled", b"{}"),
        ("notifier", "read what comes from other teams"): lambda c: c.declare_queue(QUEUE, durable=True),
    }
    assert [what for what, act in acts.items() if not await is_refused(theirs.url_of(what[0]), act)] == []


async def _is(found: object, expected: object) -> bool:
    return found == expected


async def _is_empty(apart: Apart) -> bool:
    row = await apart.database.fetchrow("SELECT count(*) AS n FROM outbox")
    return int(row["n"]) == 0 and await _waits(apart, 0)


async def _has(channel: AbstractChannel, queue: str, count: int) -> bool:
    declared = await channel.declare_queue(queue, passive=True)
    return declared.declaration_result.message_count == count


async def _waits(apart: Apart, count: int) -> bool:
    row = await apart.database.fetchrow("SELECT count(*) AS n FROM outbox_refused WHERE destination = 'payments.x'")
    return int(row["n"]) == count
