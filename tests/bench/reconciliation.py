"""One run of reconciliation: so many payments of a tenant against as many movements and three times as many entries.

    python -m tests.bench.reconciliation --payments 100000

Loads them into a database of its own, all in agreement, and as many payments of other tenants between them; then carries out
one run, the api and the ledger in the same process. Prints its seconds, the process's CPU and memory, and what it found. Some
payments are damaged first (`--damaged`), which it must find, and nothing else.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import uvloop

from deploy.local import servers as local
from libs.common.clock import SystemClock
from libs.common.contracts.gateway_reconciliation import StartReconciliation
from libs.common.ids import new_id
from services.gateway.reconciliation.runs import reconciling
from services.gateway.reconciliation.runs import sql as runs_sql
from services.gateway.settings import ReconciliationSettings
from tests.bench.facts import BIG, database_cpu, gateway, load
from tests.bench.payments import ROOT
from tests.support.brokers import fresh_vhost, own_rights
from tests.support.databases import TestDatabase, fresh_database

_MOVEMENT = (
    "account_id is_live id movement_id tenant_id is_booked kind type reporting_category source_ref payment_ref charge_ref "
    "payment_intent_id amount_minor fee_minor fee_details net_minor currency exchange_rate source_currency created_at available_at "
    "status raw seen_at updated_at"
)


async def load_movements(database: TestDatabase, rows: Sequence[tuple[str, UUID, datetime]], *, damaged: int) -> None:
    """Load a charge of each payment, but for some."""
    moved = [
        (
            *("acct_1", False, f"txn_{i.hex}", i, tenant, True, "charge", "charge", "charge"),
            *(f"ch_{i.hex}", f"pi_{i.hex[:24]}", f"ch_{i.hex}", i, 15050, 0, "[]", 15050, "BRL", "", ""),
            *(at, at, "available", "{}", at, at),
        )
        for tenant, i, at in rows
        if tenant == BIG
    ][damaged:]
    admin = await asyncpg.connect(database.admin_url, command_timeout=900)
    try:
        await admin.copy_records_to_table(
            "processor_movements", schema_name="gateway", columns=_MOVEMENT.split(), records=moved
        )
        await admin.execute("VACUUM ANALYZE gateway.processor_movements")
    finally:
        await admin.close()


async def _peak(stop: asyncio.Event) -> int:
    """Return the most memory that this process has until `stop`, in MiB."""
    most = 0
    while not stop.is_set():
        most = max(most, _memory())
        await asyncio.sleep(0.05)
    return most


def _memory() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 2**20


async def measure(arguments: argparse.Namespace) -> None:
    """Load, run, print."""
    servers = local.ensure("test", ROOT)
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(fresh_database(servers, ("api", "ledger", "gateway")))
        url = stack.enter_context(fresh_vhost(servers))
        rows = await load(database, arguments.payments, 100, has_refunds=False)
        await load_movements(database, rows, damaged=arguments.damaged)
        window = rows[0][2], rows[-1][2] + timedelta(seconds=1)
        del rows
        bus, databases = await stack.enter_async_context(gateway(database, own_rights(servers, url)))
        runs = reconciling(databases["gateway"], bus, ReconciliationSettings(), clock)
        for number in range(arguments.runs):
            run_id = new_id(datetime.now(UTC))
            await runs.start(
                StartReconciliation(
                    tenant_id=BIG, run_id=run_id, window_from=window[0], window_until=window[1], requested_by="bench"
                )
            )
            stop = asyncio.Event()
            watching = asyncio.create_task(_peak(stop))
            resting = _memory()
            begun, cpu, server = time.perf_counter(), time.process_time(), await database_cpu(database)
            await runs.work()
            seconds = time.perf_counter() - begun
            stop.set()
            run = await runs_sql.get(databases["gateway"], BIG, run_id)
            assert run is not None
            shown = run.shown()
            print(
                f"run {number + 1}: {shown.payments:,} payments, {shown.movements:,} movements, {shown.matched:,} matched, found "
                f"{shown.found}, new {shown.new}: {seconds:.1f} s, CPU {time.process_time() - cpu:.1f} s here and {await database_cpu(database) - server:.1f} s PostgreSQL, "
                f"memory {resting} MiB before and {await watching} at most, {shown.state} {shown.reason}"
            )


def main(arguments: Sequence[str]) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--payments", type=int, default=100_000)
    parser.add_argument("--damaged", type=int, default=100)
    parser.add_argument("--runs", type=int, default=2)
    print(f"{os.cpu_count()} cores")
    uvloop.run(measure(parser.parse_args(arguments)))


if __name__ == "__main__":
    main(sys.argv[1:])
