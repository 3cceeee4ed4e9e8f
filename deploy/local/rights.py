"""Who may do what at RabbitMQ: for each user exactly what the contracts need, and a table of it for operators.

RabbitMQ grants three rights on names of exchanges and queues (https://www.rabbitmq.com/docs/access-control): *configure*
declares and deletes, *write* publishes to an exchange and binds a queue, *read* consumes a queue, purges it, and binds to an
exchange. On a topic exchange the routing keys can be limited too. Dead-lettering by the broker needs none of them.
"""

import re
from collections.abc import Iterable, Mapping
from enum import Enum

import msgspec
from aio_pika import ExchangeType

from deploy.local.bootstrap import SERVICES
from deploy.local.environment import REDRIVE, TEAMS
from libs.common.contracts import PUBLIC_EXCHANGE, Contract, Kind, handled_by, published_by
from libs.common.contracts.foreign import PARTNERS, Partner, subscriptions_of
from libs.common.messaging.requests import sends_requests
from libs.common.messaging.topology import (
    DELAYS_SECONDS,
    PUBLIC_OWNER,
    dead_exchange,
    delay_exchange,
    due_exchange,
    meets_partners,
    partner_topology,
    reply_exchange,
    routing_key,
    topology,
)

MONITORING = "monitoring"
"""Who reads metrics over the management API, and no message."""
USERS = (*SERVICES, REDRIVE, MONITORING, *TEAMS)

DEFAULT_EXCHANGE = "amq.default"
"""How the exchange without a name, which reaches every queue, is called where rights are granted."""

_PROCESS = "[0-9a-f]{32}"
"""What a process adds to the name of a queue of its own."""


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """Routing keys of one topic exchange."""

    write: frozenset[str] = frozenset()
    """With which a user may publish."""
    read: frozenset[str] = frozenset()
    """With which it may bind a queue."""


class Rights(msgspec.Struct, frozen=True, kw_only=True):
    """What one user may do."""

    configure: frozenset[str] = frozenset()
    """Exchanges and queues that it declares and deletes."""
    write: frozenset[str] = frozenset()
    """Exchanges that it publishes to, and its own queues, to bind them."""
    read: frozenset[str] = frozenset()
    """Queues that it consumes, and exchanges that it binds them to."""
    own: frozenset[str] = frozenset()
    """Names with which the queues of its processes begin, each followed by `.` and 32 hexadecimal digits; all three rights."""
    prefixes: frozenset[str] = frozenset()
    """With which the names of another team's own exchanges and queues begin, each followed by a dot; all three rights."""
    topics: Mapping[str, Topic] = {}
    """The topic exchanges among them, and the routing keys."""

    def patterns(self) -> dict[str, str]:
        """Return the three rights as RabbitMQ's regular expressions."""
        more = [rf"{re.escape(name)}\.{_PROCESS}" for name in sorted(self.own)]
        more += [rf"{re.escape(name)}\..*" for name in sorted(self.prefixes)]
        return {
            right: pattern(names, *more)
            for right, names in (("configure", self.configure), ("write", self.write), ("read", self.read))
        }


class Host(Enum):
    """Which virtual host it is."""

    SHARED = "shared"
    """The services' own, in which other teams are too."""
    OWN = "own"
    """The services' own, while other teams are in another one."""
    PARTNERS = "partners"
    """That of other teams."""


def rights(user: str, host: Host = Host.SHARED) -> Rights:
    """Return what a user may do in a virtual host.

    Raises:
        KeyError: when there is no such user.
    """
    if user in SERVICES:
        return _at_partners(user) if host is Host.PARTNERS else _of_service(user, is_apart=host is Host.OWN)
    if user in TEAMS:
        return Rights() if host is Host.OWN else next(_of_partner(one) for one in PARTNERS if one.name == user)
    if host is Host.PARTNERS:
        return Rights()
    dead = frozenset(
        q.name for s in SERVICES for q in topology(s, subscriptions_of(s)).queues if q.name.endswith(".dead")
    )
    return {REDRIVE: Rights(write=frozenset({DEFAULT_EXCHANGE}), read=dead), MONITORING: Rights()}[user]


def pattern(names: Iterable[str], *patterns: str) -> str:
    """Return an expression that matches these names, and what `patterns` match, and nothing else."""
    every = [*(re.escape(name) for name in sorted(names)), *patterns]
    return f"^({'|'.join(every)})$" if every else "^$"


def keys_of(contract: Contract) -> frozenset[str]:
    """Return the routing keys under which a message of this contract is published."""
    if contract.broadcast or contract.kind is Kind.REQUEST:
        return frozenset({contract.name})
    return frozenset({contract.name, *(routing_key(contract, contract.queue(s)) for s in contract.handled_by)})


