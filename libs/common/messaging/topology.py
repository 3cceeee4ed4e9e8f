"""Exchanges and queues, derived from the contracts. Nothing is declared by hand.

For each service and message that it hears there is one quorum queue, and beside it one for its dead letters:

    <owner>.events / .commands / .requests   topic exchanges; payments.x for public events
    <service>.<message>                      the queue, bound by the message's name, and by its own where there are several
    <service>.<message>.<process>            of a broadcast: each process's own, exclusive, gone with it
    <service>.dead  ->  <queue>.dead         dead letters, with the reason in their headers
    <service>.delay.<n>s                     a fanout exchange and queue, from which a message goes on after n s
    <queue>.postponed                        where it goes on to: events that were too early, apart from the fresh ones

Whoever says a message declares its hearers' queues too, so that nothing is lost before they have started for the first
time; both sides derive the same arguments, so the order does not matter.
"""

from collections.abc import Iterable

import msgspec
from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelPreconditionFailed

from libs.common.contracts import PUBLIC_EXCHANGE, Contract, Kind, heard_by, said_by
from libs.common.errors import PlatformError

DELAYS_SECONDS = (1, 5, 30, 300)
"""The steps of delayed redelivery. Fixed, since in one queue a long delay would hold up a short one behind it."""

DELIVERIES_MAX = 20
"""Deliveries after which the broker itself gives up on a message: a process that dies on it each time."""

QUEUE_MESSAGES_MAX = 1_000_000
"""Bound of a queue; beyond it the publisher is refused and its outbox keeps the row."""

REQUESTS_MAX = 10_000
"""Requests that may wait for one service; beyond it the oldest is dropped, since its asker gives up first."""


class TopologyConflict(PlatformError):
    """A queue or exchange of that name exists with other arguments."""

    code = "topology_conflict"


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """One queue to declare, with its bindings."""

    name: str
    arguments: dict[str, str | int]
    bindings: tuple[tuple[str, str], ...]
    """(exchange, routing key) pairs."""


class Topology(msgspec.Struct, frozen=True, kw_only=True):
    """What one service needs the broker to have."""

    exchanges: tuple[tuple[str, ExchangeType], ...]
    queues: tuple[Queue, ...]


def topology(service: str) -> Topology:
    """Derive the exchanges and queues of what `service` hears and says."""
    exchanges: dict[str, ExchangeType] = {}
    queues: dict[str, Queue] = {}
    contracts = [m.contract for m in (*heard_by(service), *said_by(service))]
    for contract in contracts:
        exchanges[contract.exchange] = ExchangeType.TOPIC
        if contract.public:
            exchanges[PUBLIC_EXCHANGE] = ExchangeType.TOPIC
        # A broadcast is heard in queues that each process makes for itself and takes with it.
        for hearer in () if contract.broadcast else contract.heard_by:
            exchanges.update(_side_exchanges(hearer))
            for queue in _queues(contract, hearer):
                queues[queue.name] = _merged(queues.get(queue.name), queue)
            # Nobody else publishes to it.
            if hearer == service and contract.kind is not Kind.REQUEST:
                postponed = _postponed(contract.queue(service), service)
                queues[postponed.name] = postponed
    exchanges.update(_side_exchanges(service))
    queues.update((queue.name, queue) for queue in _delay_queues(service))
    # Dead-letter queues first: a queue whose dead-letter target is missing keeps its messages for ever.
    ordered = sorted(queues.values(), key=lambda queue: not queue.name.endswith(".dead"))
    return Topology(exchanges=tuple(exchanges.items()), queues=tuple(ordered))


def routing_key(contract: Contract, queue: str) -> str:
    """The key under which a message of `contract` reaches `queue` alone: the type's name, or where several services
    subscribe, the queue's."""
    return contract.name if len(contract.heard_by) == 1 else queue


def delay_exchange(service: str, seconds: int) -> str:
    """The exchange that gives a message to the queue named by its routing key after `seconds`."""
    return f"{service}.delay.{seconds}s"


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
    for seconds in DELAYS_SECONDS:
        yield delay_exchange(service, seconds), ExchangeType.FANOUT


def _queues(contract: Contract, service: str) -> Iterable[Queue]:
    name = contract.queue(service)
    if contract.kind is Kind.REQUEST:
        # Requests are worth nothing once their asker has given up: not replicated, short-lived, bounded.
        yield Queue(
            name=name,
            arguments={"x-queue-type": "classic", "x-max-length": REQUESTS_MAX, "x-message-ttl": 60_000},
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


def _postponed(name: str, service: str) -> Queue:
    # Bound to nothing: the default exchange, to which the delay queues give what is due, routes by queue name.
    return Queue(name=postponed_queue(name), arguments=_work_arguments(name, service), bindings=())


def _delay_queues(service: str) -> Iterable[Queue]:
    for seconds in DELAYS_SECONDS:
        name = delay_exchange(service, seconds)
        # The default exchange routes by queue name, and a dead letter keeps its routing key: it goes where it is due.
        yield Queue(name=name, arguments=_durable("") | {"x-message-ttl": seconds * 1000}, bindings=((name, ""),))


def _work_arguments(name: str, service: str) -> dict[str, str | int]:
    """Return the arguments of a queue that is worked on, whose dead letters are those of the queue `name`."""
    return _durable(dead_exchange(service)) | {
        "x-dead-letter-routing-key": name,
        "x-delivery-limit": DELIVERIES_MAX,
    }


def _durable(dead_letters_to: str) -> dict[str, str | int]:
    return {
        "x-queue-type": "quorum",
        "x-max-length": QUEUE_MESSAGES_MAX,
        "x-overflow": "reject-publish",
        "x-dead-letter-exchange": dead_letters_to,
        "x-dead-letter-strategy": "at-least-once",
    }


def _merged(known: Queue | None, queue: Queue) -> Queue:
    if known is None:
        return queue
    return msgspec.structs.replace(known, bindings=tuple(dict.fromkeys((*known.bindings, *queue.bindings))))


async def declare(channel: AbstractChannel, wanted: Topology, *, timeout_seconds: float = 30.0) -> dict[str, int]:
    """Declare everything in `wanted`; what exists already with the same arguments stays as it is.

    Returns how many consumers each queue has, as the broker counts them.

    Raises:
        TopologyConflict: when something of that name exists with other arguments.
    """
    name = ""
    consumers: dict[str, int] = {}
    try:
        for name, kind in wanted.exchanges:
            await channel.declare_exchange(name, kind, durable=True, timeout=timeout_seconds)
        for queue in wanted.queues:
            name = queue.name
            declared = await channel.declare_queue(
                queue.name, durable=True, arguments=dict(queue.arguments), timeout=timeout_seconds
            )
            consumers[queue.name] = declared.declaration_result.consumer_count or 0
            for exchange, routing_key in queue.bindings:
                await declared.bind(exchange, routing_key, timeout=timeout_seconds)
    except ChannelPreconditionFailed as conflict:
        raise TopologyConflict(
            f"'{name}' exists on the broker with other arguments; delete it there, "
            "or give this platform a virtual host of its own in RABBITMQ_URL"
        ) from conflict
    return consumers
