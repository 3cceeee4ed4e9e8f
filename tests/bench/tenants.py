"""What the flood of one tenant does to another: the latency of reads with and without it, requested over HTTP.

    python -m tests.bench.tenants --seconds 10

Runs the four services. A quiet tenant reads its balances and a report, twenty times a second, alone and beside a rude one
that asks for journal pages or posts lists of entries with many clients; how long the event loops of the api and the ledger
stood still is read from their metrics. The load generator shares the machine with everything else.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
import uvloop
from prometheus_client.parser import text_string_to_metric_families

from deploy.local import servers as local
from tests.bench.payments import percentiles
from tests.support.platform import ADMIN, DEMO_TENANT, Client, Platform, running_platform

ROOT = Path(__file__).parents[2]
RUDE_TENANT = "00000000-0000-0000-0000-0000000000aa"
RUDE_CLIENTS = 32
EVERY_SECONDS = 0.05
READS = ("/v1/ledger/balances", "/v1/reports/trial-balance")


def entries(count: int) -> dict[str, Any]:
    """A list of entries as a client sends it."""
    lines = [
        {"account": "CASH", "side": "DEBIT", "amount": "1.00", "currency": "BRL"},
        {"account": "REVENUE", "side": "CREDIT", "amount": "1.00", "currency": "BRL"},
    ]
    return {"mode": "atomic", "entries": [{"description": "By hand", "lines": lines}] * count}


async def _quiet(client: Client, seconds: float) -> list[float]:
    """Read at fixed instants, whether the answer before has come or not."""
    taken: list[float] = []

    async def read(path: str) -> None:
        started = time.perf_counter()
        answer = await client.call("GET", path)
        if answer.status != 200:
            raise SystemExit(f"{path} answered {answer.status}: {answer.raw!r}")
        taken.append(time.perf_counter() - started)

    begun = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for n in range(int(seconds / EVERY_SECONDS)):
            await asyncio.sleep(max(0.0, begun + n * EVERY_SECONDS - time.perf_counter()))
            group.create_task(read(READS[n % len(READS)]))
    return taken


async def _rude(work: Callable[[], Awaitable[int]], clients: int, statuses: Counter[int]) -> None:
    async def go_on() -> None:
        while True:
            statuses[await work()] += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(go_on())


def token(platform: Platform, tenant_id: str) -> str:
    """An operator of a tenant that nobody has met yet."""
    now = int(time.time())
    claims = {
        "iss": platform.environ["JWT_ISSUER"],
        "sub": "ops@example.com",
        "tid": tenant_id,
        "roles": ["ops"],
        "perms": ["ledger:write", "ledger:read", "payments:write", "payments:read", "admin:write", "admin:read"],
        "plan": "enterprise",
        "iat": now,
        "exp": now + 3600,
        "jti": uuid4().hex,
    }
    return jwt.encode(claims, platform.environ["JWT_SECRET"], algorithm="HS256")


async def _stalls(platform: Platform, service: str) -> dict[str, Counter[str]]:
    async with platform.http.get(platform.base(service) + "/metrics") as answer:
        text = await answer.text()
    found: dict[str, Counter[str]] = {}
    for family in text_string_to_metric_families(text):
        if family.name in {"event_loop_stall_seconds", "event_loop_busy_seconds"}:
            buckets = {s.labels["le"]: int(s.value) for s in family.samples if s.name.endswith("_bucket")}
            found[family.name] = Counter(buckets)
    return found


def _beyond(before: dict[str, Counter[str]], after: dict[str, Counter[str]]) -> dict[str, dict[str, int]]:
    """How many measurements of the loop were above each bound."""
    found: dict[str, dict[str, int]] = {}
    for name, buckets in after.items():
        counts = {bound: count - before[name][bound] for bound, count in buckets.items()}
        found[name] = {bound: counts["+Inf"] - count for bound, count in counts.items() if counts["+Inf"] - count}
    return found


async def _phase(
    platform: Platform, quiet: Client, seconds: float, rude: Callable[[], Awaitable[int]] | None, clients: int
) -> dict[str, Any]:
    statuses: Counter[int] = Counter()
    before = {service: await _stalls(platform, service) for service in ("api", "ledger")}
    flood = asyncio.create_task(_rude(rude, clients, statuses)) if rude else None
    await asyncio.sleep(1)
    taken = await _quiet(quiet, seconds)
    if flood is not None:
        flood.cancel()
        await asyncio.gather(flood, return_exceptions=True)
    after = {service: await _stalls(platform, service) for service in ("api", "ledger")}
    return {
        "quiet": percentiles(taken) | {"max": round(max(taken) * 1000, 1), "n": len(taken)},
        "rude": dict(statuses),
        "loops": {service: _beyond(before[service], after[service]) for service in after},
    }


async def _measure(seconds: float) -> dict[str, Any]:
    servers = await asyncio.to_thread(local.ensure, "test", ROOT)
    logs = Path(tempfile.mkdtemp(prefix="bench-tenants-"))
    async with running_platform(servers, logs) as platform:
        quiet = await platform.login(ADMIN, tenant=DEMO_TENANT)
        rude = Client(platform.http, platform.base(), token=token(platform, RUDE_TENANT), tenant=RUDE_TENANT)
        body = json.dumps(entries(10_000)).encode()

        async def post(raw: bytes = body) -> int:
            answer = await rude.call("POST", "/v1/ledger/entries", raw=raw, key=uuid4().hex)
            if answer.status not in {200, 503}:
                raise SystemExit(f"entries answered {answer.status}: {answer.raw[:500]!r}")
            return answer.status

        async def page() -> int:
            return (await rude.call("GET", "/v1/reports/journal?limit=500")).status

        if await post() != 200:
            raise SystemExit("the entries of the rude tenant were refused")
        await _quiet(quiet, 2)
        found: dict[str, Any] = {}
        for name, work, clients in (
            ("alone", None, 0),
            ("beside reports", page, RUDE_CLIENTS),
            ("alone again", None, 0),
            ("beside lists of entries", post, 4),
        ):
            found[name] = await _phase(platform, quiet, seconds, work, clients)
            print(name, json.dumps(found[name]), flush=True)
            await asyncio.sleep(3)
        return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10)
    uvloop.run(_measure(parser.parse_args().seconds))


if __name__ == "__main__":
    main()
