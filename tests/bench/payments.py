"""The public path: a closed loop, an open loop and an idle system, what a payment costs, then an audit of every payment.

    python -m tests.bench.payments --payments 2000 --clients 64 --per-second 100 --runs 3

Starts the four services on a database and a virtual host of their own (fsync and synchronous_commit on) and pays in three
ways, each of them `--runs` times: in the closed loop each of `--clients` makes the next payment when the one before is
authorized; in the open loop so many payments begin a second however long they take, and a latency counts from the moment at
which its payment was to begin; on the idle system one client pays, and each payment is SETTLED before the next. Between the
first and the last run of the closed loop everything that is written, sent and computed is counted, and divided by its
payments. Figures are medians over the runs; all go to `.local/bench/payments.json` with the machine and the commit. The load
generator shares the machine with everything else.
"""

import argparse
import asyncio
import json
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
from tests.bench.costs import Books, machine, memory_of, per_payment, snapshot
from tests.support.databases import SERVICES
from tests.support.platform import ADMIN, DEMO_TENANT, OPERATOR, Client, Platform, running_platform
from tests.support.receiver import Receiver, running_receiver

ROOT = Path(__file__).parents[2]
OUTPUT = ROOT / ".local" / "bench" / "payments.json"
SETTLE_SECONDS = 120
WARM_UP_PAYMENTS = 200

type Run = dict[str, Any]
"""The figures of one run."""


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

    @property
    def is_open(self) -> bool:
        """Whether the server has not hung up, as it does where nothing comes for seconds."""
        return not self._reader.at_eof()

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

    async def _pay(self, line: Line, number: int, label: str, *, due: float | None = None) -> None:
        body = json.dumps({"amount": f"{10 + number % 500}.00", "currency": "BRL", "customer_ref": label}).encode()
        started = time.perf_counter() if due is None else due
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
        """Pay so many times a second, however long each takes, until `stop`; returns how often.

        A create is timed from the moment at which it was to begin: what delays the load generator counts too.
        """
        idle: list[Line] = []

        async def pay(number: int, due: float) -> None:
            while idle and not idle[-1].is_open:
                await idle.pop().close()
            line = idle.pop() if idle else await self._line()
            await self._pay(line, number, label, due=due)
            idle.append(line)

        begun, number = time.perf_counter(), 0
        async with asyncio.TaskGroup() as group:
            while not stop.is_set():
                group.create_task(pay(number, begun + number / per_second))
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


async def _closed(load: Load, books: Books, arguments: argparse.Namespace, label: str) -> float:
    started = time.time()
    await load.run(arguments.payments, arguments.clients, label)
    await settled(books, label, arguments.payments)
    return started


async def _open(load: Load, books: Books, arguments: argparse.Namespace, label: str) -> float:
    stop, started = asyncio.Event(), time.time()
    asyncio.get_running_loop().call_later(arguments.seconds, stop.set)
    await settled(books, label, await load.offer(arguments.per_second, label, stop))
    return started


async def _idle(load: Load, books: Books, arguments: argparse.Namespace, label: str) -> float:
    started = time.time()
    for number in range(arguments.idle_payments):
        await load.run(1, 1, label)
        await settled(books, label, number + 1)
    return started


_WAYS = {"closed": _closed, "open": _open, "idle": _idle}


async def _run(
    way: str, number: int, platform: Platform, client: Client, books: Books, arguments: argparse.Namespace
) -> Run:
    label = f"{way} {number}"
    load = Load(platform, client, respond_async=arguments.respond_async)
    started = await _WAYS[way](load, books, arguments, label)
    print(f"{label}: {time.time() - started:.1f} s", flush=True)
    rows = await books.fetch("SELECT id::text, settled_at FROM api.payment_intents WHERE customer_ref = $1", label)
    at = {row["id"]: row["settled_at"].timestamp() for row in rows}
    return {
        "payments": len(rows),
        "settled_per_second": round(len(rows) / (max(at.values()) - started), 1),
        "answered_202": load.accepted,
        "create_ms": percentiles(load.create_seconds),
        "confirm_ms": percentiles(load.confirm_seconds),
        "confirm_to_settled_ms": percentiles([at[intent] - load.confirmed_at[intent] for intent in at]),
    }


def _medians(runs: Sequence[Run]) -> Run:
    """Take the median of each figure over some runs."""
    first = runs[0]
    return {
        name: _medians([run[name] for run in runs])
        if isinstance(value, dict)
        else round(median(r[name] for r in runs), 1)
        for name, value in first.items()
    }


