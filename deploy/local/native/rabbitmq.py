"""A private RabbitMQ: its own node, cookie, home, name server (epmd) and folders, bound to loopback.

The wrappers in /usr/sbin change user and use the system's folders, so the scripts beside the release are called.
The node takes three ports in a row: AMQP, Erlang distribution, epmd.
"""

import os
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path

from deploy.local import probes
from deploy.local.errors import LocalFailure, failure
from deploy.local.layout import Layout, port_setting
from deploy.local.native import memory
from deploy.local.processes import ProcessId, end, identify, run, spawn, which, working_directory
from deploy.local.records import Server
from deploy.local.waiting import wait_until

SCRIPTS = ("/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin", "/opt/rabbitmq/sbin", "/opt/homebrew/opt/rabbitmq/sbin")
PORTS_IN_A_ROW = 3
LOOPBACK = "127.0.0.1"
START_SECONDS = 90.0
"""3 to 6 s on two idle cores; much more while the machine compiles or tests."""
STOP_SECONDS = 30.0
CALL_TRIES_MAX = 5
CONTROL_SECONDS = 180.0
"""Half a second on idle cores to declare all queues; more than a minute while many others compute."""

CONFIG = """\
log.file = false
log.console = true
log.console.level = warning
vm_memory_high_watermark.relative = 0.4
disk_free_limit.absolute = 100MB
# The default of 512 MB is kept in memory per node; a private node has little traffic.
log.console.use_colors = off
log.connection.level = error
raft.wal_max_size_bytes = 67108864
"""


FORGETFUL = "[{rabbit, [{quorum_tick_interval, 60000}]}].\n"
"""Where data is thrown away, a quorum queue looks after itself once a minute, and not every five seconds: nobody reads the
counts that it writes then, and 200 idle queues computed a twentieth of a core."""


def program(name: str) -> str:
    """Return the path of one of RabbitMQ's own scripts, empty when it is not installed."""
    for pattern in SCRIPTS:
        found = sorted(Path("/").glob(f"{pattern.lstrip('/')}/{name}"))
        if found:
            return str(found[-1])
    return ""


def is_installed() -> bool:
    """Tell whether a RabbitMQ server and its Erlang are installed on this machine."""
    return bool(program("rabbitmq-server") and which("erl") and which("epmd"))


def start(layout: Layout, *, port: int) -> Server:
    """Start the profile's node on three ports from `port` on; return when it answers in AMQP.

    Raises:
        LocalFailure: when it is not installed or does not answer in time.
    """
    if not is_installed():
        raise LocalFailure("RabbitMQ is not installed: apt-get install rabbitmq-server")
    folder = layout.home / "rabbitmq"
    node = f"payments-{layout.profile}-{layout.key}@localhost"
    memory.link(layout, "rabbitmq", folder / "data").mkdir(parents=True, exist_ok=True)
    prepare(folder, config=CONFIG, advanced="[].\n" if layout.is_durable else FORGETFUL)
    log = layout.logs / "rabbitmq.log"
    env = environment(folder, port=port, node=node)
    # Started by hand and in the foreground, so that we know whom to end; the node finds it running and starts none.
    names = spawn(name_server(port + 2), home=layout.home, log=layout.logs / "epmd.log", cwd=folder, env=env)
    wait_until(lambda: probes.port_answers("127.0.0.1", port + 2), seconds=5.0)
    broker = spawn([program("rabbitmq-server")], home=layout.home, log=log, cwd=folder, env=env)
    server = Server(
        kind="native",
        url=f"amqp://guest:guest@127.0.0.1:{port}/",
        port=port,
        processes=[broker, names],
        home=str(folder),
        data=str(folder),
        node=node,
    )
    wait_until(lambda: answers(server) or not broker.is_alive, seconds=START_SECONDS, poll_seconds=0.1)
    if not answers(server):
        stop(server, keep_data=False)
        setting = f"{port_setting(layout.profile, 'rabbitmq')} (the first of three ports, now {port})"
        raise failure(f"RabbitMQ did not start on port {port}.", log=log, setting=setting)
    return server


def name_server(port: int) -> list[str]:
    """Return the command that runs Erlang's name server in the foreground."""
    return [which("epmd"), "-port", str(port), "-address", "127.0.0.1"]


def answers(server: Server) -> bool:
    """Tell whether the node answers in AMQP."""
    return probes.rabbitmq_answers("127.0.0.1", server.port)


def stop(server: Server, *, keep_data: bool) -> None:
    """End the node, then its epmd; a node whose data is not kept is ended without ceremony."""
    broker, names = _split(server.processes)
    first = signal.SIGTERM if keep_data else signal.SIGKILL
    beam = _beam(Path(server.home)) if server.home else []
    # The node itself receives the command to stop; its start script waits for it and ends by itself, or with the group.
    end(beam, first=first, seconds=STOP_SECONDS, whole_group=False)
    end(broker, first=signal.SIGTERM, seconds=5.0, whole_group=True)
    end(names, first=signal.SIGTERM, seconds=5.0, whole_group=False)


