"""How fast the books are verified, and what it does to who posts: `just bench-verification [--entries 1000000]`.

In books as `tests.bench.large_books` fills them, the verifier's process recomputes everything once while nobody posts; then
entries are posted at a fixed rate, in turns alone and beside it. Last, `just verify-ledger` reads everything in one snapshot.
What begins late for want of a place waits, and the wait counts.
"""

import argparse
import asyncio
import os
import random
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import uvloop

from deploy.local import servers as local
from libs.common.clock import SystemClock
from libs.common.db import Database
from services.ledger.integrity import VerificationWorker, Verifier
from services.ledger.posting import PostingService
from tests.bench.large_books import ROOT, fill, open_accounts
from tests.bench.ledger import Pair, backends_cpu, booking
from tests.support.databases import TestDatabase, fresh_database

_LOOK_SECONDS = 0.25


class Peak:
    """The most memory that a process of some command has held, and its CPU."""

    def __init__(self, command: str) -> None:
        self._command = command
        self.kilobytes = 0
        self.cpu_seconds = 0.0

    async def watch(self) -> None:
        """Look again and again."""
        while True:
            self._look()
            await asyncio.sleep(_LOOK_SECONDS)

    def _look(self) -> None:
        for place in Path("/proc").glob("[0-9]*"):
            try:
                if self._command.encode() in (place / "cmdline").read_bytes().replace(b"\0", b" "):
                    self._note(place)
            except OSError:
                continue

    def _note(self, place: Path) -> None:
        lines = (place / "status").read_text().splitlines()
        held = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
        counts = [int(count) for count in (place / "stat").read_text().rpartition(")")[2].split()[1:20]]
        if counts[0] == os.getpid():
            self.kilobytes = max([self.kilobytes, *held])
            self.cpu_seconds = (counts[10] + counts[11]) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def peak_of(command: str) -> AsyncIterator[Peak]:
    """Watch the memory of child processes whose command line has these words."""
    peak = Peak(command)
    watching = asyncio.create_task(peak.watch())
    try:
        yield peak
    finally:
        watching.cancel()


async def post(database: Database, pairs: list[Pair], *, per_second: int, seconds: float) -> list[float]:
    """Post at fixed instants, whether the answer before has come or not; returns the latencies."""
    service = PostingService(database, clock=SystemClock())
    taken: list[float] = []

    async def one(due: float) -> None:
        await service.post(booking(random.choice(pairs), ""))
        taken.append(time.perf_counter() - due)

    begun = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for n in range(int(seconds * per_second)):
            due = begun + n / per_second
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(one(due))
    return taken


def line(name: str, taken: list[float]) -> str:
    """Write latencies as a line."""
    cuts = statistics.quantiles(taken, n=100)
    return f"{name:32} p50 {cuts[49] * 1e3:7.2f} ms   p99 {cuts[98] * 1e3:7.2f} ms   {len(taken):,} entries"


async def forget(place: TestDatabase) -> None:
    """Have everything recomputed again."""
    owner = await asyncpg.connect(place.admin_url, server_settings={"search_path": "ledger"})
    try:
        await owner.execute("TRUNCATE chain_checks, invariant_checks; DELETE FROM outbox")
    finally:
        await owner.close()


async def verify_all(place: TestDatabase) -> tuple[float, int, str]:
    """Run the operator's command; returns the seconds, the memory and its last line."""
    begun = time.perf_counter()
    async with peak_of("services.ledger verify") as peak:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.ledger", "verify"),
            env=dict(os.environ, LEDGER_DATABASE_URL=place.url("ledger_app")),
            stdout=asyncio.subprocess.PIPE,
        )
        printed, _ = await process.communicate()
    return time.perf_counter() - begun, peak.kilobytes, printed.decode().splitlines()[-1]


async def run(*, entries: int, per_second: int, seconds: float, rounds: int, profile: str) -> None:
    """Fill, verify, and post beside it."""
    servers = local.ensure(profile, ROOT)
    async with fresh_database(servers, ("ledger",)) as place, place.open("ledger", pool_size=8) as database:
        pairs = await open_accounts(database)
        await fill(place, entries)
        print(f"{entries:,} entries written", flush=True)
        worker = VerificationWorker(
            Verifier(database, clock=SystemClock()), database=place.settings("ledger"), log_level="WARNING"
        )
        async with worker.opened(), peak_of("services.ledger.integrity.workers") as peak:
            begun, before = time.perf_counter(), await backends_cpu(database)
            await worker.run()
            taken, postgres = time.perf_counter() - begun, await backends_cpu(database) - before
            print(
                f"all that was added, by its process: {taken:.1f} s, {entries / taken:,.0f} entries/s, "
                f"{peak.kilobytes / 1024:.0f} MB; 10,000,000 in {taken / entries * 1e7 / 60:.1f} min; "
                f"CPU of an entry {peak.cpu_seconds / entries * 1e6:.0f} us and of PostgreSQL {postgres / entries * 1e6:.0f}",
                flush=True,
            )
            latencies: dict[str, list[float]] = {"alone": [], "beside the verifier": []}
            for _ in range(rounds):
                await post(database, pairs, per_second=per_second, seconds=1)
                latencies["alone"] += await post(database, pairs, per_second=per_second, seconds=seconds)
                await forget(place)
                working = asyncio.create_task(worker.run())
                await asyncio.sleep(0.5)
                latencies["beside the verifier"] += await post(database, pairs, per_second=per_second, seconds=seconds)
                print("still verifying" if not working.done() else "verified before that", flush=True)
                await working
            for name, found in latencies.items():
                print(line(f"posting {per_second:,}/s, {name}", found), flush=True)
        taken, kilobytes, printed = await verify_all(place)
        print(f"just verify-ledger: {taken:.1f} s, {kilobytes / 1024:.0f} MB: {printed}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--per-second", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", default="dev", choices=("dev", "test"), help="which private servers")
    options = parser.parse_args()
    uvloop.run(
        run(
            entries=options.entries,
            per_second=options.per_second,
            seconds=options.seconds,
            rounds=options.rounds,
            profile=options.profile,
        )
    )
