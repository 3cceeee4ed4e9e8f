"""What we know about the servers of a profile, and the file that remembers it between commands."""

import os
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

import msgspec

from deploy.local.layout import Layout
from deploy.local.processes import ProcessId
from libs.common import addresses

Kind = Literal["given", "container", "native", "cluster"]
"""Where a server comes from: an address in the environment, a container, a private native instance, or several of them."""

SERVERS = ("postgres", "redis", "rabbitmq")
"""The three servers, by the names used in settings, folders and records."""


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """One running server and what is needed to administer and to stop it."""

    kind: Kind
    url: str
    port: int = 0
    processes: list[ProcessId] = []
    """The native instance's processes that are ended to stop it."""
    home: str = ""
    """The native instance's folder; RabbitMQ's command-line tools find their cookie there."""
    data: str = ""
    """The folder that `--wipe` removes."""
    container: str = ""
    """The container's name or id."""
    node: str = ""
    """RabbitMQ's Erlang node name."""
    names_port: int = 0
    """The port of its Erlang name server, where that is not two behind its own."""
    sentinels: str = ""
    """Redis's Sentinels, as the setting REDIS_SENTINELS names them."""
    management_url: str = ""
    """RabbitMQ's HTTP API, where the server was given to us and can be administered no other way."""


class Servers(msgspec.Struct, frozen=True, kw_only=True):
    """The three servers of a profile, all of which answered when this was made."""

    profile: str
    root: str
    postgres: Server
    redis: Server
    rabbitmq: Server

    @property
    def postgres_url(self) -> str:
        """Superuser address of PostgreSQL, database `postgres`."""
        return self.postgres.url

    @property
    def redis_url(self) -> str:
        """Address of Redis, database 0."""
        return self.redis.url

    @property
    def rabbitmq_url(self) -> str:
        """Address of RabbitMQ as its administrator, virtual host `/` (a given address may name another)."""
        return self.rabbitmq.url

    def each(self) -> dict[str, Server]:
        """Return the servers by name."""
        return {"postgres": self.postgres, "redis": self.redis, "rabbitmq": self.rabbitmq}

    def postgres_database_url(self, database: str, *, user: str = "", password: str = "") -> str:
        """Return the address of a database, as the administrator or as another role."""
        return with_credentials(with_path(self.postgres.url, database), user=user, password=password)

    def rabbitmq_vhost_url(self, vhost: str) -> str:
        """Return the administrator's address of a virtual host."""
        return with_path(self.rabbitmq.url, vhost.replace("/", "%2F"))


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `servers.json`: what runs, and the ports to try first next time."""

    profile: str
    root: str
    servers: dict[str, Server] = {}
    ports: dict[str, int] = {}
    preferred: dict[str, int] = {}
    """The ports that the settings named when those were chosen."""
    is_split: bool = False
    """Whether each service has a database of its own."""

    def last_port(self, name: str, *, preferred: int) -> int:
        """Return the port that a server had, 0 if none or if the settings named another one at that time."""
        return self.ports.get(name, 0) if self.preferred.get(name, preferred) == preferred else 0


def with_path(url: str, path: str) -> str:
    """Return a URL with another path, its query kept."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{path}"))


def with_credentials(url: str, *, user: str, password: str) -> str:
    """Return a URL for another user; unchanged when no user is named."""
    if not user:
        return url
    return addresses.with_credentials(url, user=user, password=password)


def read(layout: Layout) -> Record:
    """Return the record of a profile, an empty one when there is none or when it cannot be read."""
    try:
        return msgspec.json.decode(layout.record.read_bytes(), type=Record)
    except (OSError, msgspec.DecodeError):
        return Record(profile=layout.profile, root=str(layout.root))


def write(layout: Layout, record: Record) -> None:
    """Replace the record of a profile in one step, so that a reader never sees half of it."""
    layout.home.mkdir(parents=True, exist_ok=True)
    draft = layout.record.with_suffix(f".{os.getpid()}.tmp")
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")
    draft.replace(layout.record)


def remember(layout: Layout, name: str, server: Server | None) -> None:
    """Add one server to the record, or forget it; its port is kept for the next start."""
    record = read(layout)
    servers = {key: value for key, value in record.servers.items() if key != name}
    ports, preferred = dict(record.ports), dict(record.preferred)
    if server is not None:
        servers[name] = server
        if server.kind == "native":
            ports[name], preferred[name] = server.port, layout.preferred_port(name)
    write(layout, msgspec.structs.replace(record, servers=servers, ports=ports, preferred=preferred))


def remember_databases(layout: Layout, *, is_split: bool) -> None:
    """Keep whether each service has a database of its own, for the commands that come later."""
    record = read(layout)
    if record.is_split != is_split:
        write(layout, msgspec.structs.replace(record, is_split=is_split))


def own_addresses(root: Path) -> set[tuple[str, int]]:
    """Return the addresses of the native instances and containers of every profile of a checkout.

    An address in the environment that is one of these was exported by ourselves, not given by the user.
    """
    found: set[tuple[str, int]] = set()
    for path in sorted((root / ".local").glob("*/servers.json")):
        record = read(Layout(root=root, profile=path.parent.name))
        found.update(("127.0.0.1", server.port) for server in record.servers.values() if server.kind != "given")
        found.update(("127.0.0.1", port) for port in record.ports.values())
    return found
