"""Starting, recognising and ending the server processes that outlive us.

A process is known by its id *and* the moment it started, so that a stale record never makes us signal a stranger. Every
process that we start carries a mark in its environment; what a lost record would leave behind is found by that mark.
"""

import os
import pwd
import re
import shutil
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from deploy.local.errors import failure
from deploy.local.waiting import wait_until

MARK = "PAYMENTS_LOCAL_HOME"
"""The environment variable that marks our processes; its value is the profile's home folder."""

SERVER_NAMES = frozenset({"postgres", "redis-server", "valkey-server", "beam.smp", "epmd"})
"""Short names of the servers' processes, as proc(5) has them."""

LOG_BYTES_MAX = 20_000_000
"""A server log above this size is started anew at the next start."""

SPAWN_SECONDS = 10.0


class ProcessId(msgspec.Struct, frozen=True):
    """One process of this machine, unmistakably: its id and its start time in clock ticks since boot."""

    pid: int
    started: int

    @property
    def is_alive(self) -> bool:
        """Whether this very process still runs; a zombie counts as ended."""
        return started_at(self.pid) == self.started


def started_at(pid: int) -> int:
    """Return the start time of a running process in clock ticks since boot, 0 when there is none (proc(5), field 22)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] in {"Z", "X"} else int(fields[19])


def identify(pid: int) -> ProcessId:
    """Return the identity of a running process."""
    return ProcessId(pid, started_at(pid))


def spawn(
    command: Sequence[str], *, home: Path, log: Path, cwd: Path, env: Mapping[str, str] | None = None, user: str = ""
) -> ProcessId:
    """Start a server in its own session, owned by init, writing to `log`; return its identity.

    Args:
        command: the program and its arguments.
        home: the profile's home folder, the mark by which the process is found again.
        log: where standard output and standard error go.
        cwd: the working directory.
        env: the whole environment, ours when omitted.
        user: the user to run as when we are root.

    Raises:
        LocalFailure: when the program could not be started at all.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
        log.unlink()
    script = '"$@" >>"$LOG_FILE" 2>&1 </dev/null & echo $!'
    environment = {**(os.environ if env is None else env), MARK: str(home), "LOG_FILE": str(log)}
    done = subprocess.run(
        ["/bin/sh", "-c", script, "sh", *as_user(command, user)],
        env=environment,
        cwd=cwd,
        start_new_session=True,
        capture_output=True,
        text=True,
        timeout=SPAWN_SECONDS,
        check=False,
    )
    if done.returncode or not done.stdout.strip().isdigit():
        raise failure(f"{command[0]} could not be started: {done.stderr.strip()}", log=log)
    return identify(int(done.stdout))


def as_user(command: Sequence[str], user: str) -> list[str]:
    """Return the command that runs `command` as another user when we are root, unchanged otherwise."""
    if not user or os.geteuid() != 0:
        return list(command)
    group = str(pwd.getpwnam(user).pw_gid)
    return ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--", *command]


def run(
    command: Sequence[str],
    *,
    seconds: float,
    user: str = "",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    text_in: str = "",
) -> subprocess.CompletedProcess[str]:
    """Run a short command to its end, `text_in` on its standard input, and return its output.

    Raises:
        LocalFailure: when it is not installed or does not end in time.
    """
    try:
        return subprocess.run(
            as_user(command, user),
            capture_output=True,
            text=True,
            timeout=seconds,
            env=env,
            cwd=cwd,
            input=text_in,
            check=False,
        )
    except FileNotFoundError as missing:
        raise failure(f"{command[0]} is not installed.") from missing
    except subprocess.TimeoutExpired as late:
        raise failure(f"{Path(command[0]).name} did not end within {seconds:.0f} s.") from late


def end(processes: Iterable[ProcessId], *, first: signal.Signals, seconds: float, whole_group: bool) -> None:
    """End processes: the given signal, then SIGKILL for what still runs when the time is up.

    Args:
        processes: whom to end; those already gone are skipped.
        first: the polite signal of that server.
        seconds: how long politeness lasts.
        whole_group: whether their process groups end with them.
    """
    alive = [process for process in processes if process.is_alive]
    for process in alive:
        _signal(process, first, whole_group=whole_group)
    if wait_until(lambda: not any(process.is_alive for process in alive), seconds=seconds):
        return
    for process in alive:
        _signal(process, signal.SIGKILL, whole_group=whole_group)
    wait_until(lambda: not any(process.is_alive for process in alive), seconds=5.0)


def _signal(process: ProcessId, number: signal.Signals, *, whole_group: bool) -> None:
    if not process.is_alive:
        return
    try:
        group = os.getpgid(process.pid)
        if whole_group and group != os.getpgrp():
            os.killpg(group, number)
        else:
            os.kill(process.pid, number)
    except (ProcessLookupError, PermissionError):
        return


def marked(home: Path) -> list[ProcessId]:
    """Return every running process of this home folder, except ourselves and our parents.

    Ours carry the mark; PostgreSQL and Redis write their titles over their environment and are known by their folder.
    """
    excluded = _ancestors()
    pids = (int(folder.name) for folder in Path("/proc").glob("[0-9]*"))
    found = [identify(pid) for pid in pids if pid not in excluded and (_has_mark(pid, home) or _serves_in(pid, home))]
    return [process for process in found if process.started]


def _has_mark(pid: int, home: Path) -> bool:
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    return f"{MARK}={home}".encode() in environment.split(b"\0")


def _serves_in(pid: int, home: Path) -> bool:
    """Tell whether a process is a server by its name and works in this folder (one removed since ends in a remark)."""
    try:
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return False
    folder = working_directory(pid) if name in SERVER_NAMES else None
    return folder is not None and str(folder).startswith(f"{home}/")


def working_in(folder: Path) -> list[ProcessId]:
    """Return every process whose working directory is this folder: a server and all its children."""
    pids = (int(found.name) for found in Path("/proc").glob("[0-9]*"))
    return [identify(pid) for pid in pids if working_directory(pid) == folder.resolve()]


def command_line(pid: int) -> list[str]:
    """Return the program and arguments of a running process, empty when there is none."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
    except OSError:
        return []


def working_directory(pid: int) -> Path | None:
    """Return the working directory of a running process, where we may see it."""
    try:
        return Path(f"/proc/{pid}/cwd").readlink()
    except OSError:
        return None


def listener_of(port: int) -> str:
    """Return who listens on a port, as far as this machine tells us: a program and its id, or an empty string."""
    inodes: set[str] = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        rows = [line.split() for line in lines]
        inodes.update(row[9] for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port)
    for link in Path("/proc").glob("[0-9]*/fd/*") if inodes else ():
        try:
            target = str(link.readlink())
        except OSError:
            continue
        if target.startswith("socket:[") and target[8:-1] in inodes:
            pid = int(link.parts[2])
            return f"{' '.join(command_line(pid))[:80]} (process {pid})"
    return ""


def _ancestors() -> set[int]:
    found = {os.getpid()}
    pid = os.getpid()
    while pid > 1:
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[1])
        except OSError:
            break
        found.add(pid)
    return found


def which(name: str, *folders: str) -> str:
    """Return the path of a program, looked for in the newest of the folders matching a pattern, then on PATH; or ''."""
    for pattern in folders:
        found = sorted(Path("/").glob(f"{pattern.lstrip('/')}/{name}"), key=_natural, reverse=True)
        if found:
            return str(found[0])
    return shutil.which(name) or ""


def _natural(path: Path) -> tuple[int, ...]:
    """Sort key under which version 16 comes after 9."""
    return tuple(int(number) for number in re.findall(r"\d+", str(path)))
