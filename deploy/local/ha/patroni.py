"""Patroni's configuration of a node, and its program in an environment that PostgreSQL's user can read.

Documentation: https://patroni.readthedocs.io/en/latest/patroni_configuration.html
"""

import json
import os
import shutil
import sys
import urllib.request
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from deploy.local.errors import LocalFailure
from deploy.local.ha.plan import Node, Plan, nodes
from deploy.local.native import postgres
from deploy.local.processes import run
from deploy.local.waiting import locked

SCOPE = "payments"
"""The cluster's name in etcd."""
TTL_SECONDS = 20
"""How long a leader that says nothing stays leader: the least that Patroni allows. With it a leader is replaced within 30 s."""
LOOP_SECONDS = 3
RETRY_SECONDS = 5
"""How long Patroni tries to reach etcd before it gives the leadership up; LOOP + 2 * RETRY may be TTL at most."""
INSTALL_SECONDS = 300.0
REST_SECONDS = 2.0

PARAMETERS: dict[str, str | int] = {
    "max_connections": 400,
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "wal_keep_size": "1GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "autovacuum_naptime": "10s",
    # What a leader that was lost has written alone is taken back from its log, and a copy is made from it again.
    "wal_log_hints": "on",
    # A client that is gone holds no lock for long.
    "tcp_keepalives_idle": 30,
    "tcp_user_timeout": "5s",
    # A standby that says nothing for so long is left.
    "wal_sender_timeout": "10s",
    "wal_receiver_timeout": "10s",
}


def shared() -> dict[str, Any]:
    """Return what holds for all nodes; Patroni keeps it in etcd.

    An acknowledged commit is on two nodes, whichever of the copies had it first (`quorum`): the copy that has most becomes leader,
    so that the other one goes on from there and need not go back first. Where no copy is left nothing is written
    (`synchronous_mode_strict`). A leader that loses etcd goes on while all other nodes answer it (`failsafe_mode`),
    and one whose PostgreSQL ends gives way at once (`primary_start_timeout`).
    """
    return {
        "ttl": TTL_SECONDS,
        "loop_wait": LOOP_SECONDS,
        "retry_timeout": RETRY_SECONDS,
        "maximum_lag_on_failover": 16 * 1024 * 1024,
        "synchronous_mode": "quorum",
        "synchronous_mode_strict": True,
        "synchronous_node_count": 1,
        "failsafe_mode": True,
        "primary_start_timeout": 0,
        "primary_stop_timeout": 10,
        "postgresql": {"use_pg_rewind": True, "use_slots": True, "parameters": dict(PARAMETERS)},
    }


def config(plan: Plan, node: Node) -> dict[str, Any]:
    """Return Patroni's configuration of one node."""
    data, binaries = plan.folder(node) / "data", Path(postgres.program("postgres")).parent
    return {
        "scope": SCOPE,
        "name": node.name,
        "restapi": {
            "listen": f"{plan.host(node)}:{plan.control_port(node)}",
            "connect_address": f"{plan.host(node)}:{plan.control_port(node)}",
        },
        "etcd3": {"hosts": [f"{plan.host(etcd)}:{plan.port(etcd)}" for etcd in nodes("etcd")]},
        "log": {"level": "INFO"},
        "bootstrap": {
            "dcs": shared(),
            "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, "data-checksums"],
        },
        "postgresql": {
            "listen": f"{plan.host(node)}:{plan.port(node)}",
            "connect_address": f"{plan.host(node)}:{plan.port(node)}",
            "data_dir": str(data),
            "bin_dir": str(binaries),
            "pgpass": str(plan.folder(node) / "pgpass"),
            "authentication": {"superuser": {"username": "postgres"}, "replication": {"username": "replicator"}},
            # As the other profiles: whoever is on this machine comes in.
            "pg_hba": [
                f"host {databases} all {network} trust"
                for network in ("127.0.0.0/8", *([f"{plan.network}.0/24"] if plan.network else []))
                for databases in ("all", "replication")
            ],
            "parameters": {"unix_socket_directories": "", "log_line_prefix": "%m [%p] %u@%d "},
            "remove_data_directory_on_rewind_failure": True,
            "remove_data_directory_on_diverged_timelines": True,
        },
    }


def write(plan: Plan, node: Node) -> Path:
    """Write a node's configuration and return the file."""
    file = plan.folder(node) / "patroni.yml"
    file.write_text(text(config(plan, node)))
    return file


