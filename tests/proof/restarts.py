"""Proof that a restart leaves nothing behind: neither a payment that never settles, nor a message that nobody works on.

    just proof-restarts                      both parts, once
    just proof-restarts --runs 20            the kills under load twenty times, each on a fresh platform
    just proof-restarts --restarts 20        twenty restarts of each service with a backlog

Under load: `kill -9` of each service in turn, every two seconds, while payments are made. Every payment is settled within
fifteen seconds of the moment at which all services were ready again and the last payment was made.

With a backlog: a service is ended, its queue filled, started, ended again in the middle of it, started. Then its queue
drains, and no message stays unacknowledged. `kill -9` and SIGTERM take turns.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import aio_pika
import aiohttp
import asyncpg
import msgspec
import uvloop

from deploy.local import servers as local
from deploy.local.servers import Servers
from libs.common.contracts import Message, api, gateway
from libs.common.ids import new_id
from libs.common.messaging.envelope import PackedEvent, decode_pack, encode_pack
from libs.common.messaging.topology import routing_key
from tests.support.broker import Node
from tests.support.platform import OPERATOR, ROOT, Answer, Client, Platform, running_platform

IN_TURN = ("gateway", "ledger", "notifier", "api")
SETTLED_SECONDS = 15.0
"""How long after the last restart a payment may be open."""
DRAINED_SECONDS = 60.0
"""How long a backlog may take; a machine that is busy with other work needs some of it to start a process."""
RECEIVED: dict[str, type[Message]] = {
    "gateway": gateway.AuthorizePayment,
    "api": gateway.PaymentAuthorized,
    "ledger": gateway.PaymentCaptured,
    "notifier": api.PaymentSettled,
}
"""What fills the backlog of each service."""


class Load:
    """Payments made by careful clients, and when each was seen to be settled."""

    def __init__(self, platform: Platform, operator: Client, *, payments: int, clients: int, pause: float) -> None:
        self._platform = platform
        self._operator = operator
        self._left = list(range(payments))
        self._clients = clients
        self._pause = pause
        self.made: list[str] = []

    async def run(self) -> None:
        """Make all payments."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._clients):
                group.create_task(self._client())

    async def _client(self) -> None:
        while self._left:
            number = self._left.pop()
            self.made.append(await _pay(self._operator, f"{10 + number}.00"))
            # Spread over the restarts that happen meanwhile.
            await asyncio.sleep(self._pause)

    async def settled(self, *, within: float) -> tuple[float, list[str]]:
        """Wait until every payment is settled; returns the seconds that the slowest took from now, and its ids.

        Raises:
            AssertionError: naming those that are not settled in time, with their status.
        """
        began = time.monotonic()
        books = await asyncpg.connect(self._platform.database.admin_url)
        slowest: list[str] = []
        try:
            while True:
                rows = await books.fetch(
                    "SELECT id::text, status FROM api.payment_intents WHERE customer_ref = 'load' AND status <> 'SETTLED'"
                )
                seconds = time.monotonic() - began
                if not rows:
                    return seconds, slowest
                slowest = [row["id"] for row in rows[:5]]
                still = {row["id"]: row["status"] for row in rows}
                assert seconds < within, f"{len(still)} payments are open {within:g} s after the last restart: {still}"
                await asyncio.sleep(0.1)
        finally:
            await books.close()


async def end_in_turn(platform: Platform, *, kills: bool, every_seconds: float) -> None:
    """End each service once, as a power cut would or as an orchestrator does, and start it at once."""
    for service in IN_TURN:
        await asyncio.sleep(every_seconds)
        await asyncio.to_thread(platform.kill if kills else platform.stop, service)
        platform.start(service)
    for service in IN_TURN:
        await platform.ready(service)


async def _pay(operator: Client, amount: str) -> str:
    """Pay as a careful client does: the same key again after every lost answer."""
    create_key, confirm_key = str(uuid4()), str(uuid4())
    body = {"amount": amount, "currency": "BRL", "customer_ref": "load"}
    intent = (await _insist(operator, "/v1/payment-intents", create_key, body)).json
    await _insist(operator, f"/v1/payment-intents/{intent['id']}/confirm", confirm_key, None)
    return str(intent["id"])


