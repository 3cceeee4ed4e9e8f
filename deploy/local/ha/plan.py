"""Which nodes the profile `ha` has, and the folder and ports of each."""

from pathlib import Path

import msgspec

from deploy.local.layout import Layout

REPLICAS = (1, 2, 3)
"""PostgreSQL, etcd, RabbitMQ and Sentinel have three nodes each: of three, two are a majority."""
REDIS_REPLICAS = (1, 2)
"""Redis has a master and one replica; three Sentinels decide which is which."""

PARTS = {
    "postgres": ("etcd", "postgres", "proxy"),
    "redis": ("redis", "sentinel", "proxy"),
    "rabbitmq": ("names", "rabbitmq", "proxy"),
}
"""What each server of the platform consists of."""


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One process, or one server with its children, that can fail by itself."""

    part: str
    number: int = 0

    @property
    def name(self) -> str:
        """Its name in commands, folders and logs: `postgres-2`."""
        return f"{self.part}-{self.number}" if self.number else self.part


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Where the nodes of a checkout are."""

    place: Layout
    base: Path
    """The folder that holds a folder for each node."""
    postgres: int
    """The port at which the proxy leads to PostgreSQL's leader; nodes, Patroni and etcd listen at ports behind it."""
    redis: int
    """The port at which the proxy leads to Redis's master."""
    rabbitmq: int
    """The port at which the proxy leads to a node of RabbitMQ."""
    network: str = ""
    """The first three parts of the addresses of the machines; nothing where all nodes are on loopback."""

    def folder(self, node: Node) -> Path:
        """The folder in which a node works; whatever works in it, or below, is of that node."""
        return self.base / node.name

    def log(self, node: Node) -> Path:
        """What a node prints."""
        return self.place.logs / f"{node.name}.log"

    def host(self, node: Node) -> str:
        """The address at which a node listens: of its machine, where there are machines.

        On loopback each PostgreSQL has its own: Patroni refuses the usual one as a member's.
        """
        if self.network and node.number:
            return f"{self.network}.{node.number}"
        return f"127.0.1.{node.number}" if node.part == "postgres" else "127.0.0.1"

    def port(self, node: Node) -> int:
        """The port at which a node serves its clients."""
        match node.part:
            case "postgres":
                return self.postgres + node.number
            case "etcd":
                return self.postgres + 20 + node.number
            case "redis":
                return self.redis + node.number
            case "sentinel":
                return self.redis + 10 + node.number
            case "rabbitmq":
                return self.rabbitmq + 10 * node.number
            case "names":
                return self.rabbitmq + 5
            case _:
                return self.postgres

    def control_port(self, node: Node) -> int:
        """The port at which a node is managed, or meets its like: Patroni's REST API, etcd's peers, Erlang's distribution."""
        match node.part:
            case "postgres":
                return self.postgres + 10 + node.number
            case "etcd":
                return self.postgres + 30 + node.number
            case _:
                return self.port(node) + 1

    def ports(self) -> list[int]:
        """Every port that the profile needs."""
        found = {self.postgres, self.redis, self.rabbitmq, *map(self.port, NODES)}
        found.update(self.control_port(node) for node in NODES if node.part in {"postgres", "etcd", "rabbitmq"})
        return sorted(found)


NODES = (
    *(Node(part="etcd", number=n) for n in REPLICAS),
    *(Node(part="postgres", number=n) for n in REPLICAS),
    *(Node(part="redis", number=n) for n in REDIS_REPLICAS),
    *(Node(part="sentinel", number=n) for n in REPLICAS),
    Node(part="names"),
    *(Node(part="rabbitmq", number=n) for n in REPLICAS),
    Node(part="proxy"),
)
"""Every node, in the order in which they start."""


def nodes(part: str) -> list[Node]:
    """Return the nodes of one part."""
    return [node for node in NODES if node.part == part]


def plan(place: Layout, base: Path, *, network: str = "") -> Plan:
    """Return where the nodes of a checkout are: as the settings HA_POSTGRES_PORT, HA_REDIS_PORT and HA_RABBITMQ_PORT say.

    Raises:
        LocalFailure: when one of them is not a port number.
    """
    ports = {name: place.preferred_port(name) for name in PARTS}
    return Plan(place=place, base=base, network=network, **ports)
