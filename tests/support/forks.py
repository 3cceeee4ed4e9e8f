"""Services as processes that begin with what all of them import: a start then takes a tenth of the work.

    process = start("gateway", "serve", environ=environ, log=tmp_path / "gateway.log")

A process of its own imports the shared code and the packages once, and forks for each start. The child takes the
environment, the arguments and the log that it was given, and runs its service as `python -m services.gateway` would. What a
service imports beside that it imports once too, in a process that is forked for all starts of this service. Where coverage is
measured, each child imports it for itself: coverage begins in the child, before its service is imported. What may differ from a start from nothing is tested
with real starts: the command line, the readme's, and two processes of the api compared (`tests/e2e/test_processes.py`).
Where a process cannot be forked, outside of Linux, each start is one from nothing.
"""

import asyncio
import atexit
import contextlib
import gc
import importlib
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Protocol

import msgspec

ROOT = Path(__file__).parents[2]

PRELOADED = (
    *("libs.common.service", "libs.common.db", "libs.common.db.statements", "libs.common.messaging"),
    *("libs.common.messaging.letters", "libs.common.web", "libs.common.money", "libs.common.sealing"),
    *("libs.common.contracts.gateway_errors", "libs.common.contracts.ledger_errors"),
    *("libs.common.contracts.notifier.errors", "libs.common.single_flight"),
    *(
        "aiohttp",
        "stripe",
        "stripe._v1_services",
        "stripe._v2_services",
        "stripe.v2.core",
        "aiobreaker",
        "jwt",
        "argon2",
    ),
    *("redis.asyncio", "iso4217", "standardwebhooks", "tenacity", "csv", "coverage"),
    *("cryptography.fernet", "cryptography.hazmat.primitives.ciphers.aead"),
)
"""What is imported before any fork: all but the services, whose metrics would otherwise be shown by the others too."""

START_SECONDS = 180.0
MESSAGE_BYTES_MAX = 200_000
"""An environment fits in."""
LOOK_SECONDS = 0.01
"""How often a wait looks whether a process has ended."""

MEASURE = "MEASURE_COVERAGE"
"""Set to 1 by the test command: the services are measured too."""
TEMPLATE = "template"
"""What a process is requested as that imports a service, and forks for each of its starts."""
IMPORTED_FIRST = "MEASURE_IMPORTED_FIRST"
"""In the environment of a service: a module that a forked one imports before its own."""


