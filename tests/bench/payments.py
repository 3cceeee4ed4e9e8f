"""The public path under load: N payments from C concurrent clients, then an audit of every one of them.

    python -m tests.bench.payments --payments 4000 --clients 64

Starts the four services on a database and a virtual host of their own (fsync and synchronous_commit on), pays, waits until
the last payment is SETTLED, and prints a table; the same figures go to `.local/bench/payments.json`. The load generator
shares the machine with everything else.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import uvloop

from deploy.local import servers as local
from tests.support.databases import SERVICES
from tests.support.platform import ADMIN, DEMO_TENANT, OPERATOR, Client, Platform, running_platform
from tests.support.receiver import Receiver, running_receiver

ROOT = Path(__file__).parents[2]
OUTPUT = ROOT / ".local" / "bench" / "payments.json"
SETTLE_SECONDS = 120
WARM_UP_PAYMENTS = 200

type Books = "asyncpg.Connection[asyncpg.Record]"
"""A connection that may look into every schema."""


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Median, 95th and 99th percentile in milliseconds."""
    if len(seconds) < 2:
        return {"p50": 0.0, "p95": 0.0, "p99": 0.0}
    cuts = quantiles(seconds, n=100, method="inclusive")
    return {"p50": round(median(seconds) * 1000, 1), "p95": round(cuts[94] * 1000, 1), "p99": round(cuts[98] * 1000, 1)}


