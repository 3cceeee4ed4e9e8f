"""What each RabbitMQ user may do, by a real broker: exactly what the contracts need, each pair of user and name tried."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from urllib.parse import urlsplit
from uuid import uuid4

import aio_pika
import msgspec
import pytest
from aio_pika.abc import AbstractChannel
from aiormq.exceptions import ChannelAccessRefused

from deploy.local import vhosts
from deploy.local.bootstrap import SERVICES
from deploy.local.definitions import definitions
from deploy.local.environment import REDRIVE
from deploy.local.rights import MONITORING, USERS
from deploy.local.servers import Servers
from libs.common.clock import SystemClock
from libs.common.contracts import REGISTRY, Contract, Kind, gateway, ledger
from libs.common.contracts.foreign import CHARGE_REQUESTED
from libs.common.db import Connection
from libs.common.errors import Invalid, TooEarly, Unavailable
from libs.common.messaging import Bus, Received
from libs.common.messaging.redrive import redrive
from libs.common.messaging.topology import DELAYS_SECONDS, topology
from libs.common.settings import BrokerSettings
from tests.integration.messaging.buses import complete_api, complete_gateway, complete_ledger
from tests.integration.messaging.conftest import Pair, captured, publish_together, record
from tests.support.brokers import fresh_vhost
from tests.support.waiting import until

CONTRACTS = [kind.contract for kind in REGISTRY.values()]
_UNKEPT = {f"{c.queue(s)}.dead" for c in CONTRACTS for s in c.handled_by if c.broadcast or c.kind is Kind.REQUEST}
"""Requests and broadcasts have no dead letters."""
PROCESS = "0123456789abcdef" * 2
QUEUE = "ledger.payment.captured"


class Place(msgspec.Struct, frozen=True):
    """A virtual host with the definitions in it."""

    servers: Servers
    url: str
    prefix: str

    @property
    def vhost(self) -> str:
        return urlsplit(self.url).path.removeprefix("/")

    def url_of(self, user: str) -> str:
        """The address for one user, whose password is made its name here."""
        parts = urlsplit(self.url)
        return parts._replace(netloc=f"{self.prefix}{user}:{user}@{parts.netloc.rpartition('@')[2]}").geturl()

    def evaluate(self, expression: str) -> str:
        return vhosts.evaluate(self.servers.rabbitmq, expression)


@pytest.fixture(scope="module")
def place(servers: Servers) -> Iterator[Place]:
    with fresh_vhost(servers) as url:
        made = Place(servers, url, f"{uuid4().hex[:8]}-")
        load(made)
        yield made
        names = ", ".join(f'<<"{made.prefix}{user}">>' for user in USERS)
        made.evaluate(f'[rabbit_auth_backend_internal:delete_user(U, <<"test">>) || U <- [{names}]], ok')


def load(place: Place) -> None:
    """Load the definitions as RabbitMQ does at its start, each user's name as its password."""
    passwords = {user: user for user in USERS}
    vhosts.load(place.servers.rabbitmq, definitions(vhost=place.vhost, prefix=place.prefix, passwords=passwords))


# --- The table, from the contracts ---------------------------------------------------------------------------------------


def publishes(user: str) -> list[Contract]:
    return [contract for contract in CONTRACTS if user in contract.published_by]


def handles(user: str) -> list[Contract]:
    return [contract for contract in CONTRACTS if user in contract.handled_by]


def queues_of(user: str) -> set[str]:
    """The queues that a service consumes, with those of its dead letters, its postponed events and its processes."""
    names = {f"{user}.wait.{seconds}s" for seconds in DELAYS_SECONDS}
    for contract in handles(user):
        name = contract.queue(user)
        if contract.broadcast:
            names.add(f"{name}.{PROCESS}")
        else:
            names |= {name} if contract.kind is Kind.REQUEST else {name, f"{name}.dead", f"{name}.postponed"}
    if any(contract.kind is Kind.REQUEST for contract in publishes(user)):
        names.add(f"{user}.replies.{PROCESS}")
    return names


