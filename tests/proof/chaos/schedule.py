"""Which fault comes when, whom it befalls and how long it lasts: a pure function of a seed."""

import random
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """What can go wrong."""

    KILL = "kill"
    """A service is killed (-9), and started at once."""
    FREEZE = "freeze"
    """A service is stopped where it stands, and continues later."""
    RESTART = "restart"
    """A service is ended as an orchestrator does it, and started."""
    CLOCK_JUMP = "clock-jump"
    """The wall clock of a running service jumps, and later back."""
    POSTGRES_KILL = "postgres-kill"
    """PostgreSQL is killed with all its processes, and started later."""
    POSTGRES_RESTART = "postgres-restart"
    """PostgreSQL is stopped as an administrator does it, and started."""
    POSTGRES_FREEZE = "postgres-freeze"
    """PostgreSQL is stopped where it stands, and continues."""
    SESSIONS_ENDED = "sessions-ended"
    """PostgreSQL ends all sessions of the services."""
    RABBITMQ_KILL = "rabbitmq-kill"
    RABBITMQ_RESTART = "rabbitmq-restart"
    RABBITMQ_FREEZE = "rabbitmq-freeze"
    MEMORY_ALARM = "memory-alarm"
    """RabbitMQ is short of memory, and takes nothing from whoever publishes."""
    CONNECTIONS_CLOSED = "connections-closed"
    """RabbitMQ closes all connections of the services."""
    COPY_KILL = "copy-kill"
    """A copy of PostgreSQL is killed, and started once the platform works without it."""
    ETCD_KILL = "etcd-kill"
    """A node of those that decide who leads PostgreSQL is killed, and started once the platform works without it."""
    PARTITION = "partition"
    """The machine of PostgreSQL's leader is cut off from everything, until the platform works without it."""
    PEERS_LOST = "peers-lost"
    """The machine of PostgreSQL's leader is cut off from the other machines alone: clients still reach it."""
    REDIS_KILL = "redis-kill"
    REDIS_FLUSH = "redis-flush"
    """Redis forgets all that it has."""
    DELAY = "delay"
    """What a service and a server send each other is late."""
    STALL = "stall"
    """What they send each other is held back, and comes later."""
    RESET = "reset"
    """Their connections are reset."""
    HALF_OPEN = "half-open"
    """Nothing comes through their connections any more, and both take them for open; new ones work."""
    REFUSE = "refuse"
    """Their connections are reset, and no new one is taken for a while."""


OF_SERVICES = (Kind.KILL, Kind.FREEZE, Kind.RESTART, Kind.CLOCK_JUMP)
OF_LINKS = (Kind.DELAY, Kind.STALL, Kind.RESET, Kind.HALF_OPEN, Kind.REFUSE)
PARTITIONS = (Kind.PARTITION, Kind.PEERS_LOST)
OF_NODES = (Kind.COPY_KILL, Kind.ETCD_KILL, *PARTITIONS)
"""What needs servers in several nodes."""
SERVER_OF = {
    **dict.fromkeys(PARTITIONS, "postgres"),
    Kind.COPY_KILL: "postgres-copy",
    Kind.ETCD_KILL: "etcd",
    **dict.fromkeys((Kind.POSTGRES_KILL, Kind.POSTGRES_RESTART, Kind.POSTGRES_FREEZE, Kind.SESSIONS_ENDED), "postgres"),
    **dict.fromkeys((Kind.RABBITMQ_KILL, Kind.RABBITMQ_RESTART, Kind.RABBITMQ_FREEZE), "rabbitmq"),
    **dict.fromkeys((Kind.MEMORY_ALARM, Kind.CONNECTIONS_CLOSED), "rabbitmq"),
    **dict.fromkeys((Kind.REDIS_KILL, Kind.REDIS_FLUSH), "redis"),
}
LASTS_SECONDS = {
    Kind.KILL: (0.0, 0.0),
    Kind.FREEZE: (1.0, 8.0),
    Kind.RESTART: (0.0, 0.0),
    Kind.CLOCK_JUMP: (2.0, 6.0),
    Kind.POSTGRES_KILL: (0.0, 2.0),
    Kind.POSTGRES_RESTART: (0.0, 2.0),
    Kind.POSTGRES_FREEZE: (1.0, 6.0),
    Kind.SESSIONS_ENDED: (0.0, 0.0),
    Kind.RABBITMQ_KILL: (0.0, 2.0),
    Kind.RABBITMQ_RESTART: (0.0, 2.0),
    Kind.RABBITMQ_FREEZE: (1.0, 6.0),
    Kind.MEMORY_ALARM: (1.0, 5.0),
    Kind.CONNECTIONS_CLOSED: (0.0, 0.0),
    Kind.COPY_KILL: (0.0, 2.0),
    Kind.ETCD_KILL: (0.0, 2.0),
    # They hold on until the platform works without that machine.
    Kind.PARTITION: (0.0, 0.0),
    Kind.PEERS_LOST: (0.0, 0.0),
    Kind.REDIS_KILL: (0.0, 3.0),
    Kind.REDIS_FLUSH: (0.0, 0.0),
    Kind.DELAY: (2.0, 6.0),
    Kind.STALL: (1.0, 6.0),
    Kind.RESET: (0.0, 0.0),
    Kind.HALF_OPEN: (0.0, 0.0),
    Kind.REFUSE: (0.5, 4.0),
}
"""How long each lasts, at least and at most; a killed server also needs the time of its start."""
AMOUNT = {Kind.DELAY: (0.01, 0.15), Kind.CLOCK_JUMP: (-60.0, 60.0)}
"""Seconds by which something is late, or a clock jumps."""
TWO_AT_ONCE = 0.25
"""The part of the rounds with two faults."""
ALL_OF_SERVICE = 0.25
"""The part of the faults of services that befall all processes of one."""
ROUND_SECONDS = (4.0, 14.0)
"""From one round to the next, at least and at most."""
FIRST_SECONDS = 2.0
"""When the first one begins at most."""


