"""The four services under supervisord: its configuration, its start and stop, and what it says about them.

supervisord (https://supervisord.org) keeps the services running; a killed one is back within about a second. Its
configuration and its environment hold no secret: each service's process reads a file of its settings when it starts.
"""

import contextlib
import http.client
import os
import signal
import socket
import sys
import xmlrpc.client
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from deploy.local import balancer, in_force
from deploy.local.bootstrap import SERVICES
from deploy.local.errors import LocalFailure, failure
from deploy.local.layout import Layout
from deploy.local.processes import MARK, end, marked, run, which
from deploy.local.waiting import wait_until

STOP_WAIT_SECONDS = 20
"""How long a service may take to hand back its work before it is killed."""

START_SECONDS = 15.0
ASK_SECONDS = 5.0
BALANCER_PORT_BEHIND = 40
"""How far behind the api's port the balancer says whether it is alive."""
LOG_BYTES = "10MB"
LOG_BACKUPS = 3

CONFIG = """\
; Written by `python -m deploy.local up`; changes are lost.
[unix_http_server]
file = {socket}
chmod = 0700

[supervisord]
logfile = {logs}/supervisord.log
logfile_maxbytes = 10MB
logfile_backups = 1
pidfile = {run}/supervisord.pid
childlogdir = {logs}
directory = {root}
minfds = 1024
{user}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl = unix://{socket}
"""

PROGRAM = """
[program:{process}]
command = /bin/sh -c 'echo $$ > .local/run/{process}.pid; . .local/run/{service}.settings; {own}exec "$PAYMENTS_PYTHON" -m services.{service} serve'
directory = {root}
autostart = true
autorestart = true
startsecs = 1
startretries = 100000
stopsignal = TERM
stopwaitsecs = {stop_wait}
stopasgroup = true
killasgroup = true
redirect_stderr = true
stdout_logfile = {logs}/{process}.log
stdout_logfile_maxbytes = {log_bytes}
stdout_logfile_backups = {log_backups}
"""

BALANCER = """
[program:balancer]
command = {program} -db -f {run}/balancer.cfg
autostart = true
autorestart = true
startretries = 100000
redirect_stderr = true
stdout_logfile = {logs}/balancer.log
stdout_logfile_maxbytes = {log_bytes}
stdout_logfile_backups = {log_backups}
"""


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """One process of a service."""

    service: str
    number: int = 0
    """Which of several it is, from 1; 0 where it is the only one."""

    @property
    def name(self) -> str:
        """Its name in the supervisor, and that of its log: `api`, or `api-2`."""
        return f"{self.service}-{self.number}" if self.number else self.service

    def port(self, settings: Mapping[str, str]) -> int:
        """Where it listens: at the service's port, or behind it where a balancer has that one."""
        return int(settings[f"{self.service.upper()}_HTTP_PORT"]) + 10 * self.number

    def own_settings(self) -> str:
        """What a shell sets of it alone, after the service's settings."""
        if not self.number:
            return ""
        prefix = self.service.upper()
        port = f"{prefix}_HTTP_PORT=$(({prefix}_HTTP_PORT + {10 * self.number}))"
        return f"export {prefix}_HTTP_HOST=127.0.0.1 {port}; "


def processes(place: Layout, services: Sequence[str] = SERVICES) -> list[Process]:
    """Return the processes that the services have in a profile."""
    numbers = range(1, place.processes + 1) if place.processes > 1 else (0,)
    return [Process(service=service, number=number) for service in services for number in numbers]


class ServiceState(msgspec.Struct, frozen=True, kw_only=True):
    """What supervisord says about one process of a service."""

    process: Process
    state: str
    """RUNNING, STARTING, BACKOFF, STOPPED, EXITED, FATAL; NONE when supervisord does not run."""
    pid: int = 0
    uptime_seconds: int = 0

    @property
    def service(self) -> str:
        """The service."""
        return self.process.service

    @property
    def is_up(self) -> bool:
        """Whether the process exists."""
        return self.state in {"RUNNING", "STARTING"} and self.pid > 0