async def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run the whole measurement and return its figures."""
    servers = await asyncio.to_thread(local.ensure, "dev", ROOT)
    ways = {"closed": arguments.clients, "open": arguments.per_second, "idle": arguments.idle_payments}
    runs: dict[str, list[Run]] = {}
    with tempfile.TemporaryDirectory() as logs:
        async with running_platform(servers, Path(logs)) as platform, running_receiver() as receiver:
            books = await asyncpg.connect(platform.database.admin_url)
            try:
                operator, admin = await platform.login(OPERATOR), await platform.login(ADMIN)
                hook = await admin.call("POST", "/v1/webhooks", {"url": receiver.url, "events": ["payment.settled"]})
                assert hook.status == 201, hook.raw
                warm = Load(platform, operator, respond_async=False)
                await warm.run(WARM_UP_PAYMENTS, max(1, min(arguments.clients, 16)), "warm-up")
                await settled(books, "warm-up", WARM_UP_PAYMENTS)
                # What autovacuum does within the first minutes of a new database; this run is shorter than that.
                await books.execute("ANALYZE")
                processes = platform.processes()
                before = await snapshot(books, servers, processes)
                costs: dict[str, Any] = {}
                for way in [way for way, amount in ways.items() if amount]:
                    runs[way] = [
                        await _run(way, n, platform, operator, books, arguments) for n in range(1, arguments.runs + 1)
                    ]
                    if way == "closed":
                        paid = sum(run["payments"] for run in runs[way])
                        costs = await per_payment(books, before, await snapshot(books, servers, processes), paid)
                        costs["counted_over"] = paid
                memory = {service: memory_of(process) for service, process in processes.items()}
                paid = WARM_UP_PAYMENTS + sum(run["payments"] for some in runs.values() for run in some)
                facts = await _audit(books, receiver, paid)
            finally:
                await books.close()
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        **machine(ROOT),
        **{name: value for name, value in vars(arguments).items() if name != "output"},
        "medians": {way: _medians(some) for way, some in runs.items()},
        "all_runs": runs,
        "per_payment": costs,
        "memory_mib": memory,
        "audit": facts,
    }


def _print(result: dict[str, Any]) -> None:
    print(f"\n{'medians of ' + str(result['runs']):24}{'settled/s':>10}{'p50 ms':>10}{'p95 ms':>10}{'p99 ms':>10}")
    for way, found in result["medians"].items():
        for name in ("create_ms", "confirm_ms", "confirm_to_settled_ms"):
            row = found[name]
            rate = found["settled_per_second"] if name == "create_ms" else ""
            title = f"{way}: {name.removesuffix('_ms').replace('_', ' ')}"
            print(f"{title:26}{rate:>8}{row['p50']:>10}{row['p95']:>10}{row['p99']:>10}")
    if costs := result["per_payment"]:
        print(f"a payment costs, over {costs['counted_over']} of them in the closed loop:")
        used = costs["cpu_ms"]
        own = sum(used[service] for service in SERVICES)
        whole = sum(used.values()) - used["load generator"]
        print(f"  CPU ms: services {own:.2f}, everything but the load generator {whole:.2f}")
        print("  " + ", ".join(f"{name} {ms}" for name, ms in used.items()))
        print(
            f"  rows written {costs['rows_written']}, WAL bytes {costs['wal_bytes']:.0f} with {costs['wal_pages']} whole pages, commits {costs['commits']}"
        )
        for name, rows in costs["rows"].items():
            print(f"    {name:34}" + ", ".join(f"{field} {count}" for field, count in rows.items() if count))
        for name in ("statements", "events", "messages", "bytes"):
            print(f"  {name}: " + ", ".join(f"{service} {count}" for service, count in costs[name].items()))
    print("memory MiB:  " + ", ".join(f"{service} {found}" for service, found in result["memory_mib"].items()))
    audit = result["audit"]
    print(
        f"audited:     {audit['settled']} settled, {audit['entries']} entries, at most one per payment, "
        f"debits - credits = {audit['debits_minus_credits']}, {audit['webhooks_received']} webhooks"
    )


def main() -> None:
    """Measure, print, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--payments", type=int, default=2000, help="of each run of the closed loop")
    parser.add_argument("--clients", type=int, default=64, help="of the closed loop; 0 leaves it out")
    parser.add_argument("--per-second", type=float, default=100, help="of the open loop; 0 leaves it out")
    parser.add_argument("--seconds", type=float, default=10, help="of each run of the open loop")
    parser.add_argument("--idle-payments", type=int, default=30, help="of each run on the idle system; 0 leaves it out")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--respond-async", action="store_true", help="do not wait for the authorization in confirm")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args(sys.argv[1:])
    result = uvloop.run(measure(arguments))
    _print(result)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(result, indent=2) + "\n")
    print(f"figures:     {arguments.output}")


if __name__ == "__main__":
    main()
