"""Single nodes of the profile `ha`: started, killed, suspended and resumed as a machine of its own would be."""

import os
import pwd
import signal
import urllib.request
from collections.abc import Sequence
from pathlib import Path

import msgspec

from deploy.local import probes
from deploy.local.errors import LocalFailure
from deploy.local.ha import configs, network, patroni
from deploy.local.ha.plan import NODES, Node, Plan
from deploy.local.native import postgres, rabbitmq, redis
from deploy.local.processes import ProcessId, end, marked, spawn, which, working_directory
from deploy.local.waiting import wait_until

STOP_SECONDS = 30.0
KILL_SECONDS = 10.0
REST_SECONDS = 2.0


def named(name: str) -> Node:
    """Return a node by its name.

    Raises:
        LocalFailure: when there is none.
    """
    for node in NODES:
        if node.name == name:
            return node
    raise LocalFailure(f"There is no node {name}; they are {', '.join(node.name for node in NODES)}.")


def start(plan: Plan, node: Node) -> None:
    """Start a node that does not run, with its configuration written anew; return at once.

    Raises:
        LocalFailure: when its program cannot be started.
    """
    folder = plan.folder(node)
    folder.mkdir(parents=True, exist_ok=True)
    env: dict[str, str] | None = None
    user = ""
    match node.part:
        case "etcd":
            command = [which("etcd"), *configs.etcd(plan, node)]
            env = {name: value for name, value in os.environ.items() if not name.startswith("ETCD")}
        case "postgres":
            user = postgres.database_user()
            _give(folder, user)
            file = patroni.write(plan, node)
            command, env = patroni.command(str(file)), patroni.environment(plan)
        case "redis":
            command = [redis.program(), str(_first(folder / "redis.conf", configs.redis(plan, node)))]
        case "sentinel":
            file = _first(folder / "sentinel.conf", configs.sentinel(plan, node))
            command = [redis.program(), str(file), "--sentinel"]
        case "names":
            command, env = rabbitmq.name_server(plan.port(node)), rabbit_environment(plan, node)
        case "rabbitmq":
            rabbitmq.prepare(folder, config=configs.rabbit(plan), cookie=plan.place.key * 2)
            command, env = [rabbitmq.program("rabbitmq-server")], rabbit_environment(plan, node)
        case _:
            file = folder / "haproxy.cfg"
            file.write_text(configs.proxy(plan))
            command = [which("haproxy", "/usr/sbin"), "-db", "-f", str(file)]
    command, user = network.inside(plan, node, command, user=user)
    process = spawn(command, home=plan.base, log=plan.log(node), cwd=folder, env=env, user=user)
    (folder / "process.json").write_bytes(msgspec.json.encode(process))


def rabbit_environment(plan: Plan, node: Node) -> dict[str, str]:
    """Return the environment of a node of RabbitMQ, of its tools and of the name server."""
    names = plan.port(Node(part="names"))
    return rabbitmq.environment(
        plan.folder(node),
        port=plan.port(node),
        node=configs.rabbit_node(plan, node),
        host=plan.host(node),
        names_port=names,
    )


def runs(plan: Plan, node: Node) -> bool:
    """Tell whether a node's main process is there, suspended or not."""
    process = main_process(plan, node)
    return process is not None and process.is_alive


def main_process(plan: Plan, node: Node) -> ProcessId | None:
    """Return the process that a node was last started as."""
    try:
        return msgspec.json.decode((plan.folder(node) / "process.json").read_bytes(), type=ProcessId)
    except (OSError, msgspec.DecodeError):
        return None


def processes(plan: Plan, node: Node) -> list[ProcessId]:
    """Return every process of a node, its main one first."""
    folder = plan.folder(node).resolve()
    main = main_process(plan, node)
    found = [main] if main is not None and main.is_alive else []
    for process in marked(plan.base.resolve()):
        place = working_directory(process.pid)
        if process not in found and place is not None and (place == folder or folder in place.parents):
            found.append(process)
    return found


def kill(plan: Plan, node: Node) -> None:
    """End a node as a power cut would, with every child of it, and leave it down."""
    wait_until(lambda: not _signal(processes(plan, node), signal.SIGKILL), seconds=KILL_SECONDS)


def suspend(plan: Plan, node: Node) -> None:
    """Let a node stand still as it is: nothing of it answers, its connections stay open."""
    _signal(processes(plan, node), signal.SIGSTOP)


def resume(plan: Plan, node: Node) -> None:
    """Let a suspended node go on."""
    _signal(processes(plan, node), signal.SIGCONT)


def stop(plan: Plan, stopped: Sequence[Node]) -> list[str]:
    """End nodes in an orderly way, all at once; returns the names of those that ran."""
    running = {node: processes(plan, node) for node in stopped}
    ended = [node.name for node, found in running.items() if found]
    everything = [process for found in running.values() for process in found]
    _signal(everything, signal.SIGCONT)
    # Of PostgreSQL and RabbitMQ the main process, which ends its children; what is left then is killed.
    first = [found[0] for found in running.values() if found]
    first += [process for process in everything if _is_beam(process)]
    end(first, first=signal.SIGTERM, seconds=STOP_SECONDS, whole_group=False)
    for node in stopped:
        kill(plan, node)
        (plan.folder(node) / "process.json").unlink(missing_ok=True)
    return ended


def answers(plan: Plan, node: Node) -> bool:
    """Tell whether a node runs and answers in its own protocol."""
    host, port = plan.host(node), plan.port(node)
    if not runs(plan, node):
        return False
    match node.part:
        case "etcd":
            return _is_ok(f"http://{host}:{port}/health")
        case "postgres":
            # 200 as soon as PostgreSQL takes connections, as leader or as a copy.
            return _is_ok(f"http://{host}:{plan.control_port(node)}/health")
        case "redis" | "sentinel":
            return probes.redis_answers(host, port)
        case "rabbitmq":
            return probes.rabbitmq_answers(host, port)
        case _:
            return probes.port_answers(host, port)


def _is_ok(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=REST_SECONDS) as answer:  # noqa: S310 - our own node on loopback
            return bool(answer.status == 200)
    except OSError:
        return False


def _first(file: Path, text: str) -> Path:
    """Write a file that its program goes on to write, once."""
    if not file.exists():
        file.write_text(text)
    return file


def _give(folder: Path, user: str) -> None:
    """Make a folder the database's user's."""
    if user:
        entry = pwd.getpwnam(user)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
    folder.chmod(0o700)


def _signal(found: Sequence[ProcessId], number: signal.Signals) -> list[ProcessId]:
    """Send a signal to processes that are alive; returns those that were."""
    alive = [process for process in found if process.is_alive]
    for process in alive:
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            continue
    return alive


def _is_beam(process: ProcessId) -> bool:
    try:
        return Path(f"/proc/{process.pid}/comm").read_text().strip() == "beam.smp"
    except OSError:
        return False
