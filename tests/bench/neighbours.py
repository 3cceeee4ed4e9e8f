"""What a rude tenant does to another's posting and first deliveries, over HTTP: `just bench-neighbours [--seconds 60]`.

A quiet tenant posts one entry and creates one payment intent at fixed instants, alone and beside each thing that a rude one
does: lists of 10,000 entries, closing its books again and again, events to endpoints that hang for half a minute, a replay
of 100,000 deliveries; then beside all of it. A first delivery is late by what its first attempt is after its event; both
are to be late by at most 50 ms more than alone. Runs the four services; the load generator shares their machine.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import uvloop

from deploy.local import servers as local
from tests.bench.payments import percentiles
from tests.bench.tenants import RUDE_TENANT, entries, token
from tests.bench.webhook_path import receiver
from tests.support.platform import ADMIN, OPERATOR, Client, Platform, running_platform

ROOT = Path(__file__).parents[2]
EVERY_SECONDS = 0.4
"""Few enough that no request waits for the one before: a tenant has one list of entries posted at a time."""
HANGING_ENDPOINTS = 40
MORE_MS = 50
"""What may be added to a 99th percentile."""

type Rude = Callable[[], Awaitable[object]]

_MESSAGES = """
INSERT INTO messages (tenant_id, event_id, type, body, occurred_at, created_at)
SELECT $1, made.event_id, 'payment.settled', '{}', now(), now() FROM generate_series(1, $3::int) AS n, LATERAL (SELECT
overlay(first_id(now() - n * interval '1 millisecond')::text PLACING lpad(to_hex(n), 12, '0') FROM 25)::uuid AS event_id) AS made
WHERE $2::uuid IS NOT NULL
"""
_DELIVERIES = """
INSERT INTO deliveries (tenant_id, endpoint_id, event_id, id, event_type, status, attempts, fence, created_at, ended_at,
                        end_reason)
SELECT tenant_id, $2, event_id, event_id, type, 'FAILED', 1, 2, created_at, created_at, 'exhausted' FROM messages
 WHERE tenant_id = $1
"""
_LATE = """
SELECT extract(epoch FROM a.attempted_at - m.occurred_at)::float8 AS late FROM attempts AS a
  JOIN messages AS m USING (tenant_id, event_id)
 WHERE a.number = 1 AND a.tenant_id <> $1 AND m.occurred_at >= $2 AND m.type = 'payment.intent.created'