async def _insist(operator: Client, path: str, key: str, body: object) -> Answer:
    async with asyncio.timeout(60):
        while True:
            try:
                answer = await operator.call("POST", path, body, key=key)
            except (OSError, aiohttp.ClientError):
                await asyncio.sleep(0.1)
                continue
            if answer.status in {200, 202}:
                return answer
            assert answer.status in {409, 503}, answer.raw
            await asyncio.sleep(0.1)


async def audit(platform: Platform, made: Sequence[str]) -> None:
    """Count in the databases themselves: one intent, one authorization, one capture, one entry per payment."""
    books = await asyncpg.connect(platform.database.admin_url)
    try:
        intents = await books.fetch("SELECT id::text FROM api.payment_intents WHERE customer_ref = 'load'")
        assert sorted(row["id"] for row in intents) == sorted(made)
        entries = await books.fetch("SELECT payment_intent_id::text AS id FROM ledger.journal_entries")
        assert Counter(row["id"] for row in entries) == Counter(made)
        attempts = await books.fetch("SELECT payment_intent_id::text AS id, operation, status FROM gateway.attempts")
        assert Counter((row["id"], row["operation"]) for row in attempts) == Counter(
            {(intent_id, operation): 1 for intent_id in made for operation in ("authorize", "capture")}
        )
        assert {row["status"] for row in attempts} == {"APPROVED"}
        difference = await books.fetchval(
            "SELECT sum(CASE side WHEN 'DEBIT' THEN amount_minor ELSE -amount_minor END) FROM ledger.postings"
        )
        assert difference == 0
    finally:
        await books.close()


class Backlogs:
    """Fills the queue of a service with what it has received before, each event alone in its message and with a new id."""

    def __init__(self, node: Node, channel: aio_pika.abc.AbstractChannel) -> None:
        self._node = node
        self._channel = channel
        self._taps: dict[str, aio_pika.abc.AbstractQueue] = {}
        self._received: dict[str, list[PackedEvent]] = {}

    async def listen(self) -> None:
        """Keep a copy of what the services receive from now on."""
        for service, kind in RECEIVED.items():
            self._taps[service] = await self._channel.declare_queue(exclusive=True)
            await self._taps[service].bind(kind.contract.exchange, routing_key(kind.contract, self.queue(service)))

    async def fill(self, service: str, count: int) -> None:
        """Put so many messages into the queue of a service."""
        received = self._received.setdefault(service, [])
        while (message := await self._taps[service].get(fail=False, no_ack=True)) is not None:
            received.extend(decode_pack(message.body).events)
        assert received, f"{service} has received nothing yet"
        contract = RECEIVED[service].contract
        for start in range(0, count, 200):
            events = [received[number % len(received)] for number in range(start, min(start + 200, count))]
            await asyncio.gather(*(self._send(service, contract.name, event) for event in events))

    async def _send(self, service: str, name: str, event: PackedEvent) -> None:
        again = msgspec.structs.replace(event, id=new_id())
        await self._channel.default_exchange.publish(
            aio_pika.Message(
                encode_pack(name, [again]), type=name, delivery_mode=aio_pika.DeliveryMode.PERSISTENT, headers={}
            ),
            routing_key=self.queue(service),
        )

    @staticmethod
    def queue(service: str) -> str:
        """The queue that is filled."""
        return RECEIVED[service].contract.queue(service)

    async def begun(self, service: str, count: int) -> None:
        """Wait until some of the backlog has been handled."""
        async with asyncio.timeout(DRAINED_SECONDS):
            while sum((await self._node.queues()).get(self.queue(service), (0, 0))) >= count:
                await asyncio.sleep(0.02)

    async def drained(self) -> float:
        """Wait until every queue of the four services is empty, and nothing is unacknowledged; returns the seconds.

        Raises:
            AssertionError: naming the queues that are not, with their messages, ready and unacknowledged.
        """
        began = time.monotonic()
        while True:
            left = {name: at for name, at in (await self._node.queues()).items() if not name.startswith("amq.")}
            seconds = time.monotonic() - began
            if not left:
                return seconds
            assert seconds < DRAINED_SECONDS, f"ready and unacknowledged after {seconds:.0f} s: {left}"
            await asyncio.sleep(0.1)


