"""Where PostgreSQL, RabbitMQ and Redis of a run are, and what can be done to them.

A site with several members of a server kills, stops and starts whichever it chooses, and says where the services connect to;
nothing else of the harness knows how many there are.
"""

import contextlib
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from deploy.local import servers as local
from deploy.local.processes import working_in
from deploy.local.servers import Servers


class Site(Protocol):
    """The servers of a run."""

    servers: Servers
    """Their addresses, and who administers them."""

    def ports(self) -> Mapping[str, int]:
        """The port of each server to which the services connect, by its name."""

    def kill(self, server: str) -> None:
        """End a server as a power cut would."""

    def stop(self, server: str) -> None:
        """End a server as an administrator does."""

    def start(self, server: str) -> None:
        """Start what was ended, at the same address; returns when it answers."""

    def freeze(self, server: str) -> None:
        """Stop all processes of a server where they stand."""

    def thaw(self, server: str) -> None:
        """Let them continue."""


class PlainSite:
    """One private server of each kind, native, of a profile."""

    def __init__(self, servers: Servers) -> None:
        self.servers = servers
        self._root = Path(servers.root)

    def ports(self) -> Mapping[str, int]:
        return {name: server.port for name, server in self.servers.each().items()}

    def kill(self, server: str) -> None:
        local.kill(self.servers.profile, server, self._root)

    def stop(self, server: str) -> None:
        local.pause(self.servers.profile, server, self._root)

    def start(self, server: str) -> None:
        local.resume(self.servers.profile, server, self._root)

    def freeze(self, server: str) -> None:
        self._signal(server, signal.SIGSTOP)

    def thaw(self, server: str) -> None:
        self._signal(server, signal.SIGCONT)

    def _signal(self, server: str, number: signal.Signals) -> None:
        for process in working_in(Path(self.servers.each()[server].data)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)
