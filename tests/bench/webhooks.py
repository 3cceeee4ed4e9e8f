"""How many webhooks per second, and how late? Real HTTP receivers in a process of their own, a real database.

    .venv/bin/python -m tests.bench.webhooks --events 20000 --endpoints 50 --hanging 5

Events are scheduled in packs as the bus hands them over, and delivered at the same time by one courier. Prints one table;
asserts nothing.
"""

import argparse
import asyncio
import multiprocessing
import statistics
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from time import perf_counter
from typing import Any, cast
from uuid import UUID

import uvloop

from deploy.local import servers as local
from libs.common.clock import SystemClock
from libs.common.contracts.api import PaymentSettled
from libs.common.contracts.notifier import ListDeliveries, RegisterEndpoint
from libs.common.db import Database
from libs.common.ids import new_id
from libs.common.messaging import Heard
from libs.common.observability.correlation import Correlation
from services.notifier import commands, queries
from services.notifier.commands import EndpointRules
from services.notifier.egress import LOCAL_NETWORKS, EgressGuard
from services.notifier.schedule import RetryPolicy
from services.notifier.sender import Sender
from services.notifier.settings import LOCAL_ENCRYPTION_KEY, WebhookSettings
from services.notifier.signing import KeyRing
from services.notifier.workers import Courier
from tests.support.databases import fresh_database

ROOT = Path(__file__).parents[2]
PACK = 100
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Receiver(asyncio.Protocol):
    """Answers every POST at once; those to `/hang` never."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            at = head.index(b"content-length:") + 15
            length = int(head[at:].split(b"\r", 1)[0])
            if len(self._buffer) < end + 4 + length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            if not head.startswith(b"post /hang"):
                self._transport.write(_ANSWER)


def receive(pipe: Pipe) -> None:
    """Run the receiver, in a process of its own."""

    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(Receiver, "127.0.0.1", 0, backlog=1024)
        pipe.send(server.sockets[0].getsockname()[1])
        await asyncio.Event().wait()

    uvloop.run(serve())


@asynccontextmanager
async def receiver() -> AsyncIterator[int]:
    """The receiver's port."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=receive, args=(theirs,), daemon=True)
    process.start()
    try:
        yield await asyncio.to_thread(ours.recv)
    finally:
        process.terminate()
        process.join()


def heard(tenant_id: str) -> Heard[PaymentSettled]:
    """One settled payment."""
    now = datetime.now(UTC)
    body = PaymentSettled(
        event_id=new_id(),
        occurred_at=now,
        tenant_id=tenant_id,
        correlation_id="bench",
        payment_intent_id=new_id(),
        amount="150.50",
        currency="BRL",
        customer_ref="customer@example.com",
    )
    return Heard(
        id=body.event_id, body=body, occurred_at=now, correlation=Correlation(correlation_id="bench"), attempt=0
    )


async def remember(database: Database, *, deliveries: int, of: UUID) -> None:
    """Fill the history with deliveries that are over, each with its attempt."""
    for table, columns, values in [
        (
            "deliveries",
            "id, event_type, status, attempts, fence, created_at, ended_at, end_reason",
            "event_id, 'payment.settled', 'DELIVERED', 1, 2, now(), now(), 'delivered'",
        ),
        ("attempts", "number, attempted_at, duration_ms, status_code, response_excerpt", "1, now(), 12, 200, 'ok'"),
    ]:
        for first in range(0, deliveries, 50_000):
            await database.write(
                f"INSERT INTO {table} (tenant_id, endpoint_id, event_id, {columns}) "
                f"SELECT 'tenant-0', $1, event_id, {values} FROM generate_series($2::int, $3::int) AS n, "
                "LATERAL (SELECT ('0190f3a4-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid AS event_id) AS made",
                of,
                first + 1,
                min(first + 50_000, deliveries),
            )


async def _read_pages(database: Database, *, of: UUID) -> None:
    took, cursor = [], None
    for _ in range(100):
        began = perf_counter()
        page = await queries.list_deliveries(
            database, ListDeliveries(tenant_id="tenant-0", endpoint_id=of, cursor=cursor)
        )
        took.append((perf_counter() - began) * 1000)
        cursor = page.next_cursor
    print(f"page of 50 p95        {sorted(took)[94]:10.1f} ms")