"""


class Neighbours:
    """Both tenants, and the database that tells when something was first attempted."""

    def __init__(self, quiet: Client, rude: Client, books: "asyncpg.Connection[asyncpg.Record]", port: int) -> None:
        self._quiet = quiet
        self._rude = rude
        self._books = books
        self._port = port
        self._closed = datetime(2010, 1, 1, tzinfo=UTC)
        self._list = json.dumps(entries(10_000)).encode()
        self._one = json.dumps(entries(1)).encode()
        self.statuses: Counter[str] = Counter()

    async def set_up(self, admin: Client, *, deliveries: int) -> None:
        """Register the endpoints, and fill the history that is replayed."""
        await self._endpoint(admin, "ok")
        await self._call("POST", "/v1/ledger/entries", self._one)
        replayed = await self._endpoint(self._rude, "ok")
        for _ in range(HANGING_ENDPOINTS):
            await self._endpoint(self._rude, "hang")
        for statement in (_MESSAGES, _DELIVERIES):
            arguments = (RUDE_TENANT, replayed, deliveries)[: 3 if statement is _MESSAGES else 2]
            await self._books.execute(statement, *arguments, timeout=600)
        self._replayed = replayed

    async def _endpoint(self, client: Client, what: str) -> str:
        made = await client.call(
            "POST", "/v1/webhooks", {"url": f"http://127.0.0.1:{self._port}/{what}", "events": ["payment.*"]}
        )
        if made.status != 201:
            raise SystemExit(f"an endpoint was answered {made.status}: {made.raw!r}")
        return str(made.json["id"])

    async def _call(self, method: str, path: str, raw: bytes) -> None:
        answer = await self._rude.call(method, path, raw=raw, key=uuid4().hex)
        self.statuses[f"{path.rsplit('/', 1)[-1]} {answer.status}"] += 1

    async def post_list(self) -> None:
        """Post 10,000 entries."""
        await self._call("POST", "/v1/ledger/entries", self._list)

    async def close(self) -> None:
        """Close the books of long ago, a little later each time."""
        self._closed += timedelta(days=1)
        await self._call("POST", "/v1/ledger/periods", json.dumps({"ends_before": self._closed.isoformat()}).encode())

    async def make_events(self) -> None:
        """Create an intent, whose event is sent to each hanging endpoint."""
        body = {"amount": "1.00", "currency": "BRL", "customer_ref": "c"}
        await self._call("POST", "/v1/payment-intents", json.dumps(body).encode())

    async def replay(self) -> None:
        """Replay everything that failed."""
        since = (datetime.now(UTC) - timedelta(days=1)).isoformat()
        await self._call("POST", f"/v1/webhooks/{self._replayed}/replay", json.dumps({"since": since}).encode())
        await asyncio.sleep(3600)

    async def measure(self, name: str, rude: Sequence[tuple[Rude, int]], *, seconds: float) -> dict[str, Any]:
        """Have the quiet tenant work for so long beside what the rude one does with so many clients."""
        self.statuses.clear()
        work = [asyncio.create_task(_again(act)) for act, clients in rude for _ in range(clients)]
        await asyncio.sleep(2)
        begun, since = time.perf_counter(), datetime.now(UTC)
        posted: list[float] = []

        async def one() -> None:
            started = time.perf_counter()
            answer = await self._quiet.call("POST", "/v1/ledger/entries", raw=self._one, key=uuid4().hex)
            if answer.status != 200:
                raise SystemExit(f"an entry was answered {answer.status}: {answer.raw!r}")
            posted.append(time.perf_counter() - started)
            await self._quiet.create()

        async with asyncio.TaskGroup() as group:
            for n in range(int(seconds / EVERY_SECONDS)):
                await asyncio.sleep(max(0.0, begun + n * EVERY_SECONDS - time.perf_counter()))
                group.create_task(one())
        async with asyncio.timeout(120):
            while len(late := await self._books.fetch(_LATE, RUDE_TENANT, since)) < len(posted):
                await asyncio.sleep(0.2)
        for task in work:
            task.cancel()
        for ended in await asyncio.gather(*work, return_exceptions=True):
            if isinstance(ended, BaseException) and not isinstance(ended, asyncio.CancelledError):
                raise ended
        found = {"posting": percentiles(posted), "first delivery": percentiles([row["late"] for row in late])}
        print(name, json.dumps(found | {"rude": dict(self.statuses)}), flush=True)
        return found


async def _again(act: Rude) -> None:
    while True:
        await act()


async def _measure(seconds: float, deliveries: int, profile: str) -> None:
    servers = await asyncio.to_thread(local.ensure, profile, ROOT)
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(receiver())
        logs = stack.enter_context(tempfile.TemporaryDirectory())
        platform: Platform = await stack.enter_async_context(running_platform(servers, Path(logs)))
        quiet, admin = await platform.login(OPERATOR), await platform.login(ADMIN)
        rude = Client(platform.http, platform.base(), token=token(platform, RUDE_TENANT), tenant=RUDE_TENANT)
        books = await asyncpg.connect(platform.database.admin_url, server_settings={"search_path": "notifier"})
        stack.push_async_callback(books.close)
        both = Neighbours(quiet, rude, books, port)
        await both.set_up(admin, deliveries=deliveries)
        acts: dict[str, list[tuple[Rude, int]]] = {
            "lists of 10,000 entries": [(both.post_list, 4)],
            "closing": [(both.close, 4)],
            "hanging endpoints": [(both.make_events, 4)],
            "a replay": [(both.replay, 1)],
        }
        acts["all of it"] = [each for act in acts.values() for each in act]
        alone = await both.measure("alone", (), seconds=seconds)
        for name, work in acts.items():
            beside = await both.measure(f"beside {name}", work, seconds=seconds)
            more = {what: round(beside[what]["p99"] - alone[what]["p99"], 1) for what in alone}
            print(f"    p99 in ms more than alone, at most {MORE_MS}: {more}", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--deliveries", type=int, default=100_000)
    parser.add_argument("--profile", default="dev", choices=("dev", "test"), help="which private servers")
    options = parser.parse_args()
    uvloop.run(_measure(options.seconds, options.deliveries, options.profile))


if __name__ == "__main__":
    main()
