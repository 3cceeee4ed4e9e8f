"""Exchanges and queues, derived from the contracts. Nothing is declared by hand.

For each service and message that it receives there is one quorum queue, and beside it one for its dead letters:

    <owner>.events / .commands / .requests   topic exchanges; payments.x for public events
    <service>.<message>                      the queue, bound by the message's name, and by its own where there are several
    <service>.<message>.<process>            of a broadcast: each process's own, exclusive, gone with it
    <service>.dead  ->  <queue>.dead         dead letters, with the reason in their headers
    <service>.wait.<n>s                      a fanout exchange and queue, from which a message goes on after n s
    <service>.due  ->  <queue>.postponed     where it goes on to: events that were too early, apart from the fresh ones
    <queue>, .dead, .postponed               what another team publishes: queues that are named by a setting, bound to its exchanges
    <service>.replies                        a direct exchange, by which replies reach the process that waits for them

A service owns what begins with its name and declares it. Of what it publishes to and subscribes to it only looks whether it
is there, so that it needs no right to change what belongs to another one. Where something is missing it tries to make it,
which helps wherever rights are not divided: nothing is lost before a subscriber has started for the first time. Both sides
derive the same arguments, so the order does not matter. Nothing uses the default exchange, by which every queue can be reached.
"""

from collections.abc import Iterable, Sequence

import msgspec
from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel, AbstractQueue
from aio_pika.exceptions import ChannelNotFoundEntity, ChannelPreconditionFailed
from aiormq.exceptions import ChannelAccessRefused

from libs.common.contracts import PUBLIC_EXCHANGE, Contract, Kind, handled_by, published_by
from libs.common.contracts.foreign import Subscription
from libs.common.errors import PlatformError
from libs.common.observability.logging import get_logger

log = get_logger("messaging.topology")

PUBLIC_OWNER = "api"
"""Which service makes `payments.x` again where it is deleted: it alone has the right to."""

DELAYS_SECONDS = (1, 5, 30, 300)
"""The steps of delayed redelivery. Fixed, since in one queue a long delay would hold up a short one behind it."""

DELIVERIES_MAX = 20
"""Deliveries after which the broker itself dead-letters a message: a process that dies on it each time."""

QUEUE_MESSAGES_MAX = 1_000_000
"""Bound of a queue; beyond it the publisher is refused and its outbox keeps the row."""

_UNCOUNTED = 1_000_000_000
"""A number of deliveries that is never reached. Left out, it would be 20 with RabbitMQ 4, where the message is then dropped."""

REQUESTS_MAX = 10_000
"""Requests that may wait for one service; beyond it the oldest is dropped, since its requester has stopped waiting first."""


_BOUNDS: dict[str, str | int] = {
    "x-queue-type": "quorum",
    "x-max-length": QUEUE_MESSAGES_MAX,
    "x-overflow": "reject-publish",
}


class TopologyConflict(PlatformError):
    """A queue or exchange of that name exists with other arguments."""

    code = "topology_conflict"


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """One queue to declare, with its bindings."""

    name: str
    arguments: dict[str, str | int]
    bindings: tuple[tuple[str, str], ...]
    """(exchange, routing key) pairs."""
    setting: str = ""
    """The setting that names it, where it is not named after its service."""


class Topology(msgspec.Struct, frozen=True, kw_only=True):
    """What one service needs the broker to have."""

    service: str
    exchanges: tuple[tuple[str, ExchangeType], ...]
    queues: tuple[Queue, ...]

    def owns(self, name: str) -> bool:
        """Whether an exchange or queue belongs to this service: it alone declares, binds and deletes it."""
        return name.startswith(f"{self.service}.") or any(name == queue.name and queue.setting for queue in self.queues)

    def brings_back(self, name: str) -> bool:
        """Whether this service may declare an exchange that is there, so that it comes back where somebody has deleted it."""
        return self.owns(name) or (name == PUBLIC_EXCHANGE and self.service == PUBLIC_OWNER)


