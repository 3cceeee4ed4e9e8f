"""Lists over a million payment intents of one tenant: first pages, deep cursors and filters, requested over HTTP.

    python -m tests.bench.lists --intents 1000000 --requests 300

Loads the intents into a database of its own, runs one api on it, and prints the percentiles of each kind of list; the same
figures go to `.local/bench/lists.json`. The load generator shares the machine with everything else.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import uvloop

from deploy.local import servers as local
from tests.bench.payments import percentiles
from tests.support.brokers import fresh_vhost
from tests.support.databases import fresh_database
from tests.support.platform import DEMO_TENANT, OPERATOR, Client, Platform, service_environment, with_own_rights

ROOT = Path(__file__).parents[2]
OUTPUT = ROOT / ".local" / "bench" / "lists.json"
STATEMENT_SECONDS = 900

_LOAD = """
INSERT INTO api.payment_intents (tenant_id, id, amount_minor, currency, status, customer_ref, version, created_at, updated_at)
SELECT $1, gen_random_uuid(), 100 + n % 90000, (ARRAY['BRL', 'USD', 'EUR'])[1 + n % 3],
       (ARRAY['SETTLED', 'SETTLED', 'SETTLED', 'FAILED', 'CREATED'])[1 + n % 5], 'customer-' || n % 5000, 1, at, at
FROM (SELECT n, now() - make_interval(secs => n * 30) AS at FROM generate_series(1, $2) AS n) AS numbered
"""


async def _load(url: str, intents: int) -> float:
    started = time.perf_counter()
    admin = await asyncpg.connect(url, command_timeout=STATEMENT_SECONDS)
    try:
        await admin.execute(_LOAD, DEMO_TENANT, intents)
        await admin.execute("VACUUM ANALYZE api.payment_intents")
    finally:
        await admin.close()
    return time.perf_counter() - started


async def _timed(client: Client, path: str) -> tuple[float, Any]:
    started = time.perf_counter()
    answer = await client.call("GET", path)
    taken = time.perf_counter() - started
    if answer.status != 200:
        raise SystemExit(f"{path} answered {answer.status}: {answer.raw!r}")
    return taken, answer.json


async def _walk(client: Client, query: str, requests: int) -> list[float]:
    seconds: list[float] = []
    _, page = await _timed(client, f"/v1/payment-intents?{query}")
    for _ in range(requests):
        if page["next_cursor"] is None:
            break
        taken, page = await _timed(client, f"/v1/payment-intents?{query}&cursor={page['next_cursor']}")
        seconds.append(taken)
    return seconds


async def _deep(client: Client, requests: int) -> list[float]:
    # `to` is the way into the middle of a list; from there a cursor goes on at the same cost.
    _, last = await _timed(client, "/v1/payment-intents?pageSize=1")
    instant = last["data"][0]["created_at"][:4]
    return await _walk(client, f"to={int(instant)}-01-15", requests)


async def _again(client: Client, path: str, requests: int) -> list[float]:
    return [(await _timed(client, path))[0] for _ in range(requests)]


async def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Load, serve and ask; returns the figures."""
    servers = local.ensure("test", ROOT)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(fresh_database(servers, ("api",)))
        url = stack.enter_context(fresh_vhost(servers))
        environ = with_own_rights(servers, service_environment(servers, database, url))
        with tempfile.TemporaryDirectory() as logs:
            platform = Platform(database, environ, Path(logs), rabbitmq_url=url)
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=120)) as http:
                platform.http = http
                seed = await asyncio.create_subprocess_exec(
                    *platform.command("api", "seed"), cwd=ROOT, env=platform.environ
                )
                if await seed.wait() != 0:
                    raise SystemExit("the api could not be seeded")
                loaded = await _load(database.admin_url, arguments.intents)
                platform.start("api")
                try:
                    await platform.ready("api")
                    client = await platform.login(OPERATOR)
                    kinds = {
                        "first page, counted": await _again(client, "/v1/payment-intents", arguments.requests),
                        "page of one customer, counted": await _again(
                            client, "/v1/payment-intents?customer_ref=customer-7", arguments.requests
                        ),
                        "page of one status, counted": await _again(
                            client, "/v1/payment-intents?status=SETTLED", arguments.requests
                        ),
                        "page of a status and currency, counted": await _again(
                            client, "/v1/payment-intents?status=FAILED,CREATED&currency=USD", arguments.requests
                        ),
                        "page of a period, counted": await _again(
                            client, "/v1/payment-intents?from=2026-01-01&currency=EUR", arguments.requests
                        ),
                        "cursor pages": await _walk(client, "pageSize=50", arguments.requests),
                        "cursor pages, one status": await _walk(client, "status=FAILED", arguments.requests),
                        "cursor pages, status and currency": await _walk(
                            client, "status=FAILED,CREATED&currency=USD", arguments.requests
                        ),
                        "cursor pages, deep": await _deep(client, arguments.requests),
                    }
                finally:
                    platform.stop_all()
    return {
        "intents": arguments.intents,
        "load_seconds": round(loaded, 1),
        "milliseconds": {kind: percentiles(seconds) for kind, seconds in kinds.items()},
    }


def main(arguments: Sequence[str]) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--intents", type=int, default=1_000_000)
    parser.add_argument("--requests", type=int, default=300)
    figures = uvloop.run(measure(parser.parse_args(arguments)))
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(figures, indent=2) + "\n")
    print(f"{figures['intents']:,} intents, loaded in {figures['load_seconds']} s, on {os.cpu_count()} cores")
    for kind, found in figures["milliseconds"].items():
        print(f"  {kind:32} p50 {found['p50']:8} ms   p95 {found['p95']:8} ms   p99 {found['p99']:8} ms")


if __name__ == "__main__":
    main(sys.argv[1:])