def _of_service(service: str, *, is_apart: bool) -> Rights:
    topo = topology(service, subscriptions_of(service), is_apart=is_apart)
    exchanges = {name for name, _ in topo.exchanges if topo.owns(name)}
    queues = {queue.name for queue in topo.queues if topo.owns(queue.name)}
    bindings = {binding for queue in topo.queues if topo.owns(queue.name) for binding in queue.bindings}
    broadcasts = [m.contract for m in handled_by(service) if m.contract.broadcast]
    bindings |= {(contract.exchange, contract.name) for contract in broadcasts}
    own = {contract.queue(service) for contract in broadcasts}
    public = {PUBLIC_EXCHANGE} if service == PUBLIC_OWNER and not is_apart else set()
    if sends_requests(service):
        own.add(reply_exchange(service))
        bindings.add((reply_exchange(service), ""))
    publishes: dict[str, set[str]] = {}
    for contract in (m.contract for m in published_by(service)):
        publishes.setdefault(contract.exchange, set()).update(keys_of(contract))
        if contract.public and not is_apart:
            publishes.setdefault(PUBLIC_EXCHANGE, set()).add(contract.name)
    # Its dead letters, what it postpones, and where both lead, which making the queues before them sends_requests for.
    side = {dead_exchange(service), due_exchange(service), *(delay_exchange(service, s) for s in DELAYS_SECONDS)}
    replies = {
        reply_exchange(requester)
        for m in handled_by(service)
        if m.contract.reply
        for requester in m.contract.published_by
    }
    sources = {exchange for exchange, _ in bindings}
    topics = set(publishes) | {name for name, kind in topo.exchanges if kind is ExchangeType.TOPIC and name in sources}
    return Rights(
        configure=frozenset(exchanges | queues | public),
        write=frozenset(queues | set(publishes) | side | replies),
        read=frozenset(queues | sources),
        own=frozenset(own),
        topics={
            exchange: Topic(
                write=frozenset(publishes.get(exchange, ())),
                read=frozenset(key for source, key in bindings if source == exchange),
            )
            for exchange in sorted(topics)
        },
    )


def _at_partners(service: str) -> Rights:
    """What a service does in the virtual host of other teams: publish events for them, and consume what they publish."""
    subscriptions = subscriptions_of(service)
    if not meets_partners(service, subscriptions):
        return Rights()
    topo = partner_topology(service, subscriptions)
    queues = frozenset(queue.name for queue in topo.queues)
    bindings = {binding for queue in topo.queues for binding in queue.bindings}
    sources = frozenset(exchange for exchange, _ in bindings)
    public = frozenset(m.contract.name for m in published_by(service) if m.contract.public)
    own = frozenset(name for name, _ in topo.exchanges if topo.owns(name))
    return Rights(
        configure=own | queues | ({PUBLIC_EXCHANGE} if service == PUBLIC_OWNER else frozenset()),
        write=own | queues | {PUBLIC_EXCHANGE},
        read=queues | sources,
        topics={
            exchange: Topic(
                write=public if exchange == PUBLIC_EXCHANGE else frozenset(),
                read=frozenset(key for source, key in bindings if source == exchange),
            )
            for exchange in sorted(sources | {PUBLIC_EXCHANGE})
        },
    )


def _of_partner(partner: Partner) -> Rights:
    """Its own names, and at `payments.x` the routing keys that it needs.

    It declares `payments.x` itself, as it does everywhere, for which RabbitMQ knows no lesser right than to configure it.
    """
    written = frozenset(key for exchange, key in partner.publishes if exchange == PUBLIC_EXCHANGE)
    read = frozenset(partner.handles)
    ours = frozenset({PUBLIC_EXCHANGE} if written | read else ())
    return Rights(
        configure=ours,
        write=ours if written else frozenset(),
        read=ours if read else frozenset(),
        prefixes=frozenset({partner.prefix}),
        topics={PUBLIC_EXCHANGE: Topic(write=written, read=read)} if ours else {},
    )


def table(*, vhost: str, partners: str) -> str:
    """Return the tables for operators, as Markdown: of the services' own virtual host, and of that of other teams."""
    lines = [f"In `{vhost}`, where the services are among themselves:", "", *_HEAD]
    for service in SERVICES:
        may = rights(service, Host.OWN)
        published = [*_published(may), *(f"`{name}`" for name in sorted(may.write) if name.endswith(".replies"))]
        sources = ", ".join(f"`{exchange}`" for exchange, topic in may.topics.items() if topic.read)
        read = f"`{service}.*`, bound to {sources}"
        lines.append(
            f"| `{service}` | {', '.join(published)}; its own `.dead`, `.due`, `.wait.*` | {read} | `{service}.*` |"
        )
    lines.append(f"| `{REDRIVE}` | any queue, by the default exchange | every `*.dead` queue | nothing |")
    lines += [_MONITORING_LINE, "", f"In `{partners}`, where other teams are:", "", *_HEAD]
    for service in SERVICES:
        may = rights(service, Host.PARTNERS)
        if may == Rights():
            continue
        queues = ", ".join(f"`{name}`" for name in sorted((may.configure & may.read) - {PUBLIC_EXCHANGE}))
        read = f"{queues}, bound to {_sources(may)}" if queues else "nothing"
        own = ", ".join(f"`{name}`" for name in sorted(may.configure))
        lines.append(f"| `{service}` | {', '.join(_published(may))}; its own `.dead` | {read} | {own} |")
    for partner in PARTNERS:
        may = rights(partner.name, Host.PARTNERS)
        own = f"`{partner.prefix}.*`"
        read = own + (f", bound to {_sources(may)}" if may.topics else "")
        declared = ", ".join([own, *(f"`{name}`" for name in may.topics)])
        lines.append(f"| `{partner.name}` | {', '.join([own, *_published(may)])} | {read} | {declared} |")
    return "\n".join([*lines, _MONITORING_LINE]) + "\n"


_HEAD = (
    "| User | Publishes to (routing keys) | Consumes | Declares and deletes |",
    "|---|---|---|---|",
)
_MONITORING_LINE = f"| `{MONITORING}` | nothing | nothing; reads the management API | nothing |"


def _published(may: Rights) -> list[str]:
    return [f"`{exchange}` ({_keys(topic.write)})" for exchange, topic in may.topics.items() if topic.write]


def _sources(may: Rights) -> str:
    return ", ".join(f"`{exchange}` ({_keys(t.read)})" for exchange, t in may.topics.items() if t.read)


def _keys(keys: Iterable[str]) -> str:
    return ", ".join(f"`{key}`" for key in sorted(keys))
