"""All nodes of the profile `ha` together: started where they do not run, looked at, ended, and forgotten with their data."""

import os
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from functools import partial

from deploy.local import probes, records
from deploy.local.errors import LocalFailure, failure
from deploy.local.ha import configs, network, nodes, patroni
from deploy.local.ha.plan import NODES, PARTS, Node, Plan
from deploy.local.ha.plan import nodes as of_part
from deploy.local.ha.plan import plan as planned
from deploy.local.layout import Layout, port_setting
from deploy.local.native import postgres
from deploy.local.ports import is_free
from deploy.local.processes import end, listener_of, marked, run
from deploy.local.records import Server, Servers
from deploy.local.waiting import wait_until

START_SECONDS = 240.0
"""How long all nodes may take together: about 40 s on two idle cores, of which RabbitMQ's second and third node take most."""
DOWN = ("down", "does not answer")
"""How a node is that has to be started again."""
GIVEN = ("POSTGRES_ADMIN_URL", "REDIS_URL", "RABBITMQ_URL")

Report = Callable[[str], None]


def plan(place: Layout) -> Plan:
    """Return the plan of a checkout; its nodes are elsewhere where PostgreSQL's user cannot reach the checkout."""
    place.home.mkdir(parents=True, exist_ok=True)
    base = place.home / "nodes"
    user = postgres.database_user()
    if not base.exists():
        if user and run(["test", "-x", str(place.home)], seconds=10, user=user).returncode:
            other = postgres.ELSEWHERE / f"{place.profile}-{place.key}"
            other.mkdir(parents=True, exist_ok=True)
            base.symlink_to(other)
        else:
            base.mkdir()
    return planned(place, base.resolve(), network=network.chosen(base, place.key))


def ensure(place: Layout, report: Report) -> Servers:
    """Start every node that does not run, and return the servers when all nodes answer and PostgreSQL has a copy.

    Raises:
        LocalFailure: when a port is taken, or a node does not answer in time.
    """
    given = [name for name in GIVEN if os.environ.get(name) and not _is_own(place, name)]
    if given:
        raise LocalFailure(f"{', '.join(given)} names a server of yours, and --profile ha has its own: unset it.")
    here = plan(place)
    down = [node for node in NODES if not nodes.runs(here, node)]
    if down:
        _check_ports(here, down)
        patroni.install(here)
        network.ensure(here)
        report(f"Starting {', '.join(node.name for node in down)} under {here.base} ...")
        _start(here, down)
    deadline = time.monotonic() + START_SECONDS
    for node in NODES:
        _wait(here, node, seconds=max(1.0, deadline - time.monotonic()))
    if not wait_until(lambda: has_copy(here), seconds=max(1.0, deadline - time.monotonic()), poll_seconds=0.5):
        log = here.log(of_part("postgres")[0])
        raise failure("PostgreSQL has no leader with a synchronous copy.", log=log)
    found = servers(here)
    for name, server in found.each().items():
        if not wait_until(partial(probes.url_answers, server.url), seconds=30.0, poll_seconds=0.2):
            raise failure(f"The proxy leads to no {name}.", log=here.log(Node(part="proxy")))
        records.remember(place, name, server)
    return found


def known(place: Layout) -> Servers | None:
    """Return the servers as they were started, whether they answer now or not; none where they were not."""
    if len(records.read(place).servers) < len(PARTS):
        return None
    return servers(plan(place))


def servers(here: Plan) -> Servers:
    """Return the three servers by the addresses that lead to whoever is leader now."""
    brokers = of_part("rabbitmq")
    broker = next((node for node in brokers if nodes.answers(here, node)), brokers[0])
    sentinels = ",".join(f"{here.host(node)}:{here.port(node)}" for node in of_part("sentinel"))
    return Servers(
        profile=here.place.profile,
        root=str(here.place.root),
        postgres=Server(
            kind="cluster", url=f"postgresql://postgres@127.0.0.1:{here.postgres}/postgres", port=here.postgres
        ),
        redis=Server(kind="cluster", url=f"redis://127.0.0.1:{here.redis}/0", port=here.redis, sentinels=sentinels),
        rabbitmq=Server(
            kind="cluster",
            url=f"amqp://guest:guest@127.0.0.1:{here.rabbitmq}/",
            # Of the node that commands go to.
            port=here.port(broker),
            home=str(here.folder(broker)),
            node=configs.rabbit_node(here, broker),
            names_port=here.port(Node(part="names")),
        ),
    )


