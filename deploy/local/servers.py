"""PostgreSQL, Redis and RabbitMQ of a profile: used where given, else in containers, else private and native.

The tests use `ensure`, `create_vhosts`, `delete_vhosts`, `pause`, `kill` and `resume`; `stop` ends what `ensure` started.
All of it is safe to call from several processes at once and quick when everything already runs.
"""

import os
import shutil
import signal
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from deploy.local import containers, native, ports, probes, records, vhosts
from deploy.local.errors import LocalFailure, failure
from deploy.local.ha import cluster
from deploy.local.layout import ROOT, Layout, layout, port_setting
from deploy.local.native import rabbitmq
from deploy.local.processes import end, listener_of, marked, working_directory, working_in
from deploy.local.records import SERVERS, Server, Servers
from deploy.local.waiting import locked, wait_until
from libs.common import addresses

__all__ = [
    "ANSWERS",
    "SERVERS",
    "Server",
    "Servers",
    "condition",
    "create_vhosts",
    "delete_vhost",
    "delete_vhosts",
    "ensure",
    "is_given",
    "kill",
    "known",
    "pause",
    "resume",
    "running",
    "stop",
]

GIVEN = {"postgres": "POSTGRES_ADMIN_URL", "redis": "REDIS_URL", "rabbitmq": "RABBITMQ_URL"}
"""The settings that name a server which is already there."""

PASSWORDS = {"postgres": "POSTGRES_PASSWORD", "redis": "REDIS_PASSWORD", "rabbitmq": "RABBITMQ_PASSWORD"}
"""The settings that hold their passwords, of any characters; compose's own PostgreSQL has one of the same name."""

REDIS_DATABASE = "TEST_REDIS_DATABASE"
"""The setting that says which database of Redis tests have, where others beside them count requests in the first."""

GIVEN_SECONDS = 15.0
"""How long a given server may take to answer (it may just be starting in a CI job)."""

STRAY_SECONDS = 20.0
"""How long a server that no record knows may take to end before it is killed."""

PORT_SECONDS = 60.0
"""How long a server's port may stay taken after it went down. A client that keeps trying to reach it may be given that very
port for its own end, and is then connected to itself until it times out."""

START_TRIES_MAX = 3
"""Another process may take a port between our look and the server's bind; then the next one is tried."""

SILENT_SECONDS = 30.0
"""How long a server that is alive may be too busy to answer."""


def ensure(profile: str, root: Path = ROOT, *, report: Callable[[str], None] | None = None) -> Servers:
    """Return the three servers of a profile, started first where they do not run.

    Args:
        profile: `dev`, `ha` or `test`.
        root: the checkout.
        report: receives short sentences about what takes time or differs from the defaults.

    Raises:
        LocalFailure: one sentence about what is missing or did not start.
    """
    place = layout(profile, root)
    tell = report or (lambda _: None)
    found = None if place.is_cluster else _all_answering(place)
    if found is not None:
        return found
    with locked(place.home / "lock", seconds=cluster.START_SECONDS):
        if place.is_cluster:
            return cluster.ensure(place, tell)
        wait_until(lambda: not _silent(place), seconds=SILENT_SECONDS, poll_seconds=0.5)
        known = _answering(place)
        missing = [name for name in SERVERS if name not in known]
        for name, server in _start(place, missing, tell).items():
            known[name] = server
            records.remember(place, name, server)
        return _servers(place, known)


def running(profile: str, root: Path = ROOT) -> Servers | None:
    """Return the servers of a profile when all three answer; start nothing."""
    return _all_answering(layout(profile, root))


ANSWERS = "answers"
"""The word for a server that can be used."""


def condition(profile: str, name: str, root: Path = ROOT) -> tuple[Server | None, str]:
    """Return what is known of one server, and how it is in words; the others do not matter for it."""
    place = layout(profile, root)
    given = _given(place, name)
    server = given if given is not None else records.read(place).servers.get(name)
    if server is None:
        return None, "not started"
    if _answers(server):
        return server, ANSWERS
    if server.kind == "native" and not server.processes[0].is_alive:
        return server, "down: its process has ended"
    return server, f"down: nothing answers at {':'.join(map(str, probes.address(server.url)))}"


def known(profile: str, root: Path = ROOT) -> Servers | None:
    """Return the three servers of a profile as they were started, whether they answer now or not."""
    place = layout(profile, root)
    if place.is_cluster:
        return cluster.known(place)
    found = {name: server for name in SERVERS if (server := condition(profile, name, root)[0]) is not None}
    return _servers(place, found) if len(found) == len(SERVERS) else None