async def run(*, events: int, endpoints: int, hanging: int, per_second: int, history: int) -> None:
    """Measure once."""
    settings = WebhookSettings(webhook_drain_seconds=0.1)
    policy, clock, guard = RetryPolicy.of(settings), SystemClock(), EgressGuard(allowed=LOCAL_NETWORKS)
    keyring = KeyRing(LOCAL_ENCRYPTION_KEY)
    sender = Sender(settings, guard)
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(receiver())
        made = await stack.enter_async_context(fresh_database(local.ensure("test", ROOT), ("notifier",)))
        database: Database = await stack.enter_async_context(made.open("notifier"))
        await stack.enter_async_context(sender.opened())
        rules = EndpointRules(is_local=True, allowed_ports=(), endpoints_max=10, admits=guard.admits)
        for number in range(endpoints):
            path = "hang" if number < hanging else "ok"
            request = RegisterEndpoint(
                tenant_id=f"tenant-{number}",
                endpoint_id=new_id(),
                url=f"http://127.0.0.1:{port}/{path}/{number}",
                events=["payment.*"],
            )
            await commands.register_endpoint(database, request, rules=rules, secrets=keyring, clock=clock)
            if number == 0:
                first_endpoint = request.endpoint_id
        await remember(database, deliveries=history, of=first_endpoint)
        courier = Courier(
            database=database, sender=sender, keyring=keyring, policy=policy, settings=settings, clock=clock
        )
        database.after_commit(courier.wake)
        working = asyncio.create_task(courier.run())
        began = perf_counter()
        for first in range(0, events, PACK):
            pack = [heard(f"tenant-{number % endpoints}") for number in range(first, min(first + PACK, events))]
            async with database.transaction() as tx:
                await commands.schedule(tx, pack, policy=policy, clock=clock)
            if per_second:
                await asyncio.sleep(max(0.0, began + (first + PACK) / per_second - perf_counter()))
        scheduled = perf_counter() - began
        quick = sum(1 for number in range(events) if number % endpoints >= hanging)
        while await _pending(database) > events - quick:
            await asyncio.sleep(0.05)
        seconds = perf_counter() - began
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        await _report(database, quick=quick, seconds=seconds, scheduled=scheduled)
        if history:
            await _read_pages(database, of=first_endpoint)


async def _pending(database: Database) -> int:
    row = await database.fetchrow("SELECT count(*) FROM deliveries WHERE status = 'PENDING'")
    return int(row["count"]) if row else 0


async def _report(database: Database, *, quick: int, seconds: float, scheduled: float) -> None:
    rows: list[Any] = await database.fetch(
        "SELECT extract(epoch FROM a.attempted_at - d.created_at)::float8 AS late FROM deliveries AS d "
        "JOIN attempts AS a USING (tenant_id, endpoint_id, event_id) WHERE a.number = 1 AND d.status = 'DELIVERED' AND d.created_at <> d.ended_at"
    )
    late = sorted(row["late"] * 1000 for row in rows)
    print(f"deliveries/s          {quick / seconds:10.0f}")
    print(f"deliveries            {quick:10d}   in {seconds:.2f} s, scheduled in {scheduled:.2f} s")
    print(f"attempts recorded     {len(rows):10d}")
    print(f"first attempt p50     {statistics.median(late):10.1f} ms after its commit began")
    print(f"first attempt p99     {late[int(len(late) * 0.99)]:10.1f} ms")


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--endpoints", type=int, default=50)
    parser.add_argument("--hanging", type=int, default=0, help="how many of the endpoints never answer")
    parser.add_argument("--per-second", type=int, default=0, help="events per second; 0 is as fast as possible")
    parser.add_argument("--history", type=int, default=0, help="deliveries that are over, in the tables beforehand")
    given = parser.parse_args()
    uvloop.run(
        run(
            events=given.events,
            endpoints=given.endpoints,
            hanging=given.hanging,
            per_second=given.per_second,
            history=given.history,
        )
    )


if __name__ == "__main__":
    main()