def exchanges_of(user: str) -> set[str]:
    names = {f"{user}.dead", f"{user}.due", *(f"{user}.wait.{seconds}s" for seconds in DELAYS_SECONDS)}
    names |= {contract.exchange for contract in CONTRACTS if contract.owner == user}
    if any(contract.kind is Kind.REQUEST for contract in publishes(user)):
        names.add(f"{user}.replies")
    return names


PARTNER_EXCHANGES = {"orders.x", "payments.x", "saas.events", "saas.x"}
"""Where other teams publish; the api subscribes there."""
PARTNER_QUEUES = {f"payments.{name}.events{end}" for name in ("orders", "saas") for end in ("", ".dead", ".postponed")}


def may(user: str, right: str, name: str) -> bool:
    """Whether the contracts let a user do this with an exchange or queue."""
    if user == "orders":
        return name.startswith("orders.") or name == "payments.x"
    if user == "tenants":
        return name.startswith("saas.")
    if user == REDRIVE:
        dead = {f"{contract.queue(s)}.dead" for contract in CONTRACTS for s in contract.handled_by}
        dead |= {name for name in PARTNER_QUEUES if name.endswith(".dead")}
        return right == "write" and name == "amq.default" if right != "read" else name in dead - _UNKEPT
    if user == MONITORING:
        return False
    side = {f"{user}.dead", f"{user}.due", *(f"{user}.wait.{seconds}s" for seconds in DELAYS_SECONDS)}
    if user == "api" and (name in PARTNER_QUEUES or (right == "read" and name in PARTNER_EXCHANGES)):
        return True
    if user == "api" and (right, name) == ("configure", "payments.x"):
        return True
    match right:
        case "configure":
            return name in queues_of(user) | exchanges_of(user)
        case "write":
            targets = side | {contract.exchange for contract in publishes(user)}
            targets |= {"payments.x" for contract in publishes(user) if contract.public}
            targets |= {f"{s}.replies" for c in handles(user) if c.kind is Kind.REQUEST for s in c.published_by}
            return name in queues_of(user) | targets
        case _:
            sources = side | {contract.exchange for contract in handles(user)}
            return name in queues_of(user) | sources | (exchanges_of(user) & {f"{user}.replies"})


def names() -> list[str]:
    every = {
        "amq.default",
        "amq.topic",
        "amq.direct",
        "amq.fanout",
        "amq.match",
        "anything.else",
        *PARTNER_EXCHANGES,
        *PARTNER_QUEUES,
        "orders.payments",
        "saas.outbox.events",
    }
    for service in SERVICES:
        every |= queues_of(service) | exchanges_of(service)
        every |= {f"{service}.other", f"{service}.replies.other", f"{service}x"}
        every |= {name for name, _ in topology(service).exchanges} | {queue.name for queue in topology(service).queues}
    return sorted(every)


def erlang(texts: list[str]) -> str:
    return "[" + ",".join(f'<<"{text}">>' for text in texts) + "]"


def test_each_pair_of_user_and_name_has_the_rights_of_its_contracts(place: Place) -> None:
    every, rights = names(), ("configure", "write", "read")
    answers = place.evaluate(
        "[begin {ok, U} = rabbit_access_control:check_user_login(N, []), "
        "[case catch rabbit_access_control:check_resource_access("
        f'U, rabbit_misc:r(<<"{place.vhost}">>, exchange, R), P, #{{}}) of ok -> $+; _ -> $- end '
        f"|| R <- {erlang(every)}, P <- [{', '.join(rights)}]] end "
        f"|| N <- {erlang([place.prefix + user for user in USERS])}]"
    )
    found = iter("".join(c for c in answers if c in "+-"))
    tried = [(user, right, name, next(found) == "+") for user in USERS for name in every for right in rights]
    assert len(tried) > 3_000
    assert [one for one in tried if one[3] != may(*one[:3])] == []