def stop(profile: str, root: Path = ROOT, *, wipe: bool = False) -> list[str]:
    """End everything that `ensure` started for a profile and return the names of what was ended.

    Servers that were given are left alone. The test profile's data, and with `wipe` any profile's, is removed.
    """
    place = layout(profile, root)
    if not place.home.exists():
        return []
    ended = []
    with locked(place.home / "lock"):
        wipe = wipe or not place.is_durable
        if place.is_cluster:
            ended = cluster.stop(place, wipe=wipe)
        for name, server in records.read(place).servers.items():
            if _stop_one(place, name, server, keep_data=not wipe):
                ended.append(name)
            records.remember(place, name, None)
        strays = marked(place.home)
        end(strays, first=signal.SIGTERM, seconds=5.0, whole_group=False)
        if wipe:
            containers.wipe(place)
            native.wipe(place)
            for watcher in ("prometheus", "alertmanager"):
                shutil.rmtree(place.home / watcher, ignore_errors=True)
            place.record.unlink(missing_ok=True)
            place.secrets.unlink(missing_ok=True)
    return ended


def pause(profile: str, server: str, root: Path = ROOT) -> None:
    """Take one native server or container down and keep its data, as an outage would; `resume` brings it back.

    Raises:
        LocalFailure: when the server was given to us and is not ours to stop.
    """
    place = layout(profile, root)
    with locked(place.home / "lock"):
        known = _ours(place, server)
        if known.kind == "container":
            containers.pause(known)
        else:
            _stop_one(place, server, known, keep_data=True)


def kill(profile: str, server: str, root: Path = ROOT) -> None:
    """End one native server or container as a power cut would, with every child of it; `resume` brings it back.

    Raises:
        LocalFailure: when the server was given to us and is not ours to end.
    """
    place = layout(profile, root)
    with locked(place.home / "lock"):
        known = _ours(place, server)
        if known.kind == "container":
            containers.kill(known)
            return
        if known.data:
            end(working_in(Path(known.data)), first=signal.SIGKILL, seconds=10.0, whole_group=False)
        # What works elsewhere, for example a start script that waited.
        _stop_one(place, server, known, keep_data=True)


def _ours(place: Layout, server: str) -> Server:
    known = records.read(place).servers.get(server)
    if known is None:
        raise LocalFailure(f"No {server} of profile {place.profile} is running.")
    if known.kind == "given":
        raise LocalFailure(f"{GIVEN[server]} names a server of yours; it is not stopped from here.")
    if known.kind == "cluster":
        raise LocalFailure(f"{server} of profile {place.profile} has several nodes: see `just node`.")
    return known


def resume(profile: str, server: str, root: Path = ROOT) -> Server:
    """Bring a paused server back on the same address and return it."""
    place = layout(profile, root)
    with locked(place.home / "lock"):
        known = records.read(place).servers.get(server)
        if known is None:
            raise LocalFailure(f"No {server} of profile {profile} was started.")
        if known.kind == "container":
            containers.resume(known)
            wait_until(lambda: _answers(known), seconds=60.0)
            return known
        # The same port or none: everyone holds its address.
        if not wait_until(lambda: _answers(known) or ports.is_free(known.port), seconds=PORT_SECONDS):
            raise failure(f"Port {known.port} of {server} was taken meanwhile by {listener_of(known.port)}.")
        fresh = native.start(place, server, port=known.port)
        records.remember(place, server, fresh)
        return fresh


def is_given(profile: str, server: str, root: Path = ROOT) -> bool:
    """Tell whether the environment names this server, so that none needs to be started."""
    return _given(layout(profile, root), server) is not None


def create_vhosts(servers: Servers, names: Iterable[str]) -> None:
    """Make virtual hosts where they are missing and give the administrator every permission in them, in one call."""
    vhosts.create(servers.rabbitmq, list(names))


def delete_vhosts(servers: Servers, names: Iterable[str]) -> None:
    """Remove virtual hosts with everything in them, in one call; those already gone are fine."""
    vhosts.delete(servers.rabbitmq, list(names))


def delete_vhost(servers: Servers, name: str) -> None:
    """Remove one virtual host."""
    delete_vhosts(servers, [name])


def _all_answering(place: Layout) -> Servers | None:
    known = _answering(place)
    return _servers(place, known) if len(known) == len(SERVERS) else None


def _answering(place: Layout) -> dict[str, Server]:
    """Return the recorded servers that are still in use and still answer."""
    recorded = records.read(place).servers
    known = {}
    for name in SERVERS:
        given = _given(place, name)
        server = recorded.get(name)
        if given is not None:
            if server is not None and server == given and probes.url_answers(given.url):
                known[name] = given
        elif server is not None and server.kind != "given" and _answers(server):
            known[name] = server
    return known


def _silent(place: Layout) -> list[str]:
    """Return the servers whose process is alive, and which do not answer."""
    return [
        name
        for name, server in records.read(place).servers.items()
        if server.kind == "native"
        and _given(place, name) is None
        and server.processes[0].is_alive
        and not _answers(server)
    ]