def topology(service: str, subscriptions: Sequence[Subscription] = (), *, is_apart: bool = False) -> Topology:
    """Derive the exchanges and queues of what `service` receives and publishes, and of what it subscribes to at other teams.

    Where other teams are apart, in a virtual host of their own, their exchanges and `payments.x` are there; the queues of what they
    publish are here too, without bindings: what comes back from the dead letters goes there, and what waits from before.
    """
    exchanges: dict[str, ExchangeType] = {}
    queues: dict[str, Queue] = {}
    contracts = [m.contract for m in (*handled_by(service), *published_by(service))]
    for contract in contracts:
        exchanges[contract.exchange] = ExchangeType.TOPIC
        if contract.public and not is_apart:
            exchanges[PUBLIC_EXCHANGE] = ExchangeType.TOPIC
        if contract.kind is Kind.REQUEST:
            exchanges.update((reply_exchange(requester), ExchangeType.DIRECT) for requester in contract.published_by)
        # A broadcast goes to queues that each process makes for itself and takes with it.
        for receiver in () if contract.broadcast else contract.handled_by:
            exchanges[dead_exchange(receiver)] = ExchangeType.DIRECT
            for queue in _queues(contract, receiver):
                queues[queue.name] = _merged(queues.get(queue.name), queue)
            # Nobody else publishes to it.
            if receiver == service and contract.kind is not Kind.REQUEST:
                postponed = _postponed(contract.queue(service), service)
                queues[postponed.name] = postponed
    for subscription in subscriptions:
        if not is_apart:
            exchanges.update((exchange, ExchangeType.TOPIC) for exchange, _ in subscription.bindings)
        queues.update((queue.name, queue) for queue in _foreign_queues(subscription, is_bound=not is_apart))
    exchanges.update(_side_exchanges(service))
    queues.update((queue.name, queue) for queue in _delay_queues(service))
    # Dead-letter queues first: a queue whose dead-letter target is missing keeps its messages for ever.
    ordered = sorted(queues.values(), key=lambda queue: not queue.name.endswith(".dead"))
    return Topology(service=service, exchanges=tuple(exchanges.items()), queues=tuple(ordered))


def partner_topology(service: str, subscriptions: Sequence[Subscription] = ()) -> Topology:
    """Derive what `service` needs in the virtual host of other teams, where that is not its own.

    Its dead letters, and what it postpones, are at home: the exchange of that name is here only because a connection that
    publishes is tried with messages to it that nobody gets.
    """
    exchanges = {PUBLIC_EXCHANGE: ExchangeType.TOPIC}
    for subscription in subscriptions:
        exchanges.update((exchange, ExchangeType.TOPIC) for exchange, _ in subscription.bindings)
    exchanges[dead_exchange(service)] = ExchangeType.DIRECT
    queues = tuple(
        Queue(
            name=each.queue,
            # No dead letters lead from here to another host: its consumer counts the deliveries, long before the broker does.
            arguments=_BOUNDS | {"x-delivery-limit": _UNCOUNTED},
            bindings=each.bindings,
            setting=each.setting,
        )
        for each in subscriptions
    )
    return Topology(service=service, exchanges=tuple(exchanges.items()), queues=queues)


def meets_partners(service: str, subscriptions: Sequence[Subscription] = ()) -> bool:
    """Whether a service publishes to other teams, or subscribes to what they publish."""
    return bool(subscriptions) or any(message.contract.public for message in published_by(service))


def routing_key(contract: Contract, queue: str) -> str:
    """The key under which a message of `contract` reaches `queue` alone: the type's name, or where several services
    subscribe, the queue's."""
    return contract.name if len(contract.handled_by) == 1 else queue


def delay_exchange(service: str, seconds: int) -> str:
    """The exchange that gives a message to the postponed queue named by its routing key after `seconds`."""
    return f"{service}.wait.{seconds}s"


def due_exchange(service: str) -> str:
    """The exchange to which the delay queues of `service` give what is due; the routing key is the postponed queue's name."""
    return f"{service}.due"