class Targets(msgspec.Struct, frozen=True, kw_only=True):
    """Whom faults can befall."""

    services: Mapping[str, tuple[str, ...]]
    """The processes of each service."""
    links: tuple[tuple[str, str], ...]
    """The services and servers that are connected."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One fault."""

    kind: Kind
    targets: tuple[str, ...]
    """The processes, the server, or the service and the server whose link it is."""
    after_seconds: float
    """When it begins, from the beginning of its round."""
    lasts_seconds: float
    amount: float = 0.0
    """By how many seconds something is late, or a clock jumps."""

    def __str__(self) -> str:
        """As it stands in the printed schedule."""
        return " ".join(
            [
                str(self.kind),
                "-".join(self.targets) if self.kind in OF_LINKS else "+".join(self.targets),
                *([f"{self.amount:+.2f} s"] if self.amount else []),
                *([f"for {self.lasts_seconds:.1f} s"] if self.lasts_seconds else []),
            ]
        )


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """Faults that come together; the platform has recovered before the next round begins."""

    at_seconds: float
    """When it begins at the earliest, from the beginning of the run."""
    faults: tuple[Fault, ...]

    def __str__(self) -> str:
        """As it stands in the printed schedule."""
        return f"{self.at_seconds:6.1f} s  {' | '.join(map(str, self.faults))}"


def schedule(seed: int, *, seconds: float, targets: Targets, kinds: Sequence[Kind] = tuple(Kind)) -> tuple[Round, ...]:
    """Return the rounds of a run that takes so long; each kind comes once before one comes again.

    What the seed draws does not depend on how long the run takes: a longer one goes on as the shorter one began.
    """
    chance = random.Random(seed)
    drawn = _kinds(chance, kinds)
    rounds, at = [], chance.uniform(0.0, FIRST_SECONDS)
    while at < seconds:
        faults = [_fault(chance, next(drawn), targets, after_seconds=0.0)]
        if chance.random() < TWO_AT_ONCE:
            second = _fault(chance, next(drawn), targets, after_seconds=chance.uniform(0.0, 2.0))
            if not _places(faults[0]) & _places(second):
                faults.append(second)
        rounds.append(Round(at_seconds=at, faults=tuple(faults)))
        at += chance.uniform(*ROUND_SECONDS)
    return tuple(rounds)


def _kinds(chance: random.Random, kinds: Sequence[Kind]) -> Iterator[Kind]:
    while True:
        yield from chance.sample(kinds, len(kinds))


def _fault(chance: random.Random, kind: Kind, targets: Targets, *, after_seconds: float) -> Fault:
    service = chance.choice(sorted(targets.services))
    processes, is_all = targets.services[service], chance.random() < ALL_OF_SERVICE
    link = chance.choice(targets.links)
    if kind in OF_SERVICES:
        befalls = processes if is_all else (chance.choice(processes),)
    else:
        befalls = link if kind in OF_LINKS else (SERVER_OF[kind],)
    return Fault(
        kind=kind,
        targets=befalls,
        after_seconds=after_seconds,
        lasts_seconds=chance.uniform(*LASTS_SECONDS[kind]),
        amount=chance.uniform(*AMOUNT.get(kind, (0.0, 0.0))),
    )


def _places(fault: Fault) -> set[str]:
    """Return where a fault is: two at once are at different places, so that the end of one is not that of the other."""
    return set(fault.targets)