def _answers(server: Server) -> bool:
    """Tell whether a recorded server is alive, and is the one that we started rather than a stranger on its port."""
    if server.kind == "native" and not server.processes[0].is_alive:
        return False
    return probes.url_answers(server.url)


def _given(place: Layout, name: str) -> Server | None:
    """Return the server that the environment names, unless that address is one of our own making."""
    url = os.environ.get(GIVEN[name], "").strip()
    if not url or place.is_cluster or _is_own(place, url):
        return None
    beside = os.environ.get(PASSWORDS[name], "")
    if beside and (name != "postgres" or not addresses.has_password(url)):
        url = addresses.with_credentials(url, password=beside)
    return Server(
        kind="given",
        url=url,
        port=probes.address(url)[1],
        management_url=os.environ.get("RABBITMQ_MANAGEMENT_URL", "") if name == "rabbitmq" else "",
    )


def _is_own(place: Layout, url: str) -> bool:
    host, port = probes.address(url)
    return ("127.0.0.1" if host == "localhost" else host, port) in records.own_addresses(place.root)


def _start(place: Layout, missing: list[str], report: Callable[[str], None]) -> dict[str, Server]:
    """Bring up what is missing, all of it at the same time."""
    given = {name: server for name in missing if (server := _given(place, name)) is not None}
    for name, server in given.items():
        if not wait_until(partial(probes.url_answers, server.url), seconds=GIVEN_SECONDS, poll_seconds=0.2):
            host, port = probes.address(server.url)
            sentence = f"{GIVEN[name]} names {host}:{port}, but no {name} answers there."
            raise failure(sentence, setting=f"start that server, or unset {GIVEN[name]} to have a private one")
    rest = [name for name in missing if name not in given]
    if not rest:
        return given
    if containers.are_chosen():
        report(f"Starting {', '.join(rest)} in containers ...")
        return given | containers.start(place, rest)
    _require_installed(rest)
    report(f"Starting private {', '.join(rest)} under {place.home} ...")
    with ThreadPoolExecutor(max_workers=len(rest)) as pool:
        started = {name: pool.submit(_start_native, place, name, report) for name in rest}
        failures = [future.exception() for future in started.values()]
    # What did start is remembered, so that `down` finds it even when its sibling failed.
    for name, future in started.items():
        if future.exception() is None:
            records.remember(place, name, future.result())
    for problem in failures:
        if problem is not None:
            raise problem
    return given | {name: future.result() for name, future in started.items()}


def _require_installed(names: list[str]) -> None:
    from deploy.local import packages

    absent = packages.missing(names)
    if absent:
        raise LocalFailure(packages.instruction(absent))


def _start_native(place: Layout, name: str, report: Callable[[str], None]) -> Server:
    """Start one native server on its last port, else its preferred one, else the next free.

    Settings that name another port than at its last start win over the last one.
    """
    stale = records.read(place).servers.get(name)
    if stale is not None and stale.kind == "native":
        _stop_one(place, name, stale, keep_data=True)
    # A lost record must not lead to two servers on one data folder.
    folder = place.home / name
    strays = [process for process in marked(place.home) if working_directory(process.pid) == folder]
    end(strays, first=signal.SIGTERM, seconds=STRAY_SECONDS, whole_group=False)
    count = rabbitmq.PORTS_IN_A_ROW if name == "rabbitmq" else 1
    preferred = place.preferred_port(name)
    last = records.read(place).last_port(name, preferred=preferred)
    refused: set[int] = set()
    for attempt in range(START_TRIES_MAX):
        first = last if last and last not in refused else preferred
        port = ports.next_free(first, count=count, avoid=refused)
        if port != first:
            taken = next((taken for taken in range(first, first + count) if not ports.is_free(taken)), first)
            by = listener_of(taken)
            report(
                f"Port {taken} is taken{f' by {by}' if by else ''}: {name} of profile {place.profile} "
                f"uses {port} ({port_setting(place.profile, name)} chooses another)."
            )
        try:
            return native.start(place, name, port=port)
        except LocalFailure:
            lost_the_port = any(not ports.is_free(taken) for taken in range(port, port + count))
            if not lost_the_port or attempt == START_TRIES_MAX - 1:
                raise
            refused.add(port)
    raise AssertionError("unreachable: the last attempt returns or raises")


def _stop_one(place: Layout, name: str, server: Server, *, keep_data: bool) -> bool:
    """End one of our servers; tell whether it was ours and running."""
    if server.kind == "given":
        return False
    if server.kind == "container":
        containers.stop(place, name, server)
        return True
    was_running = any(process.is_alive for process in server.processes)
    native.stop(name, server, keep_data=keep_data)
    return was_running


def _servers(place: Layout, known: dict[str, Server]) -> Servers:
    return Servers(
        profile=place.profile,
        root=str(place.root),
        postgres=known["postgres"],
        redis=known["redis"],
        rabbitmq=known["rabbitmq"],
    )
