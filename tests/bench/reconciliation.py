"""One run of reconciliation: so many payments of a tenant against as many movements and three times as many entries.

    python -m tests.bench.reconciliation --payments 100000 --payments-per-second 50

Starts the four services as processes on a database and a virtual host of their own, and loads the payments into it, all in
agreement, and as many of other tenants between them; some are damaged (`--damaged`), which the run must find, and nothing else.
While it goes on, another tenant pays over HTTP at the rate that is given: each payment is created, confirmed, captured and settled
by the same four processes. Prints the seconds of the run, the CPU of each service, of PostgreSQL for this database and of the whole
machine, each service's most memory, and how the payments did. The load generator shares the machine with everything else.

`--alone` carries the run out in this process instead, with the api and the ledger in it and nothing paid: for a profiler.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import uvloop

from deploy.local import servers as local
from deploy.local.servers import Servers
from libs.common.clock import SystemClock
from libs.common.db import Database
from libs.common.ids import new_id
from services.gateway.reconciliation.runs import reconciling
from services.gateway.reconciliation.runs import sql as runs_sql
from services.gateway.reconciliation.runs.domain.run import Run, begun
from services.gateway.settings import ReconciliationSettings
from tests.bench.facts import BIG, cpu_seconds, database_cpu, gateway, load
from tests.bench.payments import ROOT, Load, percentiles, settled
from tests.support.brokers import fresh_vhost, own_rights
from tests.support.databases import TestDatabase, fresh_database
from tests.support.platform import OPERATOR, running_platform

_TENANTS = 100
_REST = 5.0
_PAID = "beside"
"""The customer of what is paid meanwhile."""


def _run(window: tuple[datetime, datetime]) -> Run:
    at = datetime.now(UTC)
    return begun(
        tenant_id=BIG,
        run_id=new_id(at),
        window_from=window[0],
        window_until=window[1],
        is_dry=False,
        requested_by="bench",
        at=at,
    )


async def _load(database: TestDatabase, arguments: argparse.Namespace) -> tuple[datetime, datetime]:
    started = time.perf_counter()
    rows = await load(database, arguments.payments, _TENANTS, has_refunds=False, moved_but=arguments.damaged)
    print(f"loaded in {time.perf_counter() - started:.0f} s", flush=True)
    return rows[0][2], rows[-1][2] + timedelta(seconds=1)


def _print(number: int, run: Run, seconds: float, rest: str) -> None:
    shown = run.shown()
    print(
        f"run {number}: {shown.payments:,} payments, {shown.movements:,} movements, {shown.matched:,} matched, found {shown.found}, "
        f"new {shown.new}, {shown.state} {shown.reason}: {seconds:.1f} s, {rest}",
        flush=True,
    )


def _memory(process: int | str) -> int:
    """Return what a process has in memory, in MiB."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 2**20


async def _peaks(processes: Mapping[str, int], stop: asyncio.Event) -> dict[str, int]:
    """Return the most memory that each process has until `stop`, in MiB."""
    most = dict.fromkeys(processes, 0)
    while not stop.is_set():
        most = {name: max(most[name], _memory(process)) for name, process in processes.items()}
        await asyncio.sleep(0.05)
    return most


def _busy() -> float:
    """Return for how many seconds the machine's cores have computed, all together."""
    user, nice, system, _, _, irq, softirq, steal, *_ = map(
        int, Path("/proc/stat").read_text().split("\n")[0].split()[1:]
    )
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