def reply_exchange(service: str) -> str:
    """The exchange that takes the replies to requests of `service`; the routing key is the queue of the process that waits."""
    return f"{service}.replies"


def dead_exchange(service: str) -> str:
    """The exchange that takes the dead letters of `service`; the routing key is the name of the queue they died in."""
    return f"{service}.dead"


def dead_queue(queue: str) -> str:
    """Where the dead letters of `queue` wait to be looked at and redriven."""
    return f"{queue}.dead"


def postponed_queue(queue: str) -> str:
    """Where the events of `queue` that were postponed become due, so that no fresh event waits behind them."""
    return f"{queue}.postponed"


def _side_exchanges(service: str) -> Iterable[tuple[str, ExchangeType]]:
    yield dead_exchange(service), ExchangeType.DIRECT
    yield due_exchange(service), ExchangeType.DIRECT
    for seconds in DELAYS_SECONDS:
        yield delay_exchange(service, seconds), ExchangeType.FANOUT


def _queues(contract: Contract, service: str) -> Iterable[Queue]:
    name = contract.queue(service)
    if contract.kind is Kind.REQUEST:
        # Requests are worth nothing once their requester has stopped waiting: short-lived and bounded. The queue has copies all
        # the same: one that is on a node that is down cannot be declared, and nothing of its service was consumed then.
        yield Queue(
            name=name,
            arguments={"x-queue-type": "quorum", "x-max-length": REQUESTS_MAX, "x-message-ttl": 60_000},
            bindings=((contract.exchange, contract.name),),
        )
        return
    yield Queue(
        name=dead_queue(name),
        arguments={"x-queue-type": "quorum", "x-max-length": QUEUE_MESSAGES_MAX, "x-overflow": "reject-publish"},
        bindings=((dead_exchange(service), name),),
    )
    yield Queue(
        name=name,
        arguments=_work_arguments(name, service),
        # By its own name the publisher reaches this queue and no other, and learns from the broker whether it is there.
        bindings=tuple((contract.exchange, key) for key in dict.fromkeys((contract.name, routing_key(contract, name)))),
    )


def _foreign_queues(subscription: Subscription, *, is_bound: bool) -> Iterable[Queue]:
    name, service = subscription.queue, subscription.service
    queues = (
        Queue(
            name=dead_queue(name),
            arguments={"x-queue-type": "quorum", "x-max-length": QUEUE_MESSAGES_MAX, "x-overflow": "reject-publish"},
            bindings=((dead_exchange(service), name),),
        ),
        Queue(
            name=name,
            arguments=_work_arguments(name, service),
            bindings=subscription.bindings if is_bound else (),
        ),
        _postponed(name, service),
    )
    return (msgspec.structs.replace(queue, setting=subscription.setting) for queue in queues)


def _postponed(name: str, service: str) -> Queue:
    postponed = postponed_queue(name)
    return Queue(
        name=postponed, arguments=_work_arguments(name, service), bindings=((due_exchange(service), postponed),)
    )


def _delay_queues(service: str) -> Iterable[Queue]:
    for seconds in DELAYS_SECONDS:
        name = delay_exchange(service, seconds)
        # A dead letter keeps its routing key: it goes where it is due.
        arguments = _durable(due_exchange(service)) | {"x-message-ttl": seconds * 1000}
        yield Queue(name=name, arguments=arguments, bindings=((name, ""),))


def _work_arguments(name: str, service: str) -> dict[str, str | int]:
    """Return the arguments of a queue that is worked on, whose dead letters are those of the queue `name`."""
    return _durable(dead_exchange(service)) | {
        "x-dead-letter-routing-key": name,
        "x-delivery-limit": DELIVERIES_MAX,
    }


def _durable(dead_letters_to: str) -> dict[str, str | int]:
    return _BOUNDS | {"x-dead-letter-exchange": dead_letters_to, "x-dead-letter-strategy": "at-least-once"}


def _merged(known: Queue | None, queue: Queue) -> Queue:
    if known is None:
        return queue
    return msgspec.structs.replace(known, bindings=tuple(dict.fromkeys((*known.bindings, *queue.bindings))))