def config(place: Layout) -> str:
    """Return supervisord's configuration for a checkout, written so that a `%` in a path means itself."""
    values = {
        "socket": str(place.socket("supervisor.sock")),
        "run": str(place.run),
        "logs": str(place.service_logs),
        "root": str(place.root),
    }
    escaped = {name: value.replace("%", "%%") for name, value in values.items()}
    escaped |= {"log_bytes": LOG_BYTES, "log_backups": str(LOG_BACKUPS)}
    user = "user = root\n" if os.geteuid() == 0 else ""
    programs = [
        PROGRAM.format(
            service=process.service,
            process=process.name,
            own=process.own_settings(),
            stop_wait=STOP_WAIT_SECONDS,
            **escaped,
        )
        for process in processes(place)
    ]
    if place.processes > 1:
        programs.append(BALANCER.format(program=which("haproxy", "/usr/sbin"), **escaped))
    return CONFIG.format(user=user, **escaped) + "".join(programs)


def write_balancer(place: Layout, settings: Mapping[str, str]) -> None:
    """Write the configuration of the balancer before the services' processes."""
    listens, addresses = {}, {}
    for service in SERVICES:
        host = settings.get(f"{service.upper()}_HTTP_HOST") or settings.get("HTTP_HOST", "127.0.0.1")
        listens[service] = f"{host}:{settings[f'{service.upper()}_HTTP_PORT']}"
        addresses[service] = [f"127.0.0.1:{each.port(settings)}" for each in processes(place, [service])]
    health = int(settings["API_HTTP_PORT"]) + BALANCER_PORT_BEHIND
    (place.run / "balancer.cfg").write_text(balancer.configuration(listens, addresses, health=f"127.0.0.1:{health}"))


def start(place: Layout, env: Mapping[str, str], settings: Mapping[str, str]) -> None:
    """Have supervisord run the services; one that runs them with other settings is replaced.

    Args:
        place: the profile's folders.
        env: the services' whole environment.
        settings: the part of it whose change asks for a restart; a shell's own variables differ every time.

    Raises:
        LocalFailure: when supervisord does not come up.
    """
    text = config(place)
    file = place.run / "supervisord.conf"
    if is_running(place):
        as_before = all(in_force.started_with(place, service) == settings for service in SERVICES)
        if as_before and file.exists() and file.read_text() == text:
            for state in states(place):
                if not state.is_up and state.state != "BACKOFF":
                    _start_one(place, state.process)
            return
        stop(place)
    end_strays(place)
    place.run.mkdir(parents=True, exist_ok=True)
    place.service_logs.mkdir(parents=True, exist_ok=True)
    place.socket("supervisor.sock").unlink(missing_ok=True)
    file.write_text(text)
    for service in SERVICES:
        in_force.write(place, service, settings)
    if place.processes > 1:
        write_balancer(place, settings)
    bare = {name: value for name, value in env.items() if name not in settings}
    environment = {**bare, MARK: str(place.run), "PAYMENTS_PYTHON": sys.executable, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(file)]
    done = run(command, seconds=START_SECONDS, env=environment, cwd=place.root)
    log = place.service_logs / "supervisord.log"
    if done.returncode:
        raise failure(f"supervisord did not start: {(done.stderr + done.stdout).strip()[-500:]}", log=log)
    if not wait_until(lambda: is_running(place), seconds=START_SECONDS):
        raise failure("supervisord started but does not answer on its socket.", log=log)


