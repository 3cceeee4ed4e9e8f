"""What traces cost: the public path with traces off, and with each part of them recorded, in turns beside one another.

    python -m tests.bench.traces --payments 1000 --clients 32 --runs 3 --ratios 0.1 1

Starts four services for each, on databases and virtual hosts of their own, and pays in the closed loop of `tests.bench.payments`; one
of them at a time, each in turn, while the others rest. A collector takes the spans and throws them away. Figures are medians over the runs:
payments a second, and the CPU that the four services took for one.
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
from tests.support.platform import OPERATOR, Client, Platform, running_platform

OFF = "off"
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
async def measured(servers: Servers, ratio: str, collector: str) -> AsyncIterator[Measured]:
    """Run a platform whose traces are off, or recorded in a part."""
    environ = {} if ratio == OFF else {"OTEL_EXPORTER_OTLP_ENDPOINT": collector, "OTEL_TRACES_SAMPLER_ARG": ratio}
    with tempfile.TemporaryDirectory() as logs:
        async with running_platform(servers, Path(logs), environ=environ) as platform:
            books = await asyncpg.connect(platform.database.admin_url)
            try:
                yield Measured(platform, await platform.login(OPERATOR), books)
            finally:
                await books.close()


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
            for ratio in (OFF, *arguments.ratios)
        }
        for each in every.values():
            await each.pay("warm-up", payments=WARM_UP_PAYMENTS, clients=arguments.clients)
        for number in range(1, arguments.runs + 1):
            for ratio, each in every.items():
                before, began = each.cpu_seconds(), time.perf_counter()
                await each.pay(f"run {number}", **amount)
                rates[ratio].append(arguments.payments / (time.perf_counter() - began))
                cpu[ratio].append((each.cpu_seconds() - before) / arguments.payments * 1000)
                print(f"{ratio} {number}: {rates[ratio][-1]:.1f}/s, {cpu[ratio][-1]:.2f} ms", flush=True)
    print(f"\n{'recorded':10}{'settled/s':>10}{'CPU ms of the services':>26}")
    for ratio in every:
        print(f"{ratio:10}{median(rates[ratio]):>10.1f}{median(cpu[ratio]):>26.2f}")
    print(f"the collector received {collector.received / 1e6:.1f} MB")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.traces", description=(__doc__ or "").split("\n\n", 1)[0]
    )
    parser.add_argument("--payments", type=int, default=1000, help="of each run")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--ratios", nargs="+", default=["0.1", "1"], help="parts of all traces that are recorded")
    uvloop.run(measure(parser.parse_args(sys.argv[1:])))


if __name__ == "__main__":
    main()