@asynccontextmanager
async def backlogs(servers: Servers, platform: Platform) -> AsyncIterator[Backlogs]:
    """Fill queues inside the block."""
    async with await aio_pika.connect(platform.rabbitmq_url) as connection:
        made = Backlogs(Node(servers, platform.rabbitmq_url), await connection.channel())
        await made.listen()
        yield made


async def restart_with_backlog(platform: Platform, made: Backlogs, service: str, *, events: int, kills: bool) -> float:
    """End a service, fill its queue, start it, end it in the middle of it, start it; returns the seconds to the end."""
    ends = (platform.kill, platform.stop) if kills else (platform.stop, platform.kill)
    await asyncio.to_thread(ends[0], service)
    await made.fill(service, events)
    platform.start(service)
    await made.begun(service, events)
    await asyncio.to_thread(ends[1], service)
    platform.start(service)
    await platform.ready(service)
    return await made.drained()


async def _under_load(servers: Servers, logs: Path, *, payments: int, clients: int) -> dict[str, Any]:
    async with running_platform(servers, logs) as platform:
        load = Load(platform, await platform.login(OPERATOR), payments=payments, clients=clients, pause=0.05)
        async with asyncio.TaskGroup() as group:
            killing = group.create_task(end_in_turn(platform, kills=True, every_seconds=2.0))
            making = group.create_task(load.run())
            await killing
            # A client that was cut off may still be trying; its payment has no part in the fifteen seconds before it is made.
            await making
        seconds, slowest = await load.settled(within=SETTLED_SECONDS)
        await audit(platform, load.made)
    return {"payments": len(load.made), "slowest_seconds": round(seconds, 2), "slowest": slowest}


async def _with_backlog(
    servers: Servers, logs: Path, *, services: Sequence[str], restarts: int, events: int, large: int
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    async with running_platform(servers, logs) as platform, backlogs(servers, platform) as made:
        load = Load(platform, await platform.login(OPERATOR), payments=100, clients=8, pause=0.0)
        await load.run()
        await load.settled(within=60)
        for service in services:
            took = []
            for number in range(restarts):
                took.append(await restart_with_backlog(platform, made, service, events=events, kills=number % 2 == 0))
                print(f"{service} restart {number + 1} of {restarts}: drained after {took[-1]:.1f} s", flush=True)
            await asyncio.to_thread(platform.stop, service)
            await made.fill(service, large)
            platform.start(service)
            await platform.ready(service)
            found[service] = {
                "drained": f"{len(took)} of {restarts}",
                "slowest_seconds": round(max(took, default=0.0), 2),
                f"seconds_for_{large}": round(await made.drained(), 2),
            }
            print(service, found[service], flush=True)
        await audit(platform, load.made)
    return found


async def main(given: argparse.Namespace) -> dict[str, Any]:
    """Prove both parts on the servers of the tests."""
    servers = await asyncio.to_thread(local.ensure, "test", ROOT)
    runs = []
    for number in range(given.runs):
        with tempfile.TemporaryDirectory() as logs:
            runs.append(await _under_load(servers, Path(logs), payments=given.payments, clients=given.clients))
        print(f"run {number + 1} of {given.runs}: {runs[-1]}", flush=True)
    found: dict[str, Any] = {"under_load": {"settled": f"{len(runs)} of {given.runs}", "runs": runs}}
    if given.restarts:
        with tempfile.TemporaryDirectory() as logs:
            found["with_backlog"] = await _with_backlog(
                servers,
                Path(logs),
                services=given.services,
                restarts=given.restarts,
                events=given.events,
                large=given.large,
            )
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1, help="runs of the kills under load")
    parser.add_argument("--payments", type=int, default=400)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--restarts", type=int, default=2, help="restarts of each service with a backlog")
    parser.add_argument("--events", type=int, default=1_000, help="events in the backlog")
    parser.add_argument("--large", type=int, default=10_000, help="events in one last backlog of each service")
    parser.add_argument("--services", nargs="+", choices=IN_TURN, default=list(IN_TURN))
    print(json.dumps(uvloop.run(main(parser.parse_args(sys.argv[1:]))), indent=2))