def text(settings: dict[str, Any]) -> str:
    """Return settings as Patroni reads them; JSON is YAML."""
    return json.dumps(settings, indent=2) + "\n"


def command(*arguments: str) -> list[str]:
    """Return the command that runs Patroni."""
    return [python(), "-m", "patroni", *arguments]


def environment(plan: Plan) -> dict[str, str]:
    """Return the environment in which Patroni runs: ours without what would point PostgreSQL or Patroni elsewhere."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PG", "PATRONI", "PYTHON", "ETCD", "VIRTUAL_ENV")) and name != "HOME"
    }
    return {**kept, "HOME": str(plan.base), "LC_ALL": "C.UTF-8", "PYTHONPATH": str(plan.base / "patroni")}


def python() -> str:
    """Return a Python that PostgreSQL's user can run.

    Raises:
        LocalFailure: when there is none.
    """
    user = postgres.database_user()
    for program in (sys.executable, "/usr/bin/python3", shutil.which("python3") or ""):
        if program and not run([program, "-c", "import ssl, json"], seconds=20, user=user).returncode:
            return program
    raise LocalFailure(
        f"Patroni runs as {user}, who can run no Python: {sys.executable} is closed to it. As root: apt-get install python3"
    )


def install(plan: Plan) -> None:
    """Install Patroni as `uv.lock` has it, once for each version.

    Raises:
        LocalFailure: when uv is missing or fails.
    """
    uv = _uv(plan.place.root)
    content = _checked(
        [uv, "export", "--frozen", "--only-group", "ha", "--no-hashes", "--no-emit-project", "-q"], plan.place.root
    )
    folder = plan.base / "patroni"
    made_from = folder / "requirements.txt"
    with locked(plan.place.home / "patroni.lock", seconds=INSTALL_SECONDS):
        if made_from.is_file() and made_from.read_text() == content:
            return
        shutil.rmtree(folder, ignore_errors=True)
        list_file = plan.place.home / "requirements.txt"
        list_file.write_text(content)
        _checked(
            [uv, "pip", "install", "-q", "--python", python(), "--target", str(folder), "-r", str(list_file)],
            plan.place.root,
        )
        # Last, so that half an installation is made anew.
        list_file.replace(made_from)


def validate(plan: Plan) -> None:
    """Have Patroni check the configuration of a node; the others' differ in name and addresses.

    Raises:
        LocalFailure: with what it says is wrong.
    """
    user = postgres.database_user()
    with TemporaryDirectory(dir=plan.base) as folder:
        file = Path(folder) / "patroni.yml"
        file.write_text(text(config(plan, nodes("postgres")[0])))
        for path in (Path(folder), file):
            path.chmod(0o755)
        # The ports of a node that runs are taken.
        options = command("--validate-config", "--ignore-listen-port", str(file))
        done = run(options, seconds=60, env=environment(plan), user=user, cwd=Path(folder))
    if done.returncode:
        raise LocalFailure(f"Patroni refuses its configuration:\n{(done.stdout + done.stderr).strip()[-1000:]}")


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A node as Patroni sees it."""

    name: str
    role: str
    state: str = "unknown"
    lag: int | str = 0


class Members(msgspec.Struct, frozen=True):
    """The answer to `GET /cluster`."""

    members: list[Member]


def members(plan: Plan) -> list[Member]:
    """Return the cluster as the first node that answers sees it; nothing when none does."""
    for node in nodes("postgres"):
        try:
            url = f"http://{plan.host(node)}:{plan.control_port(node)}/cluster"
            with urllib.request.urlopen(url, timeout=REST_SECONDS) as answer:
                return msgspec.json.decode(answer.read(), type=Members).members
        except (OSError, msgspec.DecodeError):
            continue
    return []


def _uv(root: Path) -> str:
    for program in ("uv", str(root / ".local" / "uv" / "bin" / "uv"), str(Path.home() / ".local" / "bin" / "uv")):
        if found := shutil.which(program):
            return found
    raise LocalFailure("uv is missing, which installs Patroni: see https://docs.astral.sh/uv/")


def _checked(command: list[str], root: Path) -> str:
    env = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = run(command, seconds=INSTALL_SECONDS, env=env, cwd=root)
    if done.returncode:
        raise LocalFailure(f"{' '.join(command[:3])} failed: {done.stderr.strip()[-800:]}")
    return done.stdout
