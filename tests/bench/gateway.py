"""What the gateway itself costs: its overhead over the processor's own time, and its rate with a slow processor.

    python -m tests.bench.gateway --runs 5

One gateway process charges through the fake Stripe, which runs in a process of its own and takes exactly so long for each
call. *Overhead* is what the gateway's own metric says, from a command's arrival to its committed outcome, less the time of the call:
two commits and everything in between, without what the warm-up took. It is measured `--runs` times, each on a new gateway, and
the medians are given beside the load of the machine before each run. *There and back* is from the command's publication to the outcome's arrival, less the
processor's time: the broker twice, the outbox's relay and the call's cost over HTTP are in it too. The figures go to `.local/bench/gateway.json`.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

import aiohttp
import uvloop

from deploy.local import servers as local
from libs.common.contracts.gateway import AuthorizePayment
from libs.common.ids import new_id
from tests.bench.payments import percentiles
from tests.support.databases import fresh_database
from tests.support.gateway import Driver, GatewayProcess, driving, gateway_environment
from tests.support.platform import with_own_rights
from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
OUTPUT = ROOT / ".local" / "bench" / "gateway.json"
API_KEY = "sk_test_bench"
TENANT = "tenant_bench"
WARM_UP = 300


@asynccontextmanager
async def fake_stripe_process(*, latency_seconds: float) -> AsyncIterator[str]:
    """Run the fake Stripe as a process; yields its address."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.fake_stripe", "--port", str(port), "--latency-seconds", str(latency_seconds)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), timeout=20)).decode()
        yield line.strip().partition("=")[2]
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def one_gateway(*, latency_seconds: float, captures: bool) -> AsyncIterator[tuple[Driver, GatewayProcess]]:
    """Run one gateway at a fake Stripe, on a database and a virtual host of its own, with a driver."""
    servers = await asyncio.to_thread(local.ensure, "dev", ROOT)
    vhost = f"bench-{uuid4().hex[:12]}"
    local.create_vhosts(servers, [vhost])
    url = servers.rabbitmq_vhost_url(vhost)
    try:
        async with (
            fresh_database(servers, ("gateway",)) as database,
            fake_stripe_process(latency_seconds=latency_seconds) as stripe,
        ):
            with tempfile.TemporaryDirectory() as logs:
                settings = {
                    "GATEWAY_PROVIDER": "stripe",
                    "STRIPE_API_BASE": stripe,
                    "STRIPE_SECRET_KEY": API_KEY,
                    "STRIPE_PAYMENT_METHOD": "pm_card_visa",
                    "STRIPE_CALLS_PER_SECOND_TEST": "100000",
                    "STRIPE_CALLS_PER_SECOND_ENDPOINT": "100000",
                }
                environ = with_own_rights(servers, gateway_environment(database, url, **settings))
                gateway = GatewayProcess(environ, Path(logs) / "gateway.log")
                await gateway.start()
                try:
                    await gateway.ready()
                    async with driving(url, tenant_id=TENANT, captures=captures) as driver:
                        yield driver, gateway
                finally:
                    await gateway.stop()
    finally:
        local.delete_vhost(servers, vhost)


def _command() -> AuthorizePayment:
    return AuthorizePayment(payment_intent_id=new_id(), amount_minor=15_050, currency="BRL")


async def _offer(driver: Driver, *, per_second: float, payments: int) -> float:
    """Offer payments at an even rate, whatever becomes of them, and wait until all have ended; returns the seconds."""
    before = len(driver.ended)
    began = time.perf_counter()
    for number in range(payments):
        late = began + number / per_second - time.perf_counter()
        if late > 0:
            await asyncio.sleep(late)
        await driver.authorize(_command())
    await driver.all_ended(before + payments, seconds=60 + 4 * payments / per_second)
    return time.perf_counter() - began


async def _buckets(gateway: GatewayProcess, name: str, *, operation: str) -> list[tuple[float, float]]:
    """Read a histogram of the gateway: each upper bound, in seconds, and how many were up to it so far."""
    async with aiohttp.ClientSession() as http, http.get(f"{gateway.base}/metrics") as answer:
        page = await answer.text()
    start = f'{name}_bucket{{le="'
    return [
        (float(line.removeprefix(start).partition('"')[0]), float(line.rpartition(" ")[2]))
        for line in page.splitlines()
        if line.startswith(start) and f'operation="{operation}"' in line
    ]


