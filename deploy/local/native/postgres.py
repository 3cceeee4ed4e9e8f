"""A private PostgreSQL: its own cluster, its own port, no unix socket, no password on loopback.

PostgreSQL refuses to run as root, so as root it runs as `postgres` (or `nobody`), and where that user cannot reach the
checkout (such as one under /root) the data lies under /var/lib, with a link to it from the profile's folder. Data that is
thrown away lies in memory where there is room, with such a link too.
"""

import os
import pwd
import shlex
import shutil
import signal
from datetime import datetime
from pathlib import Path

from deploy.local import probes
from deploy.local.errors import LocalFailure, failure, log_tail
from deploy.local.layout import Layout, port_setting
from deploy.local.native import memory
from deploy.local.processes import ProcessId, command_line, end, identify, run, spawn, which
from deploy.local.records import Server
from deploy.local.waiting import wait_until

BINARIES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin")
"""Where distributions keep `initdb` and `postgres`, which are usually not on PATH."""

ELSEWHERE = Path("/var/lib/payments-local")
"""Where data lies when root owns the checkout and the database's user cannot reach it."""

INIT_SECONDS = 60.0
START_SECONDS = 60.0
"""A start after a crash replays the log; one without a crash takes 0.2 s."""
RECOVERY_SECONDS = 3600.0
"""A start after a restore replays the log of all the time since the backup."""
STOP_SECONDS = 30.0

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] %u@%d ",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    # New tables get their statistics, and queues lose their dead rows, within seconds instead of minutes.
    "autovacuum_naptime": "10s",
}
DURABLE = {
    "max_connections": "300",
    "shared_buffers": "512MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "archive_mode": "on",
    # What a lost server takes with it at most, once it is backed up.
    "archive_timeout": "60s",
}
"""The dev profile keeps its promises: on this class of machine an fdatasync costs 0.14 ms, group commit hides it."""
FORGETFUL = {
    "max_connections": "400",
    "shared_buffers": "256MB",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    # It may lie in memory, and a checkpoint waits for no disk.
    "max_wal_size": "1GB",
}
"""The test profile's data is thrown away when it stops."""


def program(name: str) -> str:
    """Return the path of one of PostgreSQL's programs, empty when it is not installed."""
    return which(name, *BINARIES)


def is_installed() -> bool:
    """Tell whether a PostgreSQL server is installed on this machine."""
    return bool(program("initdb") and program("postgres"))


def start(layout: Layout, *, port: int) -> Server:
    """Start the profile's cluster on a port, making it first when there is none; return when it answers.

    Raises:
        LocalFailure: when it cannot be made or does not answer in time.
    """
    data = data_folder(layout)
    log = layout.logs / "postgres.log"
    running = _running_in(data)
    if running is not None:
        process, port = running
    else:
        if not _exists(data):
            _initialise(layout, data)
        (data / "postmaster.pid").unlink(missing_ok=True)
        settings = {**SETTINGS, **(DURABLE if layout.is_durable else FORGETFUL)}
        if layout.is_durable:
            settings["archive_command"] = _archive_command(data)
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        process = spawn(
            [_program_for(data), "-D", str(data), "-p", str(port), *options],
            home=layout.home,
            log=log,
            cwd=data,
            env=environment(),
            user=database_user(),
        )
    server = Server(
        kind="native",
        url=f"postgresql://postgres@127.0.0.1:{port}/postgres",
        port=port,
        processes=[process],
        home=str(layout.home / "postgres"),
        data=str(data),
    )
    seconds = RECOVERY_SECONDS if (data / "recovery.signal").exists() else START_SECONDS
    wait_until(lambda: answers(server) or not process.is_alive, seconds=seconds)
    if not answers(server):
        end([process], first=signal.SIGQUIT, seconds=5.0, whole_group=False)
        setting = f"{port_setting(layout.profile, 'postgres')} (the port, now {port})"
        raise failure(f"PostgreSQL did not start on port {port}.", log=log, setting=setting)
    return server


def answers(server: Server) -> bool:
    """Tell whether this instance takes connections."""
    return probes.postgres_answers("127.0.0.1", server.port)


def stop(server: Server, *, keep_data: bool) -> None:
    """End the instance: sessions are closed and data flushed, or everything dropped when the data is not kept."""
    first = signal.SIGINT if keep_data else signal.SIGQUIT
    running = _running_in(Path(server.data)) if server.data else None
    processes = list({*server.processes, *([running[0]] if running else [])})
    end(processes, first=first, seconds=STOP_SECONDS, whole_group=False)


