"""Questions and commands to the tests' own RabbitMQ, evaluated inside the node."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from deploy.local import vhosts
from deploy.local.servers import Servers

_QUEUE = re.compile(r"([\w.-]+) (\d+) (\d+);")


_ALARMS = {
    "memory": (
        "vm_memory_monitor:set_vm_memory_high_watermark({absolute, 1})",
        "vm_memory_monitor:set_vm_memory_high_watermark(0.4)",
    ),
    "disk": (
        "rabbit_disk_monitor:set_disk_free_limit(1 bsl 60)",
        "rabbit_disk_monitor:set_disk_free_limit(100000000)",
    ),
}
"""How each alarm is raised and ended; the second as in the configuration of our own node."""


class Node:
    """The broker behind one virtual host, seen from inside."""

    def __init__(self, servers: Servers, vhost_url: str) -> None:
        self._server = servers.rabbitmq
        self._vhost = urlsplit(vhost_url).path.removeprefix("/")

    async def queues(self) -> dict[str, tuple[int, int]]:
        """How many messages are ready and how many unacknowledged, for each queue that has any."""
        # Of a quorum queue the state machine answers: what the node reports of it is up to five seconds old.
        count = (
            "C = fun(P, F) -> {ok, {_, V}, _} = ra:local_query(P, F), V end, "
            "I = fun(A) -> case amqqueue:get_type(A) of rabbit_quorum_queue -> P = amqqueue:get_pid(A), "
            "{C(P, fun rabbit_fifo:query_messages_ready/1), C(P, fun rabbit_fifo:query_messages_checked_out/1)}; "
            "_ -> [{_, R}, {_, U}] = rabbit_amqqueue:info(A, [messages_ready, messages_unacknowledged]), {R, U} end end, "
        )
        text = await self._evaluate(
            count + 'lists:flatten([io_lib:format("~s ~w ~w;", [N, R, U]) || '
            f'A <- rabbit_amqqueue:list(<<"{self._vhost}">>), {{_, _, _, N}} <- [amqqueue:get_name(A)], '
            "{R, U} <- [I(A)], R + U > 0])"
        )
        return {name: (int(ready), int(unacknowledged)) for name, ready, unacknowledged in _QUEUE.findall(text)}

    async def keep_only(self, queues: Iterable[str]) -> None:
        """Delete every queue but the empty quorum queues of these names; a dead letter in transit counts."""
        names = ", ".join(f'<<"{name}">>' for name in queues)
        await self._evaluate(
            f"Known = sets:from_list([{names}]), "
            "Keep = fun(A, N) -> amqqueue:get_type(A) =:= rabbit_quorum_queue andalso sets:is_element(N, Known) andalso "
            "0 =:= element(2, element(2, ra:local_query(amqqueue:get_pid(A), fun rabbit_fifo:query_messages_total/1))) "
            "end, "
            f'[catch rabbit_amqqueue:delete(A, false, false, <<"test">>) || A <- rabbit_amqqueue:list(<<"{self._vhost}">>), '
            "{_, _, _, N} <- [amqqueue:get_name(A)], true =/= (catch Keep(A, N))], ok"
        )

    async def close_connections(self) -> None:
        """Close every connection to the virtual host, as an operator would."""
        await self._evaluate(
            f'[rabbit_networking:close_connection(P, "test") || P <- rabbit_networking:connections(), '
            f'[{{vhost, <<"{self._vhost}">>}}] =:= (catch rabbit_reader:info(P, [vhost]))]'
        )

    @asynccontextmanager
    async def suspended(self, queue: str) -> AsyncIterator[None]:
        """Let a classic queue do nothing and confirm nothing, while the node answers."""
        look = f'{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"{self._vhost}">>, queue, <<"{queue}">>)), '
        await self._evaluate(f"{look} sys:suspend(amqqueue:get_pid(Q))")
        try:
            yield
        finally:
            await self._evaluate(f"{look} sys:resume(amqqueue:get_pid(Q))")

    @asynccontextmanager
    async def short_of(self, resource: str) -> AsyncIterator[None]:
        """Let the node lack `memory` or `disk`; for all virtual hosts, so only where no other test runs."""
        short, enough = _ALARMS[resource]
        await self._evaluate(short)
        try:
            yield
        finally:
            await self._evaluate(enough)

    async def _evaluate(self, expression: str) -> str:
        return await asyncio.to_thread(vhosts.evaluate, self._server, expression)


class _Silence(dict[int, object]):
    """The channels of a connection to which nothing comes through any more."""

    def __init__(self) -> None:
        super().__init__()
        self.is_waited_at = asyncio.Event()

    def get(self, *_: object) -> None:
        """Lose a frame, as if the broker had sent none."""
        self.is_waited_at.set()


async def go_silent(driver: Any) -> None:
    """Let a connection of the driver end as one ends to which nothing comes any more, as soon as somebody waits at it."""
    driver.channels = silence = _Silence()
    async with asyncio.timeout(10):
        await silence.is_waited_at.wait()
    # What the driver does after three heartbeats that did not come.
    driver._reader_task.cancel()