def _quantiles_ms(before: list[tuple[float, float]], after: list[tuple[float, float]]) -> dict[str, float]:
    """Return the upper bounds of the buckets in which the quantiles of what was counted in between lie, in milliseconds."""
    earlier = dict(before)
    counts = [(bound, count - earlier[bound]) for bound, count in after]
    total = counts[-1][1]
    return {
        f"p{percent}": next(bound for bound, count in counts if count >= total * percent / 100) * 1000
        for percent in (50, 95, 99)
    }


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def overhead(*, per_second: float, payments: int, latency_seconds: float) -> dict[str, Any]:
    """Measure what the gateway adds to an authorization."""
    load = os.getloadavg()[0]
    histogram = partial(_buckets, name="gateway_overhead_seconds", operation="authorize")
    async with one_gateway(latency_seconds=latency_seconds, captures=False) as (driver, gateway):
        await _offer(driver, per_second=per_second, payments=WARM_UP)
        before = await histogram(gateway)
        warm, cpu = set(driver.ended), _cpu_seconds(gateway.pid)
        await _offer(driver, per_second=per_second, payments=payments)
        cpu = _cpu_seconds(gateway.pid) - cpu
        inside = _quantiles_ms(before, await histogram(gateway))
        added = [
            driver.received_at["payment.authorized", intent] - at - latency_seconds
            for (_, intent), at in driver.sent_at.items()
            if intent not in warm
        ]
    return {
        "load_before": round(load, 1),
        "offered_per_second": per_second,
        "payments": payments,
        "processor_ms": latency_seconds * 1000,
        "overhead_ms_at_most": inside,
        "there_and_back_ms": percentiles(added),
        "cpu_ms_per_call": round(cpu * 1000 / payments, 2),
    }


async def rate(*, per_second: float, payments: int, latency_seconds: float) -> dict[str, Any]:
    """Measure how many payments per second one process authorizes and captures at a slow processor."""
    async with one_gateway(latency_seconds=latency_seconds, captures=True) as (driver, gateway):
        await _offer(driver, per_second=50, payments=100)
        warm, cpu = set(driver.ended), _cpu_seconds(gateway.pid)
        seconds = await _offer(driver, per_second=per_second, payments=payments)
        cpu = _cpu_seconds(gateway.pid) - cpu
        assert all(end == "payment.captured" for intent, end in driver.ended.items() if intent not in warm)
        ends = sorted(
            at for (name, intent), at in driver.received_at.items() if name == "payment.captured" and intent not in warm
        )
    # Between the first and the last tenth, so that neither the filling nor the emptying of the pipe counts.
    first, last = len(ends) // 10, len(ends) * 9 // 10
    return {
        "offered_per_second": per_second,
        "payments": payments,
        "processor_ms": latency_seconds * 1000,
        "captured_per_second": round((last - first) / (ends[last] - ends[first]), 1),
        "seconds": round(seconds, 1),
        "cpu_ms_per_payment": round(cpu * 1000 / payments, 2),
    }


async def measure(*, seconds: float, runs: int) -> dict[str, Any]:
    """Run both measurements, the overhead several times."""
    every = [
        await overhead(per_second=100, payments=int(100 * seconds), latency_seconds=0.05) for _ in range(max(1, runs))
    ]
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "overhead_medians": {
            name: {quantile: median(each[name][quantile] for each in every) for quantile in every[0][name]}
            for name in ("overhead_ms_at_most", "there_and_back_ms")
        },
        "overhead": every,
        "rate": await rate(per_second=200, payments=int(200 * seconds), latency_seconds=0.3),
    }


def main() -> None:
    """Measure once, print, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--runs", type=int, default=3, help="how often the overhead is measured")
    arguments = parser.parse_args(sys.argv[1:])
    result = uvloop.run(measure(seconds=arguments.seconds, runs=arguments.runs))
    print(json.dumps(result, indent=2))
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