class Process(Protocol):
    """What can be done with a service that was started, as with `subprocess.Popen`."""

    @property
    def pid(self) -> int:
        """Its process id."""

    @property
    def returncode(self) -> int | None:
        """Its exit code as `poll`, `wait` or a wait elsewhere has found it."""

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended; raises `subprocess.TimeoutExpired`."""

    def send_signal(self, sig: int) -> None:
        """Send it a signal, unless it has ended."""

    def terminate(self) -> None:
        """Send it SIGTERM."""

    def kill(self) -> None:
        """Send it SIGKILL."""


def start(service: str, *arguments: str, environ: Mapping[str, str], log: Path) -> Process:
    """Start a service with these arguments, which writes into `log` from its end on."""
    with log.open("ab") as output:
        if _can_fork():
            request = _Start([f"services.{service}", *arguments], dict(environ), measuring())
            imports_itself = request.measured or IMPORTED_FIRST in environ
            return _parent("" if imports_itself else service).start(request, output.fileno())
        return subprocess.Popen(
            command(service, *arguments), cwd=ROOT, env=dict(environ), stdout=output, stderr=subprocess.STDOUT
        )


async def ended(process: Process, *, seconds: float) -> int:
    """Wait until a process has ended and return its exit code."""
    return await asyncio.to_thread(process.wait, seconds)


def command(service: str, *arguments: str) -> list[str]:
    """How a service is run from nothing; measured for coverage where the tests are."""
    measured = ["-m", "coverage", "run", "--rcfile", str(ROOT / "pyproject.toml")] if measuring() else []
    return [sys.executable, *measured, "-m", f"services.{service}", *arguments]


def measuring() -> bool:
    """Tell whether services are measured for coverage."""
    return "COVERAGE_RUN" in os.environ or "COV_CORE_SOURCE" in os.environ or os.environ.get(MEASURE) == "1"


def _can_fork() -> bool:
    return sys.platform == "linux"


class _Start(msgspec.Struct, array_like=True):
    arguments: list[str]
    environ: dict[str, str]
    measured: bool


class _Started(msgspec.Struct, array_like=True, tag="started"):
    pid: int


class _Ended(msgspec.Struct, array_like=True, tag="ended"):
    pid: int
    code: int


_STARTS = msgspec.json.Decoder(_Start)
_REPORTS = msgspec.json.Decoder(_Started | _Ended)


class _Forked:
    """A process that was forked for us; its parent reports its end."""

    def __init__(self, parent: "_Parent", pid: int) -> None:
        self._parent = parent
        self.pid = pid

    @property
    def returncode(self) -> int | None:
        return self.poll()

    def poll(self) -> int | None:
        return self._parent.codes.get(self.pid)

    def wait(self, timeout: float | None = None) -> int:
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired([f"forked process {self.pid}"], timeout or 0.0)
            time.sleep(LOOK_SECONDS)
        return code

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, sig)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class _Parent:
    """Our end of a process that forks."""

    def __init__(self, begin: Callable[[socket.socket], Process]) -> None:
        self.codes: dict[int, int] = {}
        """The exit code of each process that has ended."""
        self._starting = threading.Lock()
        self._reported = threading.Condition()
        self._started: list[int] = []
        self._connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = begin(theirs)
        threading.Thread(target=self._listen, name="forks", daemon=True).start()
        atexit.register(self._end)

    def start(self, request: _Start, output: int) -> _Forked:
        """Have one process forked."""
        with self._starting, self._reported:
            socket.send_fds(self._connection, [msgspec.json.encode(request)], [output])
            if not self._reported.wait_for(lambda: self._started or not self.lives, START_SECONDS) or not self._started:
                raise AssertionError("the process that forks the services has ended, or does not answer")
            return _Forked(self, self._started.pop())

    @property
    def lives(self) -> bool:
        """Whether it can fork."""
        return self._process.poll() is None

    def _listen(self) -> None:
        while message := self._connection.recv(MESSAGE_BYTES_MAX):
            with self._reported:
                match _REPORTS.decode(message):
                    case _Started(pid):
                        # A process id may come again.
                        self.codes.pop(pid, None)
                        self._started.append(pid)
                    case _Ended(pid, code):
                        self.codes[pid] = code
                self._reported.notify_all()
        with self._reported:
            self._reported.notify_all()

    def _end(self) -> None:
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._process.wait(timeout=START_SECONDS)


_parents: dict[tuple[int, str], _Parent] = {}
_making = threading.Lock()


def _parent(service: str) -> _Parent:
    """Our process that forks for a service, or of no name for all; started at the first use and again where it was killed."""
    with _making:
        return _found(service)


def _found(service: str) -> _Parent:
    found = _parents.get((os.getpid(), service))
    if found is None or not found.lives:
        found = _parents[os.getpid(), service] = _Parent(partial(_from_all, service) if service else _from_nothing)
    return found


def _from_nothing(theirs: socket.socket) -> Process:
    command = [sys.executable, "-m", "tests.support.forks", str(theirs.fileno())]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(),))


def _from_all(service: str, theirs: socket.socket) -> Process:
    return _found("").start(_Start([TEMPLATE, service], {}, False), theirs.fileno())


def _serve(connection: socket.socket) -> tuple[_Start, int] | None:
    """Fork until the other end closes; returns in each child what it is to run, and into what it writes."""
    waking, woken = socket.socketpair()
    for end in (waking, woken):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
    running: set[int] = set()
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        selector.register(woken, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if woken in ready:
                woken.recv(4096)
                for pid, code in _reaped(running):
                    connection.send(msgspec.json.encode(_Ended(pid, code)))
            if connection not in ready:
                continue
            message, descriptors, _, _ = socket.recv_fds(connection, MESSAGE_BYTES_MAX, 1)
            if not message:
                return None
            pid = os.fork()
            if not pid:
                signal.set_wakeup_fd(-1)
                for closed in (connection, waking, woken):
                    closed.close()
                return _STARTS.decode(message), descriptors[0]
            os.close(descriptors[0])
            running.add(pid)
            connection.send(msgspec.json.encode(_Started(pid)))


def _reaped(running: set[int]) -> list[tuple[int, int]]:
    found = []
    for pid in sorted(running):
        ended_pid, status = os.waitpid(pid, os.WNOHANG)
        if ended_pid:
            running.discard(pid)
            found.append((pid, os.waitstatus_to_exitcode(status)))
    return found


def _run(request: _Start, output: int) -> None:
    """Become the service."""
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    os.environ.clear()
    os.environ.update(request.environ)
    time.tzset()
    module, *arguments = request.arguments
    # It is run, though a template has imported it.
    sys.modules.pop(f"{module}.__main__", None)
    sys.argv = [module, *arguments]
    if first := os.environ.pop(IMPORTED_FIRST, ""):
        importlib.import_module(first)
    with _measured() if request.measured else contextlib.nullcontext():
        runpy.run_module(module, run_name="__main__", alter_sys=True)


@contextlib.contextmanager
def _measured() -> Iterator[None]:
    """Measure what the block executes, as `coverage run` does."""
    import coverage

    measuring = coverage.Coverage(config_file=str(ROOT / "pyproject.toml"))
    measuring._warn_preimported_source = False
    measuring.start()
    try:
        yield
    finally:
        measuring.stop()
        measuring.save()


def main(descriptor: int) -> None:
    """Import, then fork for whoever holds the other end of this socket."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    imported: tuple[str, ...] = PRELOADED
    while True:
        for name in imported:
            importlib.import_module(name)
        gc.collect()
        gc.freeze()
        request = _serve(socket.socket(fileno=descriptor))
        if request is None:
            return
        start, descriptor = request
        if start.arguments[0] != TEMPLATE:
            _run(start, descriptor)
            return
        imported = (f"services.{start.arguments[1]}.__main__",)


if __name__ == "__main__":
    main(int(sys.argv[1]))
