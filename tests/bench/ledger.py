"""How fast the ledger posts: `python -m tests.bench.ledger [--seconds 5] [--in-flight 1 64 256] [--desks 1]`.

Single entries from many callers go through the posting desk, as a request would; fsync stays on. Hot: one tenant, so
every capture debits the same CASH and credits the same REVENUE. Uniform: a thousand tenants. The books are audited
afterwards.
"""

import argparse
import asyncio
import random
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import uvloop

from deploy.local import servers as local
from libs.common.clock import SystemClock
from libs.common.db import Database
from libs.common.ids import new_id
from libs.common.observability.correlation import Correlation, new_correlation_id
from services.ledger import rules
from services.ledger.chart import Charts
from services.ledger.domain import Chart
from services.ledger.posting import Booking, PostingDesk
from tests.support.databases import fresh_database

ROOT = Path(__file__).parents[2]
UNIFORM_TENANTS = 1_000
WARM_UP_SECONDS = 1.0


def booking(chart: Chart, cause: str) -> Booking:
    """Make the booking of one more capture; what HTTP does around it (correlation, trace) is not measured here."""
    intent: UUID = new_id()
    entry = rules.capture_entry(
        chart,
        rules.Occurrence(
            subject_id=intent,
            payment_intent_id=intent,
            amount_minor=random.randint(1, 100_000),
            currency="BRL",
            occurred_at=datetime.now(UTC),
            source_event_id=intent,
        ),
    )
    return Booking(entry=entry, correlation=Correlation(correlation_id=cause, tenant_id=chart.tenant_id))


async def load(desks: Sequence[PostingDesk], charts: Sequence[Chart], *, in_flight: int, seconds: float) -> list[float]:
    """Keep `in_flight` callers posting one entry after another; return each one's latency in seconds."""
    latencies: list[float] = []
    until = time.perf_counter() + seconds

    async def caller(desk: PostingDesk) -> None:
        cause = new_correlation_id()
        while (begun := time.perf_counter()) < until:
            await desk.post(booking(random.choice(charts), cause))
            latencies.append(time.perf_counter() - begun)

    async with asyncio.TaskGroup() as group:
        for i in range(in_flight):
            group.create_task(caller(desks[i % len(desks)]))
    return latencies


async def audit(database: Database) -> str:
    """Check the books from outside: sums, versions, balances."""
    async with database.connection() as connection:
        await connection.execute("SET statement_timeout = '300s'")
        row = await connection.fetchrow(
            """
            SELECT (SELECT count(*) FROM journal_entries) AS entries,
                   (SELECT sum(CASE side WHEN 'DEBIT' THEN amount_minor ELSE -amount_minor END) FROM postings) AS net,
                   (SELECT count(*) FROM balances AS b JOIN LATERAL
                      (SELECT count(*) AS postings, max(version) AS version,
                              sum(amount_minor) FILTER (WHERE side = 'DEBIT') AS debits,
                              sum(amount_minor) FILTER (WHERE side = 'CREDIT') AS credits
                         FROM postings AS p WHERE (p.tenant_id, p.account_id, p.currency)
                              = (b.tenant_id, b.account_id, b.currency)) AS s ON true
                     WHERE s.postings <> b.version OR s.version <> b.version
                        OR coalesce(s.debits, 0) <> b.debits_minor OR coalesce(s.credits, 0) <> b.credits_minor) AS wrong
            """,
            timeout=300,
        )
    assert row is not None
    return f"audit: {row['entries']:,} entries, net {row['net']}, {row['wrong']} balances that do not follow"


async def run(*, seconds: float, in_flights: Sequence[int], desk_count: int, profile: str) -> None:
    """Measure each case and print one line for it."""
    servers = local.ensure(profile, ROOT)
    async with (
        fresh_database(servers, ("ledger",)) as place,
        place.open("ledger", pool_size=desk_count + 1) as database,
    ):
        clock = SystemClock()
        tenants = [f"tenant-{i:04}" for i in range(UNIFORM_TENANTS)]
        async with database.transaction() as tx:
            opened = await Charts().of(tx, tenants, opened_at=clock.now())
        charts = [opened[tenant] for tenant in tenants]
        print(f"{'case':8} {'in flight':>9} {'desks':>5} {'entries/s':>10} {'p50 ms':>8} {'p99 ms':>8}")
        for case, chosen in (("hot", charts[:1]), ("uniform", charts)):
            for in_flight in in_flights:
                desks = [PostingDesk(database, clock=clock) for _ in range(desk_count)]
                await load(desks, chosen, in_flight=in_flight, seconds=WARM_UP_SECONDS)
                begun = time.perf_counter()
                latencies = await load(desks, chosen, in_flight=in_flight, seconds=seconds)
                rate = len(latencies) / (time.perf_counter() - begun)
                cuts = statistics.quantiles(latencies, n=100)
                print(
                    f"{case:8} {in_flight:9} {desk_count:5} {rate:10,.0f} {cuts[49] * 1e3:8.2f} {cuts[98] * 1e3:8.2f}",
                    flush=True,
                )
                async with database.connection() as connection:
                    # Nobody relays in this benchmark: the outbox would only grow.
                    await connection.execute("DELETE FROM outbox")
        print(await audit(database))


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--in-flight", type=int, nargs="+", default=[1, 64, 256])
    parser.add_argument("--desks", type=int, default=1, help="posting connections, as of several processes")
    parser.add_argument("--profile", default="dev", choices=("dev", "test"), help="which private servers")
    options = parser.parse_args()
    uvloop.run(
        run(
            seconds=options.seconds,
            in_flights=options.in_flight,
            desk_count=options.desks,
            profile=options.profile,
        )
    )


if __name__ == "__main__":
    main()