def stop(place: Layout) -> bool:
    """Stop the services and supervisord, and tell whether anything ran; nothing of them is left behind."""
    was_running = is_running(place)
    supervisor = _pid(place)
    if was_running:
        with contextlib.suppress(OSError, xmlrpc.client.Error):
            _server(place).supervisor.shutdown()
        wait_until(lambda: not _is_supervisor(place, supervisor), seconds=STOP_WAIT_SECONDS + 10.0)
    strays = end_strays(place)
    for pattern in ("*.pid", "*.settings", "*.cfg", "supervisord.conf", "supervisor.sock*"):
        for file in place.run.glob(pattern):
            file.unlink(missing_ok=True)
    place.socket("supervisor.sock").unlink(missing_ok=True)
    return was_running or strays


def restart(place: Layout, process: Process, settings: Mapping[str, str]) -> None:
    """Stop one process of a service and start it with these settings.

    Raises:
        LocalFailure: when the services do not run.
    """
    if not is_running(place):
        raise LocalFailure("The services do not run; start them with ./scripts/up.sh.")
    with contextlib.suppress(xmlrpc.client.Fault):
        _server(place, seconds=STOP_WAIT_SECONDS + 10.0).supervisor.stopProcess(process.name, True)
    in_force.write(place, process.service, settings)
    _start_one(place, process)


def is_running(place: Layout) -> bool:
    """Tell whether this checkout's supervisord answers."""
    try:
        answer = _server(place).supervisor.getState()
    except (OSError, http.client.HTTPException, xmlrpc.client.Error):
        return False
    return isinstance(answer, dict) and answer.get("statename") == "RUNNING"


def states(place: Layout, services: Sequence[str] = SERVICES) -> list[ServiceState]:
    """Return the state of every process of the services."""
    try:
        rows = _server(place).supervisor.getAllProcessInfo()
    except (OSError, http.client.HTTPException, xmlrpc.client.Error):
        rows = []
    reported = {row["name"]: row for row in rows} if isinstance(rows, list) else {}
    return [_state(process, reported.get(process.name)) for process in processes(place, services)]


def end_strays(place: Layout) -> bool:
    """End services that a killed supervisord left behind; tell whether there were any."""
    strays = marked(place.run)
    end(strays, first=signal.SIGTERM, seconds=STOP_WAIT_SECONDS, whole_group=False)
    return bool(strays)


def _state(process: Process, row: object) -> ServiceState:
    if not isinstance(row, dict):
        return ServiceState(process=process, state="NONE")
    state = str(row["statename"])
    up_for = int(row["now"]) - int(row["start"]) if state in {"RUNNING", "STARTING"} else 0
    return ServiceState(process=process, state=state, pid=int(row["pid"]), uptime_seconds=max(0, up_for))


def _start_one(place: Layout, process: Process) -> None:
    with contextlib.suppress(xmlrpc.client.Fault):
        _server(place).supervisor.startProcess(process.name, False)


def _pid(place: Layout) -> int:
    try:
        return int((place.run / "supervisord.pid").read_text())
    except (OSError, ValueError):
        return 0


def _is_supervisor(place: Layout, pid: int) -> bool:
    return any(process.pid == pid for process in marked(place.run))


def _server(place: Layout, *, seconds: float = ASK_SECONDS) -> xmlrpc.client.ServerProxy:
    transport = _UnixTransport(place.socket("supervisor.sock"), seconds=seconds)
    return xmlrpc.client.ServerProxy("http://localhost/RPC2", transport=transport)


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over the supervisor's unix socket."""

    def __init__(self, path: Path, *, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        """Dial the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class _UnixTransport(xmlrpc.client.Transport):
    """XML-RPC over the supervisor's unix socket; the standard library only knows TCP."""

    def __init__(self, path: Path, *, seconds: float) -> None:
        super().__init__()
        self._path = path
        self._seconds = seconds

    def make_connection(self, host: object) -> http.client.HTTPConnection:  # noqa: ARG002 - the signature is given
        """Return a fresh connection; the supervisor's socket knows no keep-alive worth having."""
        return _UnixConnection(self._path, seconds=self._seconds)