class Line:
    """One client's connection: HTTP/1.1 by hand, since the load generator shares the cores with what it measures."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
        self._reader = reader
        self._writer = writer
        self._host = host

    async def post(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """Make one request; returns the status and the body."""
        lines = [f"POST {path} HTTP/1.1", f"Host: {self._host}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._writer.write("\r\n".join((*lines, "", "")).encode() + body)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        return int(head[9:12]), await self._reader.readexactly(length)

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()
        await self._writer.wait_closed()


class Load:
    """Pays `payments` times with `clients` at once and keeps the times."""

    def __init__(self, platform: Platform, client: Client, *, respond_async: bool) -> None:
        self._base = platform.base()
        self._headers = {"Authorization": f"Bearer {client.token}", "X-Tenant-Id": DEMO_TENANT}
        self._confirm_headers = {"Prefer": "respond-async"} if respond_async else {}
        self.create_seconds: list[float] = []
        self.confirm_seconds: list[float] = []
        self.confirmed_at: dict[str, float] = {}
        self.accepted = 0

    async def _post(self, line: Line, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
        status, raw = await line.post(path, body, self._headers | headers | {"Idempotency-Key": uuid4().hex})
        return status, json.loads(raw)

    async def _pay(self, line: Line, number: int, label: str) -> None:
        body = json.dumps({"amount": f"{10 + number % 500}.00", "currency": "BRL", "customer_ref": label}).encode()
        started = time.perf_counter()
        status, intent = await self._post(line, "/v1/payment-intents", body, {"Content-Type": "application/json"})
        if status != 200:
            raise SystemExit(f"create answered {status}: {intent}")
        created = time.perf_counter()
        self.confirmed_at[intent["id"]] = time.time()
        path = f"/v1/payment-intents/{intent['id']}/confirm"
        status, answer = await self._post(line, path, b"", self._confirm_headers)
        if status not in {200, 202}:
            raise SystemExit(f"confirm answered {status}: {answer}")
        self.accepted += status == 202
        self.create_seconds.append(created - started)
        self.confirm_seconds.append(time.perf_counter() - created)

    async def run(self, payments: int, clients: int, label: str) -> None:
        """Pay, each client one payment after the other."""
        numbers = iter(range(payments))

        async def client() -> None:
            line = await self._line()
            for number in numbers:
                await self._pay(line, number, label)
            await line.close()

        async with asyncio.TaskGroup() as group:
            for _ in range(clients):
                group.create_task(client())

    async def offer(self, per_second: float, label: str, stop: asyncio.Event) -> int:
        """Pay so many times a second, however long each takes, until `stop`; returns how often."""
        idle: list[Line] = []

        async def pay(number: int) -> None:
            line = idle.pop() if idle else await self._line()
            await self._pay(line, number, label)
            idle.append(line)

        begun, number = time.perf_counter(), 0
        async with asyncio.TaskGroup() as group:
            while not stop.is_set():
                group.create_task(pay(number))
                number += 1
                await asyncio.sleep(max(0.0, begun + number / per_second - time.perf_counter()))
        for line in idle:
            await line.close()
        return number

    async def _line(self) -> Line:
        address = urlsplit(self._base)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        return Line(reader, writer, address.netloc)


async def settled(books: Books, label: str, payments: int) -> None:
    deadline = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < deadline:
        settled = await books.fetchval(
            "SELECT count(*) FROM api.payment_intents WHERE customer_ref = $1 AND status = 'SETTLED'", label
        )
        if settled == payments:
            return
        await asyncio.sleep(0.1)
    raise SystemExit(f"only {settled} of {payments} payments were settled within {SETTLE_SECONDS} s")


async def _audit(books: Books, receiver: Receiver, payments: int) -> dict[str, Any]:
    """Prove what the run claims, in the databases themselves."""
    count = books.fetchval
    async with asyncio.timeout(SETTLE_SECONDS):
        while len({d.headers["webhook-id"] for d in receiver.received}) < payments:
            await asyncio.sleep(0.1)
    facts = {
        "settled": await count("SELECT count(*) FROM api.payment_intents WHERE status = 'SETTLED'"),
        "entries": await count("SELECT count(*) FROM ledger.journal_entries"),
        "entries_per_payment_max": await count(
            "SELECT max(n) FROM (SELECT count(*) AS n FROM ledger.journal_entries GROUP BY payment_intent_id) AS t"
        ),
        "debits_minus_credits": int(
            await count(
                "SELECT sum(CASE side WHEN 'DEBIT' THEN amount_minor ELSE -amount_minor END) FROM ledger.postings"
            )
        ),
        "webhook_messages": await count("SELECT count(*) FROM notifier.messages WHERE type = 'payment.settled'"),
        "webhooks_received": len({d.headers["webhook-id"] for d in receiver.received}),
        "outbox_left": sum([await count(f"SELECT count(*) FROM {s}.outbox") for s in SERVICES]),
    }
    expected = {
        "settled": payments,
        "entries": payments,
        "entries_per_payment_max": 1,
        "debits_minus_credits": 0,
        "webhook_messages": payments,
        "webhooks_received": payments,
        "outbox_left": 0,
    }
    if facts != expected:
        raise SystemExit(f"the audit failed: found {facts}, expected {expected}")
    return facts


def _cpu_seconds(platform: Platform) -> dict[str, float]:
    """CPU time of each service so far, from /proc; empty where there is none."""
    ticks = os.sysconf("SC_CLK_TCK")
    used = {}
    for service, process in platform.processes().items():
        stat = Path(f"/proc/{process}/stat")
        if stat.exists():
            fields = stat.read_text().rsplit(")", 1)[1].split()
            used[service] = (int(fields[11]) + int(fields[12])) / ticks
    return used


async def measure(payments: int, clients: int, *, respond_async: bool) -> dict[str, Any]:
    """Run the whole measurement and return its figures."""
    servers = await asyncio.to_thread(local.ensure, "dev", ROOT)
    with tempfile.TemporaryDirectory() as logs:
        async with running_platform(servers, Path(logs)) as platform, running_receiver() as receiver:
            books = await asyncpg.connect(platform.database.admin_url)
            try:
                operator, admin = await platform.login(OPERATOR), await platform.login(ADMIN)
                hook = await admin.call("POST", "/v1/webhooks", {"url": receiver.url, "events": ["payment.settled"]})
                assert hook.status == 201, hook.raw
                warm = Load(platform, operator, respond_async=False)
                await warm.run(WARM_UP_PAYMENTS, min(clients, 16), "warm-up")
                await settled(books, "warm-up", WARM_UP_PAYMENTS)
                # What autovacuum does within the first minutes of a new database; this run is shorter than that.
                await books.execute("ANALYZE")
                load = Load(platform, operator, respond_async=respond_async)
                cpu_before, started = _cpu_seconds(platform), time.time()
                await load.run(payments, clients, "bench")
                offered_seconds = time.time() - started
                await settled(books, "bench", payments)
                cpu_after = _cpu_seconds(platform)
                rows = await books.fetch(
                    "SELECT id::text, settled_at FROM api.payment_intents WHERE customer_ref = 'bench'"
                )
                last = max(row["settled_at"].timestamp() for row in rows)
                facts = await _audit(books, receiver, payments + WARM_UP_PAYMENTS)
            finally:
                await books.close()
    seconds = last - started
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "payments": payments,
        "clients": clients,
        "respond_async": respond_async,
        "settled_per_second": round(payments / seconds, 1),
        "accepted_per_second": round(payments / offered_seconds, 1),
        "answered_202": load.accepted,
        "create_ms": percentiles(load.create_seconds),
        "confirm_ms": percentiles(load.confirm_seconds),
        "confirm_to_settled_ms": percentiles(
            [row["settled_at"].timestamp() - load.confirmed_at[row["id"]] for row in rows]
        ),
        "cpu_ms_per_payment": {
            service: round((cpu_after[service] - cpu_before[service]) * 1000 / payments, 2) for service in cpu_after
        },
        "audit": facts,
    }


def _print(result: dict[str, Any]) -> None:
    print(
        f"\n{result['payments']} payments, {result['clients']} clients"
        f"{', respond-async' if result['respond_async'] else ''}:  {result['settled_per_second']} settled/s"
    )
    print(f"{'':24}{'p50 ms':>10}{'p95 ms':>10}{'p99 ms':>10}")
    for name in ("create_ms", "confirm_ms", "confirm_to_settled_ms"):
        row = result[name]
        print(f"{name.removesuffix('_ms').replace('_', ' '):24}{row['p50']:>10}{row['p95']:>10}{row['p99']:>10}")
    print("cpu ms per payment:  " + ", ".join(f"{s} {c}" for s, c in result["cpu_ms_per_payment"].items()))
    audit = result["audit"]
    print(
        f"audited:     {audit['settled']} settled, {audit['entries']} entries, at most one per payment, "
        f"debits - credits = {audit['debits_minus_credits']}, {audit['webhooks_received']} webhooks"
    )


def main() -> None:
    """Measure once, print, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--payments", type=int, default=4000)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--respond-async", action="store_true", help="do not wait for the authorization in confirm")
    arguments = parser.parse_args(sys.argv[1:])
    result = uvloop.run(measure(arguments.payments, arguments.clients, respond_async=arguments.respond_async))
    _print(result)
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(result, indent=2) + "\n")
    print(f"figures:     {OUTPUT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
