"""What etcd, RabbitMQ, Redis, Sentinel and HAProxy read in the profile `ha`."""

from deploy.local.ha.plan import REDIS_REPLICAS, Node, Plan, nodes
from deploy.local.native import rabbitmq

MASTER = "mymaster"
"""The name under which the Sentinels know the master of Redis."""
SENTINEL_DOWN_MS = 3000
"""How long Redis may say nothing before a Sentinel counts it as down."""
NET_TICK_SECONDS = 12
"""After 0.75 to 1.25 times of it a node of RabbitMQ that says nothing counts as down."""


def etcd(plan: Plan, node: Node) -> list[str]:
    """Return etcd's options of one node."""
    peers = ",".join(f"{each.name}=http://{plan.host(each)}:{plan.control_port(each)}" for each in nodes("etcd"))
    host = plan.host(node)
    client, peer = f"http://{host}:{plan.port(node)}", f"http://{host}:{plan.control_port(node)}"
    options = {
        "name": node.name,
        "data-dir": str(plan.folder(node) / "data"),
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": peers,
        "initial-cluster-token": f"payments-{plan.place.key}",
        "initial-cluster-state": "new",
        # Patroni writes a little every few seconds, for ever.
        "auto-compaction-retention": "1h",
        # Whoever leads next gives PostgreSQL's leader all of its time again: the sooner, the better.
        "heartbeat-interval": "100",
        "election-timeout": "1000",
        "log-level": "warn",
        "enable-v2": "false",
    }
    return [f"--{name}={value}" for name, value in options.items()]


def rabbit_node(plan: Plan, node: Node) -> str:
    """Return the Erlang name of a node of RabbitMQ."""
    host = plan.host(node) if plan.network else "localhost"
    return f"payments-{plan.place.key}-{node.number}@{host}"


def rabbit(plan: Plan) -> str:
    """Return RabbitMQ's configuration, the same for each node: which nodes there are, and that a minority takes no messages."""
    members = "".join(
        f"cluster_formation.classic_config.nodes.{node.number} = {rabbit_node(plan, node)}\n"
        for node in nodes("rabbitmq")
    )
    return (
        rabbitmq.CONFIG
        + "cluster_formation.peer_discovery_backend = classic_config\n"
        + members
        + "cluster_partition_handling = pause_minority\n"
        + f"net_ticktime = {NET_TICK_SECONDS}\n"
        # Whoever is on this machine comes in, by an address that is not loopback's.
        + ("loopback_users = none\n" if plan.network else "")
    )


def redis(plan: Plan, node: Node) -> str:
    """Return the first configuration of a node of Redis; Sentinel rewrites it when the master changes."""
    lines = [*_redis_listens(plan, node), 'save ""', "appendonly no"]
    lines += ["repl-diskless-sync yes", "repl-diskless-sync-delay 0", "repl-timeout 10"]
    if node.number != REDIS_REPLICAS[0]:
        first = nodes("redis")[0]
        lines.append(f"replicaof {plan.host(first)} {plan.port(first)}")
    return "\n".join(lines) + "\n"


def sentinel(plan: Plan, node: Node) -> str:
    """Return the first configuration of a Sentinel; it writes what it learns into it."""
    quorum, first = len(nodes("sentinel")) // 2 + 1, nodes("redis")[0]
    return (
        "\n".join(_redis_listens(plan, node)) + "\n"
        f"sentinel monitor {MASTER} {plan.host(first)} {plan.port(first)} {quorum}\n"
        f"sentinel down-after-milliseconds {MASTER} {SENTINEL_DOWN_MS}\n"
        f"sentinel failover-timeout {MASTER} 10000\n"
        f"sentinel parallel-syncs {MASTER} 1\n"
    )


def _redis_listens(plan: Plan, node: Node) -> list[str]:
    # Without a password it refuses whoever comes from elsewhere than loopback.
    protected = "no" if plan.network else "yes"
    return [
        f"port {plan.port(node)}",
        f"bind {plan.host(node)}",
        f"protected-mode {protected}",
        f"dir {plan.folder(node)}",
    ]


PROXY = """\
# Written by `just up --profile ha`; changes are lost.
global
    log stdout format raw local0 notice
    maxconn 4000

defaults
    mode tcp
    log global
    option clitcpka
    option srvtcpka
    timeout connect 2s
    timeout client 30m
    timeout server 30m
    timeout check 2s
    # A connection to a node that does not answer its check ends, so that its client comes to another one.
    default-server inter 1s fall 3 rise 1 on-marked-down shutdown-sessions

# Where Patroni answers 200: the node that holds the leader's lock in etcd.
listen postgres
    bind 127.0.0.1:{postgres}
    option httpchk OPTIONS /primary
    http-check expect status 200
{postgres_nodes}

listen redis
    bind 127.0.0.1:{redis}
    option tcp-check
    tcp-check send info\\ replication\\r\\n
    tcp-check expect string role:master
{redis_nodes}

# Any node that answers the greeting of AMQP.
listen rabbitmq
    bind 127.0.0.1:{rabbitmq}
    balance leastconn
    option tcp-check
    tcp-check send-binary 414d515000000901
    tcp-check expect binary 010000
{rabbitmq_nodes}
"""


def proxy(plan: Plan) -> str:
    """Return the configuration of the HAProxy that leads to whoever is leader now."""

    def servers(part: str, *, checked_elsewhere: bool = False) -> str:
        return "\n".join(
            f"    server {node.name} {plan.host(node)}:{plan.port(node)} check"
            + (f" port {plan.control_port(node)}" if checked_elsewhere else "")
            for node in nodes(part)
        )

    return PROXY.format(
        postgres=plan.postgres,
        redis=plan.redis,
        rabbitmq=plan.rabbitmq,
        postgres_nodes=servers("postgres", checked_elsewhere=True),
        redis_nodes=servers("redis"),
        rabbitmq_nodes=servers("rabbitmq"),
    )