async def declare(channel: AbstractChannel, topology: Topology, *, timeout_seconds: float = 30.0) -> dict[str, int]:
    """Declare what the service owns, and what is missing of the rest; what exists with the same arguments stays as it is.

    Returns how many consumers each queue has, as the broker counts them.

    Raises:
        TopologyConflict: when something of that name exists with other arguments.
    """
    name = ""
    consumers: dict[str, int] = {}
    try:
        for name, kind in topology.exchanges:
            if topology.owns(name) or not await _has_exchange(channel, name, timeout_seconds=timeout_seconds):
                await _declare_exchange(channel, topology, name, kind, timeout_seconds=timeout_seconds)
        for queue in topology.queues:
            name = queue.name
            if topology.owns(name) or not await _has_queue(channel, name, timeout_seconds=timeout_seconds):
                consumers[name] = await _declare_queue(channel, topology, queue, timeout_seconds=timeout_seconds)
    except ChannelPreconditionFailed as conflict:
        setting = next((queue.setting for queue in topology.queues if queue.name == name), "")
        if setting:
            raise TopologyConflict(
                f"the queue '{name}' exists on the broker with other arguments; delete it there, or name another one in {setting}"
            ) from conflict
        raise TopologyConflict(
            f"'{name}' exists on the broker with other arguments; delete it there, "
            "or give this platform a virtual host of its own in RABBITMQ_URL"
        ) from conflict
    return consumers


async def _declare_exchange(
    channel: AbstractChannel, topology: Topology, name: str, kind: ExchangeType, *, timeout_seconds: float
) -> None:
    try:
        await channel.declare_exchange(name, kind, durable=True, timeout=timeout_seconds)
    except ChannelAccessRefused:
        if topology.owns(name):
            raise
        await _leave_missing(channel, topology, name)


async def _declare_queue(channel: AbstractChannel, topology: Topology, queue: Queue, *, timeout_seconds: float) -> int:
    """Declare a queue with its bindings; returns how many consumers it has."""
    try:
        declared = await channel.declare_queue(
            queue.name, durable=True, arguments=dict(queue.arguments), timeout=timeout_seconds
        )
        for exchange, key in queue.bindings:
            if queue.setting and not topology.owns(exchange):
                await _bind_foreign(channel, topology, declared, (exchange, key), timeout_seconds=timeout_seconds)
                continue
            await declared.bind(exchange, key, timeout=timeout_seconds)
    except ChannelAccessRefused:
        if topology.owns(queue.name):
            raise
        await _leave_missing(channel, topology, queue.name)
        return 0
    return declared.declaration_result.consumer_count or 0


async def _bind_foreign(
    channel: AbstractChannel,
    topology: Topology,
    queue: AbstractQueue,
    binding: tuple[str, str],
    *,
    timeout_seconds: float,
) -> None:
    """Bind a queue to another team's exchange; where that may not be done, everything else goes on without it."""
    exchange, key = binding
    try:
        await queue.bind(exchange, key, timeout=timeout_seconds)
    except (ChannelAccessRefused, ChannelNotFoundEntity):
        await _leave_missing(channel, topology, exchange)


async def _leave_missing(channel: AbstractChannel, topology: Topology, name: str) -> None:
    """Go on without what belongs to another service and may not be made; what is published there stays in the outbox."""
    log.warning("topology.missing", name=name, service=topology.service)
    await channel.reopen()


async def _has_exchange(channel: AbstractChannel, name: str, *, timeout_seconds: float) -> bool:
    try:
        await channel.declare_exchange(name, passive=True, timeout=timeout_seconds)
    except ChannelNotFoundEntity:
        # The broker closes the channel.
        await channel.reopen()
        return False
    return True


async def _has_queue(channel: AbstractChannel, name: str, *, timeout_seconds: float) -> bool:
    try:
        await channel.declare_queue(name, passive=True, timeout=timeout_seconds)
    except ChannelNotFoundEntity:
        await channel.reopen()
        return False
    return True