def test_each_routing_key_has_the_rights_of_its_contracts(place: Place) -> None:
    topics = sorted({contract.exchange for contract in CONTRACTS} | {"payments.x"})
    keys = sorted(
        {c.name for c in CONTRACTS}
        | {c.queue(s) for c in CONTRACTS for s in c.handled_by}
        | {"#", "payment.*", CHARGE_REQUESTED}
    )
    answers = place.evaluate(
        "[begin {ok, U} = rabbit_access_control:check_user_login(N, []), "
        "[case {catch rabbit_access_control:check_resource_access("
        f'U, rabbit_misc:r(<<"{place.vhost}">>, exchange, X), P, #{{}}), '
        "catch rabbit_access_control:check_topic_access("
        f'U, rabbit_misc:r(<<"{place.vhost}">>, topic, X), P, #{{routing_key => K}})}} of {{ok, ok}} -> $+; _ -> $- end '
        f"|| X <- {erlang(topics)}, K <- {erlang(keys)}, P <- [write, read]] end "
        f"|| N <- {erlang([place.prefix + user for user in USERS])}]"
    )
    found = iter("".join(c for c in answers if c in "+-"))
    wrong = []
    for user in USERS:
        for exchange in topics:
            for key in keys:
                written = {
                    c
                    for c in publishes(user)
                    if (
                        c.exchange == exchange
                        and key in {c.name, *(c.queue(s) for s in c.handled_by if len(c.handled_by) > 1)}
                    )
                    or (exchange == "payments.x" and c.public and key == c.name)
                }
                read = {
                    c
                    for c in handles(user)
                    if c.exchange == exchange and key in {c.name, *([c.queue(user)] if len(c.handled_by) > 1 else [])}
                }
                at_ours = exchange == "payments.x"
                expected = {
                    "write": bool(written) or (user == "orders" and at_ours and key == CHARGE_REQUESTED),
                    "read": bool(read)
                    or (at_ours and (user, key) in {("orders", "payment.settled"), ("api", CHARGE_REQUESTED)}),
                }
                wrong += [
                    (user, right, exchange, key) for right in expected if (next(found) == "+") is not expected[right]
                ]
    assert wrong == []


# --- Over AMQP -----------------------------------------------------------------------------------------------------------


async def is_refused(url: str, act: Callable[[AbstractChannel], Awaitable[object]]) -> bool:
    """Whether the broker refuses it for want of rights."""
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        try:
            await act(channel)
        except ChannelAccessRefused:
            return True
        return False


@pytest.mark.parametrize("user", [*SERVICES, MONITORING])
async def test_nobody_touches_the_queues_of_another_service(place: Place, user: str) -> None:
    allowed = []
    for other in set(SERVICES) - {user}:
        owned = [queue.name for queue in topology(other).queues if queue.name.startswith(f"{other}.")]
        kinds = {
            name.rpartition(".")[2] if name.endswith((".dead", ".postponed", ".queue")) else "": name for name in owned
        }
        for name in [*kinds.values(), f"{other}.wait.1s"]:
            arguments = next(dict(queue.arguments) for queue in topology(other).queues if queue.name == name)
            acts: dict[str, Callable[[AbstractChannel], Awaitable[object]]] = {
                "delete": lambda c, n=name: c.queue_delete(n),  # type: ignore[misc]
                "purge": lambda c, n=name: purge(c, n),  # type: ignore[misc]
                "get": lambda c, n=name: get(c, n),  # type: ignore[misc]
                "declare": lambda c, n=name, a=arguments: c.declare_queue(n, durable=True, arguments=a),  # type: ignore[misc]
                "publish": lambda c, n=name: c.default_exchange.publish(aio_pika.Message(b"{}"), n),  # type: ignore[misc]
            }
            allowed += [(what, name) for what, act in acts.items() if not await is_refused(place.url_of(user), act)]
        exchange = f"{other}.events"
        allowed += [
            ("delete", exchange)
            for _ in range(1)
            if not await is_refused(place.url_of(user), lambda c, n=exchange: c.exchange_delete(n))  # type: ignore[misc]
        ]
    assert allowed == []


