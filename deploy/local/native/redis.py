"""A private Redis: its own port and folder, nothing kept on disk. It is a cache; money never depends on it."""

import shutil
import signal

from deploy.local import probes
from deploy.local.errors import LocalFailure, failure
from deploy.local.layout import Layout, port_setting
from deploy.local.processes import end, spawn, which
from deploy.local.records import Server
from deploy.local.waiting import wait_until

START_SECONDS = 15.0
STOP_SECONDS = 10.0


def program() -> str:
    """Return the path of the server binary, empty when it is not installed."""
    return which("redis-server") or which("valkey-server")


def is_installed() -> bool:
    """Tell whether a Redis server is installed on this machine."""
    return bool(program())


def start(layout: Layout, *, port: int) -> Server:
    """Start the profile's Redis on a port; return when it answers.

    Raises:
        LocalFailure: when it is not installed or does not answer in time.
    """
    binary = program()
    if not binary:
        raise LocalFailure("Redis is not installed: apt-get install redis-server")
    folder = layout.home / "redis"
    folder.mkdir(parents=True, exist_ok=True)
    log = layout.logs / "redis.log"
    options = {"port": str(port), "bind": "127.0.0.1", "dir": str(folder), "save": "", "appendonly": "no"}
    options |= {"daemonize": "no", "loglevel": "notice"}
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    process = spawn([binary, *arguments], home=layout.home, log=log, cwd=folder)
    server = Server(
        kind="native",
        url=f"redis://127.0.0.1:{port}/0",
        port=port,
        processes=[process],
        home=str(folder),
        data=str(folder),
    )
    wait_until(lambda: answers(server) or not process.is_alive, seconds=START_SECONDS)
    if not process.is_alive or not answers(server):
        end([process], first=signal.SIGTERM, seconds=5.0, whole_group=False)
        setting = f"{port_setting(layout.profile, 'redis')} (the port, now {port})"
        raise failure(f"Redis did not start on port {port}.", log=log, setting=setting)
    return server


def answers(server: Server) -> bool:
    """Tell whether this instance answers PING."""
    return probes.redis_answers("127.0.0.1", server.port)


def stop(server: Server) -> None:
    """End the instance."""
    end(server.processes, first=signal.SIGTERM, seconds=STOP_SECONDS, whole_group=False)


def wipe(layout: Layout) -> None:
    """Remove the instance's folder."""
    shutil.rmtree(layout.home / "redis", ignore_errors=True)
