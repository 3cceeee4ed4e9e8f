"""How each fault is caused, and how it ends."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import assert_never

import asyncpg
import redis.asyncio

from tests.proof.chaos.clocks import Clocks
from tests.proof.chaos.schedule import Fault, Kind
from tests.proof.chaos.sites import Site
from tests.support.broker import Node
from tests.support.platform import Platform
from tests.support.proxies import Handle, running_proxies

_END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND usename LIKE '%\\_app'"

type Links = Mapping[tuple[str, str], Handle]
"""The proxy between each service and each server."""


@asynccontextmanager
async def linked(site: Site, platform: Platform, pairs: Sequence[tuple[str, str]]) -> AsyncIterator[Links]:
    """Put a proxy between services and servers, in the settings of services that are not started yet."""
    ports = [site.ports()[server] for _, server in pairs]
    async with running_proxies(ports) as proxies:
        for (service, server), port, proxy in zip(pairs, ports, proxies, strict=True):
            setting = f"{service.upper()}_{'DATABASE' if server == 'postgres' else server.upper()}_URL"
            address = platform.environ.get(setting) or platform.environ[f"{server.upper()}_URL"]
            assert f":{port}" in address, f"{setting} does not name port {port}"
            platform.environ[setting] = address.replace(f":{port}", f":{proxy.port}", 1)
        yield dict(zip(pairs, proxies, strict=True))


class Faults:
    """Causes faults at a platform."""

    def __init__(self, site: Site, platform: Platform, links: Links, clocks: Clocks) -> None:
        self._site = site
        self._platform = platform
        self._links = links
        self._clocks = clocks

    def _node(self) -> Node:
        return Node(self._site.servers, self._platform.rabbitmq_url)

    async def cause(self, fault: Fault) -> tuple[float, float]:
        """Cause a fault and end it; returns the instants, on the monotonic clock, at which it had begun and ended."""
        async with self._caused(fault):
            began = time.monotonic()
            await asyncio.sleep(fault.lasts_seconds)
        return began, time.monotonic()

    @asynccontextmanager
    async def _caused(self, fault: Fault) -> AsyncIterator[None]:
        match fault.kind:
            case Kind.KILL | Kind.RESTART:
                await self._each(fault, self._platform.kill if fault.kind is Kind.KILL else self._platform.stop)
                yield
                for process in fault.targets:
                    self._platform.start(process)
            case Kind.FREEZE:
                self._signal(fault, signal.SIGSTOP)
                try:
                    yield
                finally:
                    self._signal(fault, signal.SIGCONT)
            case Kind.CLOCK_JUMP:
                for process in fault.targets:
                    self._clocks.shift(process, seconds=fault.amount)
                yield
                for process in fault.targets:
                    self._clocks.shift(process, seconds=0.0)
            case Kind.POSTGRES_KILL | Kind.COPY_KILL | Kind.ETCD_KILL | Kind.RABBITMQ_KILL | Kind.REDIS_KILL:
                await self._each(fault, self._site.kill)
                yield
                await self._each(fault, self._site.start)
            case Kind.POSTGRES_RESTART | Kind.RABBITMQ_RESTART:
                await self._each(fault, self._site.stop)
                yield
                await self._each(fault, self._site.start)
            case Kind.POSTGRES_FREEZE | Kind.RABBITMQ_FREEZE:
                await self._each(fault, self._site.freeze)
                try:
                    yield
                finally:
                    await self._each(fault, self._site.thaw)
            case Kind.PARTITION | Kind.PEERS_LOST:
                from_peers = fault.kind is Kind.PEERS_LOST
                await self._each(fault, partial(self._site.cut, from_peers_alone=from_peers))
                yield
            case Kind.SESSIONS_ENDED:
                admin = await asyncpg.connect(self._platform.database.admin_url)
                await admin.execute(_END_SESSIONS, self._platform.database.name)
                await admin.close()
                yield
            case Kind.MEMORY_ALARM:
                async with self._node().short_of("memory"):
                    yield
            case Kind.CONNECTIONS_CLOSED:
                await self._node().close_connections()
                yield
            case Kind.REDIS_FLUSH:
                client = redis.asyncio.from_url(self._site.servers.redis_url)
                await client.flushall()
                await client.aclose()
                yield
            case Kind.DELAY | Kind.STALL | Kind.RESET | Kind.HALF_OPEN | Kind.REFUSE:
                service, server = fault.targets
                async with _disturbed(self._links[service, server], fault):
                    yield
            case _:
                assert_never(fault.kind)

    async def _each(self, fault: Fault, act: Callable[[str], object]) -> None:
        async with asyncio.TaskGroup() as group:
            for target in fault.targets:
                group.create_task(asyncio.to_thread(act, target))

    def _signal(self, fault: Fault, number: signal.Signals) -> None:
        for process in fault.targets:
            os.kill(self._platform.processes()[process], number)


@asynccontextmanager
async def _disturbed(link: Handle, fault: Fault) -> AsyncIterator[None]:
    match fault.kind:
        case Kind.DELAY:
            await link.act("delay", fault.amount)
            yield
            await link.act("delay", 0.0)
        case Kind.STALL:
            await link.act("hold")
            yield
            await link.act("release")
        case Kind.HALF_OPEN:
            await link.act("forget")
            yield
        case Kind.REFUSE:
            await link.act("refuse")
            await link.act("reset")
            yield
            await link.act("admit")
        case _:
            await link.act("reset")
            yield