async def purge(channel: AbstractChannel, name: str) -> None:
    await (await channel.get_queue(name, ensure=False)).purge()


async def get(channel: AbstractChannel, name: str) -> None:
    await (await channel.get_queue(name, ensure=False)).get(fail=False)


async def test_notifier_forges_no_capture(place: Place) -> None:
    for exchange, key in (("gateway.events", "payment.captured"), ("", QUEUE), ("api.events", "payment.settled")):

        async def forge(channel: AbstractChannel, exchange: str = exchange, key: str = key) -> None:
            target = await channel.get_exchange(exchange, ensure=False) if exchange else channel.default_exchange
            await target.publish(aio_pika.Message(b"{}"), key)

        assert await is_refused(place.url_of("notifier"), forge)
        if exchange != "gateway.events":
            assert await is_refused(place.url_of("gateway"), forge)


@pytest.fixture
def services(place: Place, pair: Pair) -> Callable[[str], Awaitable[Bus]]:
    """Make the bus of a service that has the service's own rights and no more."""

    async def make(service: str) -> Bus:
        settings = BrokerSettings(
            rabbitmq_url=place.url_of(service),
            outbox_poll_seconds=0.2,
            request_timeout_seconds=3,
            topology_every_seconds=0.2,
        )
        database = await pair.database(service)
        return Bus(service=service, settings=settings, database=database, clock=SystemClock())

    return make


async def test_services_live_with_their_rights(
    place: Place, pair: Pair, services: Callable[[str], Awaitable[Bus]]
) -> None:
    publisher, subscriber, requester = await services("gateway"), await services("ledger"), await services("api")
    complete_gateway(publisher)
    complete_api(requester)
    seen: list[int] = []

    async def on_captured(tx: Connection, events: Sequence[Received[gateway.PaymentCaptured]]) -> None:
        amounts = [event.body.amount_minor for event in events]
        if 404 in amounts and 404 not in seen:
            seen.append(404)
            raise TooEarly("the authorization has not arrived", event_ids=frozenset(e.id for e in events))
        if 666 in amounts:
            raise Invalid("no such payment")
        await record(tx, list(events))
        seen.extend(amounts)

    async def open_account(request: ledger.OpenAccount) -> ledger.Account:
        return ledger.Account(
            id=request.account_id,
            code=request.code,
            label=request.label,
            account_type=request.account_type,
            is_default=False,
        )

    complete_ledger(subscriber, answer=open_account)
    subscriber.handle(gateway.PaymentCaptured, on_captured)
    database = await pair.database("gateway")
    async with pair.running(publisher, subscriber, requester):

        async def connected() -> bool:
            try:
                for bus in (publisher, subscriber, requester):
                    await bus.ping()
            except Unavailable:
                return False
            return True

        await until(connected)
        example = msgspec.convert(ledger.OpenAccount.example, ledger.OpenAccount, strict=False)
        assert (await requester.request(example)).code == example.code
        await publish_together(database, [captured(amount_minor=minor) for minor in (100, 404, 666)])

        async def handled() -> bool:
            return seen.count(100) == 1 and seen.count(404) == 2

        await until(handled)

        async def dead() -> bool:
            return (await redrive(place.url_of(REDRIVE), QUEUE)).moved == 1

        await until(dead)
        # What is deleted of its own a service makes again, whoever deleted it.
        connection = await aio_pika.connect(place.url)
        async with connection:
            channel = await connection.channel()
            for name in ("ledger.wait.1s", f"{QUEUE}.postponed", QUEUE):
                await channel.queue_delete(name)
        await publish_together(database, [captured(amount_minor=200)])

        async def made_again() -> bool:
            return 200 in seen

        await until(made_again)