def wipe(layout: Layout) -> None:
    """Remove the cluster's data, wherever it lies."""
    for folder in (layout.home / "postgres", _elsewhere(layout)):
        shutil.rmtree(folder, ignore_errors=True)
    memory.wipe(layout, "postgres")
    if ELSEWHERE.is_dir() and os.geteuid() == 0 and not any(ELSEWHERE.iterdir()):
        ELSEWHERE.rmdir()


def database_user() -> str:
    """Return the user that the server runs as when we are root, empty when we are not."""
    if os.geteuid() != 0:
        return ""
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def archiver(data: Path) -> Path:
    """Return the program that archives a file of the cluster's log; there is none before its first backup."""
    # pgBackRest looks for its name in the setting.
    return data.parent / "pgbackrest" / "push"


def _archive_command(data: Path) -> str:
    # Read for each file: a server that runs need not start anew for its first backup.
    program = shlex.quote(str(archiver(data))).replace("%", "%%")
    return f"[ ! -x {program} ] || {program} %p"


def set_aside(layout: Layout, *, at: datetime) -> Path | None:
    """Move the data of a cluster that does not run out of the way, and return where it lies now; None where there is none."""
    data = data_folder(layout)
    if not _exists(data):
        shutil.rmtree(data, ignore_errors=True)
        return None
    aside = data.with_name(f"{data.name}.{at:%Y%m%dT%H%M%SZ}")
    data.rename(aside)
    return aside


def data_folder(layout: Layout) -> Path:
    """Return where the cluster lies: under `.local`, or with a link to it in memory or where its user can reach it."""
    folder = layout.home / "postgres"
    folder.mkdir(parents=True, exist_ok=True)
    user = database_user()
    data = memory.link(layout, "postgres", folder / "data")
    if not data.exists() and user and run(["test", "-x", str(data.parent)], seconds=10, user=user).returncode:
        other = _elsewhere(layout) / "data"
        other.parent.mkdir(parents=True, exist_ok=True)
        data.symlink_to(other)
        data = other
    if not data.exists():
        data.mkdir(mode=0o700)
        if user:
            entry = pwd.getpwnam(user)
            os.chown(data, entry.pw_uid, entry.pw_gid)
    return data


def _elsewhere(layout: Layout) -> Path:
    return ELSEWHERE / f"{layout.profile}-{layout.key}"


def _exists(data: Path) -> bool:
    return (data / "PG_VERSION").exists() and (data / "global" / "pg_control").exists()


def _initialise(layout: Layout, data: Path) -> None:
    """Make an empty cluster; the half of one that an interrupted first start left behind is removed first."""
    if not is_installed():
        raise LocalFailure("PostgreSQL is not installed: apt-get install postgresql")
    for left in data.iterdir():
        shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
    options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]
    options += ["--no-sync", "--no-instructions"]
    command = [program("initdb"), f"--pgdata={data}", *options]
    done = run(command, seconds=INIT_SECONDS, user=database_user(), env=environment(), cwd=data)
    if done.returncode:
        log = layout.logs / "initdb.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(done.stdout + done.stderr)
        raise LocalFailure(f"PostgreSQL's initdb could not make a cluster in {data}.\n{log_tail(log)}")


def _program_for(data: Path) -> str:
    """Return the server binary of the cluster's own major version; another version refuses its files.

    Raises:
        LocalFailure: when the version that made the data is not installed any more.
    """
    version = (data / "PG_VERSION").read_text().strip()
    exact = Path(f"/usr/lib/postgresql/{version}/bin/postgres")
    if exact.exists():
        return str(exact)
    binary = program("postgres")
    installed = run([binary, "--version"], seconds=10).stdout if binary else "not installed"
    if f" {version}." not in f" {installed.rpartition(')')[2].strip()}.":
        sentence = f"The data in {data} was made by PostgreSQL {version}, but here is: {installed.strip()}."
        raise failure(sentence, setting="install that version, or drop the data with ./scripts/down.sh --wipe")
    return binary


def _running_in(data: Path) -> tuple[ProcessId, int] | None:
    """Return the postmaster that already serves this folder and its port, by the folder's own pid file, if any does."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        pid, port = int(lines[0]), int(lines[3])
    except (OSError, ValueError, IndexError):
        return None
    if not any(str(data) in part for part in command_line(pid)):
        return None
    process = identify(pid)
    return (process, port) if process.started else None


def environment() -> dict[str, str]:
    """Our environment without what would point PostgreSQL elsewhere (PGDATA, PGHOST, PGPORT and their kin)."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG") and name != "HOME"}
    return {**kept, "HOME": "/", "LC_ALL": "C.UTF-8"}
