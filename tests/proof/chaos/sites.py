"""Where PostgreSQL, RabbitMQ and Redis of a run are, and what can be done to them.

A site with several nodes of a server kills, stops and cuts off whichever it chooses, and says where the services connect to;
nothing else of the harness knows how many there are.
"""

import contextlib
import os
import random
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from deploy.local import probes
from deploy.local import servers as local
from deploy.local.ha import cluster, network, nodes
from deploy.local.ha.plan import NODES, REPLICAS, Node, Plan
from deploy.local.ha.plan import nodes as of_part
from deploy.local.processes import working_in
from deploy.local.servers import Servers
from deploy.local.waiting import wait_until
from tests.proof.chaos.schedule import OF_NODES, PARTITIONS, Kind

RECOVERY_SECONDS = 15.0
"""How long after a fault the platform may take to work as before."""
LEADER_SECONDS = 30.0
"""The same where PostgreSQL has to have another leader first."""
MACHINE_SECONDS = 45.0
"""The same where etcd may have to have another leader before that: it gives PostgreSQL's the 20 s of its lock again."""
WHOLE_SECONDS = 240.0
"""How long nodes may take to be as they were, after they were started again."""


class Site(Protocol):
    """The servers of a run."""

    @property
    def servers(self) -> Servers:
        """Their addresses, and who administers them now."""

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of faults that can befall it."""

    def recovery_seconds(self, kind: Kind) -> float:
        """How long after a fault of a kind the platform may take to work as before."""

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

    def cut(self, server: str, *, from_peers_alone: bool) -> None:
        """Let no packet reach the machine of a server or leave it, or the machines of its like alone."""

    def repair(self) -> None:
        """Undo what the platform has to outlive: start what is down, join what is cut off; returns when all is as before."""


class PlainSite:
    """One private server of each kind, native, of a profile."""

    def __init__(self, servers: Servers) -> None:
        self.servers = servers
        self.kinds = tuple(kind for kind in Kind if kind not in OF_NODES)
        self._root = Path(servers.root)

    def recovery_seconds(self, kind: Kind) -> float:
        return RECOVERY_SECONDS

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

    def cut(self, server: str, *, from_peers_alone: bool) -> None:
        raise AssertionError("a single server has no machine that is cut off")

    def repair(self) -> None:
        pass


class ClusterSite:
    """The nodes of the profile `ha`: what is killed or cut off stays so until the platform has recovered without it."""

    def __init__(self, here: Plan, *, seed: int) -> None:
        self._here = here
        self._chance = random.Random(seed)
        self._frozen: dict[str, Node] = {}
        self.kinds = tuple(Kind) if here.network else tuple(kind for kind in Kind if kind not in PARTITIONS)

    @property
    def servers(self) -> Servers:
        return cluster.servers(self._here)

    def recovery_seconds(self, kind: Kind) -> float:
        if kind in PARTITIONS:
            return MACHINE_SECONDS
        return LEADER_SECONDS if kind in {Kind.POSTGRES_KILL, Kind.POSTGRES_RESTART} else RECOVERY_SECONDS

    def ports(self) -> Mapping[str, int]:
        return {"postgres": self._here.postgres, "redis": self._here.redis, "rabbitmq": self._here.rabbitmq}

    def kill(self, server: str) -> None:
        nodes.kill(self._here, self._node(server))

    def stop(self, server: str) -> None:
        nodes.stop(self._here, [self._node(server)])

    def start(self, server: str) -> None:
        """Nothing yet: the platform has to recover without it."""

    def freeze(self, server: str) -> None:
        self._frozen[server] = node = self._node(server)
        nodes.suspend(self._here, node)

    def thaw(self, server: str) -> None:
        nodes.resume(self._here, self._frozen.pop(server))

    def cut(self, server: str, *, from_peers_alone: bool) -> None:
        number = self._node(server).number
        (network.separate if from_peers_alone else network.cut)(self._here, number)

    def repair(self) -> None:
        if self._here.network:
            for number in REPLICAS:
                network.join(self._here, number)
        for node in NODES:
            if not nodes.runs(self._here, node):
                nodes.start(self._here, node)
        assert wait_until(self._is_whole, seconds=WHOLE_SECONDS, poll_seconds=0.5), cluster.conditions(self._here.place)

    def _is_whole(self) -> bool:
        # Redis's Sentinels make a replica of the old master within seconds; RabbitMQ's node has its queues again by itself.
        masters = [node for node in of_part("redis") if self._is_master(node)]
        return (
            len(masters) == 1
            and cluster.has_copy(self._here)
            and all(nodes.answers(self._here, node) for node in NODES)
        )

    def _is_master(self, node: Node) -> bool:
        return probes.redis_is_master(self._here.host(node), self._here.port(node))

    def _node(self, server: str) -> Node:
        """Return the node that a fault befalls: the leader, where there is one."""
        match server:
            case "postgres":
                return cluster.leader(self._here)
            case "postgres-copy":
                leader = cluster.leader(self._here)
                return self._chance.choice([node for node in of_part("postgres") if node != leader])
            case "redis":
                return next(node for node in of_part("redis") if self._is_master(node))
            case _:
                return self._chance.choice(of_part(server))