async def _beside(servers: Servers, arguments: argparse.Namespace) -> None:
    """Carry out runs in the gateway's process, while payments go on."""
    with tempfile.TemporaryDirectory() as logs:
        quiet = {"RECONCILIATION_EVERY_MINUTES": "0"}
        async with (
            running_platform(servers, Path(logs), environ=quiet) as platform,
            platform.database.open("gateway") as database,
        ):
            books = await asyncpg.connect(platform.database.admin_url, command_timeout=60)
            try:
                window = await _load(platform.database, arguments)
                payments = Load(platform, await platform.login(OPERATOR), respond_async=False)
                await payments.run(100, 8, "warm-up")
                await settled(books, "warm-up", 100)
                processes = platform.processes()
                for number in range(1, arguments.runs + 1):
                    stop = asyncio.Event()
                    label = f"{_PAID} {number}"
                    payments.create_seconds.clear()
                    payments.confirm_seconds.clear()
                    offering = asyncio.create_task(_offer(payments, arguments.payments_per_second, label, stop))
                    watching = asyncio.create_task(_peaks(processes, stop))
                    used = {name: cpu_seconds(Path(f"/proc/{pid}/stat")) for name, pid in processes.items()}
                    server, busy, started = await database_cpu(platform.database), _busy(), time.perf_counter()
                    run = await runs_sql.add(database, _run(window))
                    while run.next_at is not None:
                        await asyncio.sleep(0.1)
                        found = await runs_sql.get(database, BIG, run.id)
                        assert found is not None
                        run = found
                    seconds = time.perf_counter() - started
                    busy, server = _busy() - busy, await database_cpu(platform.database) - server
                    cpu = {name: cpu_seconds(Path(f"/proc/{pid}/stat")) - used[name] for name, pid in processes.items()}
                    made = len(payments.confirm_seconds)
                    stop.set()
                    offered, peaks = await offering, await watching
                    await settled(books, label, offered)
                    _print(
                        number,
                        run,
                        seconds,
                        f"{offered} payments meanwhile, of which {made / seconds:.1f}/s were confirmed by its end\n"
                        f"  CPU seconds: {', '.join(f'{name} {each:.1f}' for name, each in cpu.items())}, PostgreSQL {server:.1f}, "
                        f"the whole machine {busy:.1f} of {seconds * (os.cpu_count() or 1):.1f}\n"
                        f"  memory at most, MiB: {', '.join(f'{name} {each}' for name, each in peaks.items())}\n"
                        f"  payments, ms: create {percentiles(payments.create_seconds)}, confirm {percentiles(payments.confirm_seconds)}",
                    )
            finally:
                await books.close()


async def _offer(payments: Load, per_second: float, label: str, stop: asyncio.Event) -> int:
    if per_second:
        return await payments.offer(per_second, label, stop)
    await stop.wait()
    return 0


async def _alone(servers: Servers, arguments: argparse.Namespace) -> None:
    """Carry out runs in this process, with an api and a ledger that answer."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(fresh_database(servers, ("api", "ledger", "gateway")))
        url = stack.enter_context(fresh_vhost(servers))
        window = await _load(database, arguments)
        bus, databases = await stack.enter_async_context(gateway(database, own_rights(servers, url)))
        # Until every queue is declared; then it is seen what these services take anyway.
        await asyncio.sleep(arguments.rest)
        resting = time.process_time()
        await asyncio.sleep(_REST)
        print(f"at rest: CPU {(time.process_time() - resting) / _REST:.3f} s a second", flush=True)
        opened: Database = databases["gateway"]
        runs = reconciling(opened, bus, ReconciliationSettings(), SystemClock())
        for number in range(1, arguments.runs + 1):
            run = await runs_sql.add(opened, _run(window))
            stop = asyncio.Event()
            watching = asyncio.create_task(_peaks({"memory": os.getpid()}, stop))
            started, cpu, server = time.perf_counter(), time.process_time(), await database_cpu(database)
            await runs.work()
            seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
            server = await database_cpu(database) - server
            stop.set()
            peaks = await watching
            found = await runs_sql.get(opened, BIG, run.id)
            assert found is not None
            _print(
                number,
                found,
                seconds,
                f"CPU {cpu:.1f} s here and {server:.1f} s PostgreSQL, at most {peaks['memory']} MiB",
            )


async def measure(arguments: argparse.Namespace) -> None:
    """Load, run, print."""
    servers = await asyncio.to_thread(local.ensure, "test", ROOT)
    await (_alone if arguments.alone else _beside)(servers, arguments)


def main(arguments: Sequence[str]) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--payments", type=int, default=100_000)
    parser.add_argument("--payments-per-second", type=float, default=50.0)
    parser.add_argument("--damaged", type=int, default=100)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--rest", type=float, default=10.0, help="seconds before the first run, alone")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    uvloop.run(measure(parser.parse_args(arguments)))


if __name__ == "__main__":
    main(sys.argv[1:])