def has_copy(here: Plan) -> bool:
    """Tell whether PostgreSQL has a leader, and another node every commit of it."""
    found = patroni.members(here)
    roles = [member.role for member in found if member.state in {"running", "streaming"}]
    return roles.count("leader") == 1 and "quorum_standby" in roles and len(roles) == len(of_part("postgres"))


def members(here: Plan) -> list[patroni.Member]:
    """Return PostgreSQL's nodes as Patroni sees them; nothing where none of it answers."""
    return patroni.members(here)


def leader(here: Plan) -> Node:
    """Return the node that PostgreSQL's leader is.

    Raises:
        LocalFailure: when there is none now.
    """
    for member in patroni.members(here):
        if member.role == "leader":
            return nodes.named(member.name)
    raise LocalFailure("PostgreSQL has no leader at the moment.")


def conditions(place: Layout) -> list[tuple[str, str, str]]:
    """Return name, address and condition of every node."""
    here = plan(place)
    members = {member.name: member for member in patroni.members(here)}
    rows = []
    for node in NODES:
        words = "answers" if nodes.answers(here, node) else "does not answer" if nodes.runs(here, node) else "down"
        member = members.get(node.name)
        if member is not None and words == "answers":
            words = f"{member.role.replace('_', ' ')}, {member.state}"
        rows.append((node.name, f"{here.host(node)}:{here.port(node)}", words))
    return rows


def stop(place: Layout, *, wipe: bool) -> list[str]:
    """End every node, clients before what they need; returns the servers that ran."""
    if not (place.home / "nodes").exists():
        return []
    here = plan(place)
    first = leader_or_none(here)
    copies = [node for node in of_part("postgres") if node != first]
    ended: list[str] = []
    # The leader after its copies, so that none of them becomes leader meanwhile; etcd after those who need it.
    for group in ([Node(part="proxy")], copies, [first] if first else [], [*reversed(NODES)]):
        ended += nodes.stop(here, group)
    end(marked(here.base), first=signal.SIGTERM, seconds=5.0, whole_group=False)
    network.remove(here)
    for name in PARTS:
        records.remember(place, name, None)
    if wipe:
        shutil.rmtree(here.base, ignore_errors=True)
        link = place.home / "nodes"
        if link.is_symlink():
            link.unlink()
    return [name for name, parts in PARTS.items() if any(each.partition("-")[0] in parts[:-1] for each in ended)]


def leader_or_none(here: Plan) -> Node | None:
    """Return the node that PostgreSQL's leader is, if any."""
    try:
        return leader(here)
    except LocalFailure:
        return None


def _is_own(place: Layout, name: str) -> bool:
    host, port = probes.address(os.environ[name])
    return ("127.0.0.1" if host == "localhost" else host, port) in records.own_addresses(place.root)


def _check_ports(here: Plan, down: Sequence[Node]) -> None:
    for node in down:
        if here.network and node.number:
            # On a machine of its own nobody else listens.
            continue
        owner = next(name for name, parts in PARTS.items() if node.part in parts)
        needed = [here.postgres, here.redis, here.rabbitmq] if node.part == "proxy" else [here.port(node)]
        for port in needed:
            if not is_free(port, host=here.host(node)):
                by = listener_of(port) or "another program"
                setting = port_setting(here.place.profile, owner)
                raise LocalFailure(f"Port {port} of {node.name} is taken by {by}; {setting} moves it.")


def _start(here: Plan, down: Sequence[Node]) -> None:
    """Start nodes; those of RabbitMQ that are new join when another one answers."""
    brokers = of_part("rabbitmq")
    has_data = {node: (here.folder(node) / "data").is_dir() for node in brokers}
    late = [node for node in down if node.part == "rabbitmq" and not has_data[node]]
    if not any(has_data.values()):
        late = late[1:]
    first = next((node for node in down if node.part == "postgres"), None)
    for node in down:
        if node == first:
            # Patroni ends where it finds no etcd at its start.
            wait_until(lambda: all(nodes.answers(here, each) for each in of_part("etcd")), seconds=30.0)
            patroni.validate(here)
        if node not in late:
            nodes.start(here, node)
    for node in late:
        wait_until(lambda: any(nodes.answers(here, each) for each in brokers), seconds=START_SECONDS / 2)
        nodes.start(here, node)


def _wait(here: Plan, node: Node, *, seconds: float) -> None:
    wait_until(lambda: nodes.answers(here, node) or not nodes.runs(here, node), seconds=seconds, poll_seconds=0.2)
    if not nodes.answers(here, node):
        words = "does not answer" if nodes.runs(here, node) else "ended"
        raise failure(f"{node.name} {words} at {here.host(node)}:{here.port(node)}.", log=here.log(node))