def evaluate(server: Server, expression: str) -> str:
    """Run one Erlang expression (no final full stop) inside the node and return what it printed.

    `erl_call` answers in 20 ms; `rabbitmqctl eval`, the way where it is not installed, starts an Erlang of its own (1 s).

    Raises:
        LocalFailure: when the node refuses or does not answer.
    """
    folder = Path(server.home)
    env = environment(folder, port=server.port, node=server.node, host=_host(server), names_port=server.names_port)
    caller = which("erl_call", "/usr/lib/erlang/bin")
    if caller:
        command = [caller, "-r", "-address", f"{_host(server)}:{server.port + 1}", "-e"]
        for _ in range(CALL_TRIES_MAX):
            done = run(command, seconds=CONTROL_SECONDS, env=env, cwd=folder, text_in=f"{expression}.\n")
            # A busy node does not always shake hands in time; nothing was evaluated then.
            if "failed to connect" not in done.stderr:
                break
            time.sleep(0.5)
        answer = done.stdout.strip()
        refused = done.returncode != 0 or not answer.startswith("{ok,")
        answer = answer.removeprefix("{ok,").removesuffix("}").strip()
    else:
        done = control(server, "rabbitmqctl", "eval", f"{expression}.")
        refused, answer = done.returncode != 0, done.stdout.strip()
    if refused:
        raise LocalFailure(f"RabbitMQ refused a command: {(done.stderr + done.stdout).strip()[-500:]}")
    return answer


def control(server: Server, tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of RabbitMQ's own tools, such as `rabbitmqctl`, for the node; it starts an Erlang of its own (1 s)."""
    folder = Path(server.home)
    env = environment(folder, port=server.port, node=server.node, host=_host(server), names_port=server.names_port)
    return run([program(tool), *arguments], seconds=CONTROL_SECONDS, env=env, cwd=folder)


def wipe(layout: Layout) -> None:
    """Remove the node's folder and its data."""
    shutil.rmtree(layout.home / "rabbitmq", ignore_errors=True)
    memory.wipe(layout, "rabbitmq")


def prepare(folder: Path, *, config: str, advanced: str = "[].\n", cookie: str = "") -> None:
    """Write a node's configuration and, once, its cookie, a random one where none is given."""
    (folder / "home").mkdir(parents=True, exist_ok=True)
    (folder / "data").mkdir(exist_ok=True)
    (folder / "rabbitmq.conf").write_text(config)
    (folder / "enabled_plugins").write_text("[].\n")
    (folder / "rabbitmq-env.conf").write_text("")
    (folder / "advanced.config").write_text(advanced)
    file = folder / "home" / ".erlang.cookie"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(cookie or secrets.token_hex(20))
    file.chmod(0o400)


_NO_BUSY_WAITING = "+sbwt none +sbwtdcpu none +sbwtdio none"
"""Erlang's threads otherwise wait for work by computing, at the cost of what shares the machine: a fifth of the node's CPU."""


def _host(server: Server) -> str:
    """Return the address at which a node listens, which its name ends with where it is another machine's."""
    host = server.node.partition("@")[2]
    return LOOPBACK if host in {"", "localhost"} else host


def environment(folder: Path, *, port: int, node: str, host: str = LOOPBACK, names_port: int = 0) -> dict[str, str]:
    """The whole environment of a node and of its tools; nothing of a system-wide RabbitMQ shines through.

    Erlang's name server listens two ports behind the node, or at `names_port`.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RABBITMQ_", "ERL_", "PYTHON"))}
    return {
        **kept,
        "HOME": str(folder / "home"),
        "ERL_EPMD_PORT": str(names_port or port + 2),
        "ERL_EPMD_ADDRESS": host,
        # A name that ends with an address is a long one.
        "RABBITMQ_USE_LONGNAME": "false" if host == LOOPBACK else "true",
        "RABBITMQ_NODENAME": node,
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_NODE_IP_ADDRESS": host,
        "RABBITMQ_DIST_PORT": str(port + 1),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_PID_FILE": str(folder / "beam.pid"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"-kernel inet_dist_use_interface {{{host.replace('.', ',')}}} {_NO_BUSY_WAITING}",
    }


def _beam(folder: Path) -> list[ProcessId]:
    """Return the Erlang process of the node by the pid file that it writes, if that process is really it."""
    try:
        pid = int((folder / "beam.pid").read_text())
    except (OSError, ValueError):
        return []
    return [identify(pid)] if working_directory(pid) == folder else []


def _split(processes: list[ProcessId]) -> tuple[list[ProcessId], list[ProcessId]]:
    return processes[:1], processes[1:]
