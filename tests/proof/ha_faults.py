"""The faults of the proof of the profile `ha`: what happens to which node, and how it is repaired."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import asyncpg
import msgspec

from deploy.local import probes
from deploy.local.environment import DATABASE
from deploy.local.ha import cluster, nodes
from deploy.local.ha.plan import NODES, Node, Plan
from deploy.local.ha.plan import nodes as of_part
from deploy.local.servers import Servers
from deploy.local.waiting import wait_until
from libs.common.ids import new_id

WHOLE_SECONDS = 240.0
"""How long a cluster may take to have all of its nodes again."""
STALE_SECONDS = 30.0

type Repair = Callable[[], Awaitable[None]]


class Faults:
    """The nodes of a running platform, and what is done to them."""

    def __init__(self, here: Plan, servers: Servers) -> None:
        self._here = here
        self._servers = servers
        self.first_at = 0.0
        """When the first fault happened."""

    def until_whole(self) -> None:
        """Wait until every node answers, and PostgreSQL has a synchronous copy.

        Raises:
            AssertionError: with the condition of each node when the time is up.
        """

        def whole() -> bool:
            return cluster.has_copy(self._here) and all(nodes.answers(self._here, node) for node in NODES)

        assert wait_until(whole, seconds=WHOLE_SECONDS, poll_seconds=0.5), cluster.conditions(self._here.place)

    async def kill(self, node: Node) -> Repair:
        """End a node as a power cut would; repaired by starting it."""
        await asyncio.to_thread(nodes.kill, self._here, node)

        async def start() -> None:
            await asyncio.to_thread(nodes.start, self._here, node)

        return start

    async def kill_postgres(self) -> Repair:
        """Kill PostgreSQL's leader with its Patroni."""
        return await self.kill(await asyncio.to_thread(cluster.leader, self._here))

    async def kill_copy(self) -> Repair:
        """Kill a node that confirms commits of the leader."""
        members = await asyncio.to_thread(cluster.members, self._here)
        return await self.kill(nodes.named(next(each.name for each in members if each.role == "quorum_standby")))

    async def kill_redis(self) -> Repair:
        """Kill Redis's master."""
        for node in of_part("redis"):
            if await asyncio.to_thread(probes.redis_is_master, "127.0.0.1", self._here.port(node)):
                return await self.kill(node)
        raise AssertionError("there is no master of Redis")

    async def kill_etcd(self) -> Repair:
        """Kill two of the three nodes of etcd: PostgreSQL's leader goes on while the other nodes answer it."""
        first, second, _ = of_part("etcd")
        repairs = [await self.kill(first), await self.kill(second)]

        async def start() -> None:
            for repair in repairs:
                await repair()

        return start

    async def suspend_postgres(self) -> Repair:
        """Let PostgreSQL's leader stand still until another one leads, with a statement waiting in it, and go on then.

        The statement must not be acknowledged, and what it wrote must be nowhere.
        """
        old = await asyncio.to_thread(cluster.leader, self._here)
        direct = f"postgresql://postgres@{self._here.host(old)}:{self._here.port(old)}/{DATABASE}"
        proxied = self._servers.postgres_database_url(DATABASE)
        stale, through_proxy = await asyncpg.connect(direct), await asyncpg.connect(proxied)
        await stale.execute("CREATE TABLE IF NOT EXISTS public.proof_ha (id uuid PRIMARY KEY)")
        await asyncio.to_thread(nodes.suspend, self._here, old)
        late = new_id()
        waiting = asyncio.create_task(stale.execute("INSERT INTO public.proof_ha VALUES ($1)", late))

        async def resume() -> None:
            nodes.resume(self._here, old)
            done, _ = await asyncio.wait({waiting}, timeout=STALE_SECONDS)
            assert not done or waiting.exception() is not None, "a leader that was replaced acknowledged a write"
            assert through_proxy.is_closed(), "a connection to a leader that was replaced stayed open"
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await waiting
            stale.terminate()
            await asyncio.to_thread(self.until_whole)
            reader = await asyncpg.connect(proxied)
            assert await reader.fetchval("SELECT count(*) FROM public.proof_ha WHERE id = $1", late) == 0
            await reader.close()

        return resume


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One fault, and within which time payments must be as before."""

    happen: Callable[[Faults], Awaitable[Repair]]
    seconds: float = 15.0


def _kill_rabbitmq(number: int) -> Callable[[Faults], Awaitable[Repair]]:
    return lambda faults: faults.kill(Node(part="rabbitmq", number=number))


FAULTS = {
    "postgres-killed": Fault(happen=Faults.kill_postgres, seconds=30.0),
    "rabbitmq-1-killed": Fault(happen=_kill_rabbitmq(1)),
    "redis-killed": Fault(happen=Faults.kill_redis),
    "postgres-suspended": Fault(happen=Faults.suspend_postgres, seconds=30.0),
    "postgres-copy-killed": Fault(happen=Faults.kill_copy),
    "rabbitmq-2-killed": Fault(happen=_kill_rabbitmq(2)),
    "etcd-majority-killed": Fault(happen=Faults.kill_etcd),
}
"""Each fault by its name, in the order in which they happen."""
