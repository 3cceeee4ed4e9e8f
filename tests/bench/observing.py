"""What metrics and traces cost: the public path with neither, with metrics, and with traces beside them, in turns.

    python -m tests.bench.observing --payments 1000 --clients 32 --runs 3 --ratios 0.1 1

Starts four services for each, on databases and virtual hosts of their own, and pays in the closed loop of `tests.bench.payments`; one
of them at a time, each in turn, while the others rest. With neither, the services count nothing (`tests.bench.uncounted`); otherwise
their metrics are read as Prometheus reads them. A collector takes the spans and throws them away. Figures are medians over the runs:
payments a second, the CPU that the four services took for one, and both beside those with neither.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

import asyncpg
import uvloop
from aiohttp import web

from deploy.local import servers as local
from deploy.local.servers import Servers
from tests.bench.costs import Books, seconds_of
from tests.bench.payments import ROOT, Load, settled
from tests.support import forks
from tests.support.platform import OPERATOR, Client, Platform, running_platform

OFF, METRICS = "neither", "metrics"
READ_EVERY_SECONDS = 5.0
"""Three times as often as Prometheus does by default, so that a short run has some of it."""
WARM_UP_PAYMENTS = 200


class Measured(NamedTuple):
    """One platform, and who pays."""

    platform: Platform
    operator: Client
    books: Books

    def cpu_seconds(self) -> float:
        """What its services have computed so far."""
        return sum(seconds_of(process) for process in self.platform.processes().values())

    async def pay(self, label: str, *, payments: int, clients: int) -> None:
        """Pay in the closed loop until all is settled."""
        await Load(self.platform, self.operator, respond_async=False).run(payments, clients, label)
        await settled(self.books, label, payments)


@asynccontextmanager
async def measured(servers: Servers, way: str, collector: str) -> AsyncIterator[Measured]:
    """Run a platform with neither, with metrics, or with a part of its traces recorded too."""
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector, "OTEL_TRACES_SAMPLER_ARG": way}
    if way in {OFF, METRICS}:
        environ = {forks.IMPORTED_FIRST: "tests.bench.uncounted"} if way == OFF else {}
    with tempfile.TemporaryDirectory() as logs:
        async with running_platform(servers, Path(logs), environ=environ) as platform:
            books = await asyncpg.connect(platform.database.admin_url)
            try:
                yield Measured(platform, await platform.login(OPERATOR), books)
            finally:
                await books.close()


@asynccontextmanager
async def read(platform: Platform) -> AsyncIterator[None]:
    """Read the metrics of every service again and again until the block ends."""

    async def reading() -> None:
        while True:
            for service in platform.processes():
                async with platform.http.get(f"{platform.base(service)}/metrics") as answer:
                    await answer.read()
            await asyncio.sleep(READ_EVERY_SECONDS)

    task = asyncio.create_task(reading())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


class Discarding:
    """A collector that counts bytes and keeps nothing."""

    def __init__(self) -> None:
        self.received = 0
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        """Take one request."""
        self.received += len(await request.read())
        return web.Response(content_type="application/x-protobuf")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen until the block ends."""
        application = web.Application(client_max_size=2**26)
        application.router.add_post("/v1/traces", self.take)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield
        finally:
            await runner.cleanup()


async def measure(arguments: argparse.Namespace) -> None:
    """Pay in turns and print what it took."""
    servers = await asyncio.to_thread(local.ensure, "dev", ROOT)
    collector = Discarding()
    rates: defaultdict[str, list[float]] = defaultdict(list)
    cpu: defaultdict[str, list[float]] = defaultdict(list)
    amount = {"payments": arguments.payments, "clients": arguments.clients}
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(collector.running())
        every = {
            ratio: await stack.enter_async_context(measured(servers, ratio, collector.url))
            for ratio in (OFF, METRICS, *arguments.ratios)
        }
        for each in every.values():
            await each.pay("warm-up", payments=WARM_UP_PAYMENTS, clients=arguments.clients)
        for number in range(1, arguments.runs + 1):
            for ratio, each in every.items():
                before, began = each.cpu_seconds(), time.perf_counter()
                async with AsyncExitStack() as watching:
                    if ratio != OFF:
                        await watching.enter_async_context(read(each.platform))
                    await each.pay(f"run {number}", **amount)
                rates[ratio].append(arguments.payments / (time.perf_counter() - began))
                cpu[ratio].append((each.cpu_seconds() - before) / arguments.payments * 1000)
                print(f"{ratio} {number}: {rates[ratio][-1]:.1f}/s, {cpu[ratio][-1]:.2f} ms", flush=True)
    print(f"\n{'with':10}{'settled/s':>10}{'':>9}{'CPU ms of the services':>26}")
    for way in every:
        rate, used = median(rates[way]), median(cpu[way])
        beside = [
            f"{(now / then - 1) * 100:+.1f} %" for now, then in ((rate, median(rates[OFF])), (used, median(cpu[OFF])))
        ]
        print(f"{way:10}{rate:>10.1f}{beside[0]:>9}{used:>26.2f}{beside[1]:>9}")
    print(f"the collector received {collector.received / 1e6:.1f} MB")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.observing", description=(__doc__ or "").split("\n\n", 1)[0]
    )
    parser.add_argument("--payments", type=int, default=1000, help="of each run")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--ratios", nargs="+", default=["0.1", "1"], help="parts of all traces that are recorded")
    uvloop.run(measure(parser.parse_args(sys.argv[1:])))


if __name__ == "__main__":
    main()
