"""How fast the ledger posts: `python -m tests.bench.ledger [--seconds 5] [--in-flight 1 64 256]`.

Single entries from many callers, fsync on, one process:

- *group* goes through the posting service, as a request does; *interactive* is the same engine with a transaction per entry
  on a pool of 16 connections, as an ordinary unit of work does it. Both run in turns in the same books, each on accounts of
  its own: what one of them posts would make what the other remembers wrong, as two processes do to each other.
- *hot*: every entry debits one account and credits another, always the same two. *uniform*: two of 10,000 accounts.

CPU per entry is what this process and PostgreSQL's backends spent on it, which a busy machine changes less than the rate.
The books are audited afterwards.
"""

import argparse
import asyncio
import os
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import msgspec
import uvloop

from deploy.local import servers as local
from libs.common.clock import SystemClock
from libs.common.contracts.ledger import AccountType, EntryKind, Side
from libs.common.db import Database
from libs.common.db.database import CONTENTION
from libs.common.ids import new_id
from libs.common.observability.correlation import Correlation, new_correlation_id
from services.ledger import posting
from services.ledger.accounts import open_accounts as insert_accounts
from services.ledger.core import Account, Entry, Line
from services.ledger.posting import Booking, PostingService
from tests.support.databases import fresh_database

ROOT = Path(__file__).parents[2]
TENANTS, ACCOUNTS_PER_TENANT = 10, 1_000
POOL = 16
"""Connections of the interactive variant."""
WARM_UP_SECONDS = 1.0

type Pair = tuple[str, UUID, UUID]
"""Tenant, the account to debit, the account to credit."""
type Post = Callable[[Booking], Awaitable[object]]


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What one run of one case took."""

    rate: float
    """Entries per second."""
    p50: float
    """Milliseconds."""
    p99: float
    """Milliseconds."""
    python: float
    """CPU microseconds of this process per entry."""
    postgres: float
    """CPU microseconds of the backends per entry; 0 where they are not on this machine."""

    def line(self, case: str, variant: str, concurrency: int) -> str:
        """Write it as a line of the table."""
        return (
            f"{case:8} {variant:12} {concurrency:9} {self.rate:10,.0f} {self.p50:8.2f} {self.p99:8.2f} "
            f"{self.python:10.0f} {self.postgres:10.0f}"
        )


def booking(pair: Pair, cause: str) -> Booking:
    """Make one more entry; what HTTP does around it (correlation, trace) is not measured here."""
    tenant_id, debited, credited = pair
    intent, amount_minor = new_id(), random.randint(1, 100_000)
    entry = Entry(
        tenant_id=tenant_id,
        id=new_id(),
        kind=EntryKind.CAPTURE,
        content=f"capture of payment intent {intent}: {amount_minor} BRL",
        payment_intent_id=intent,
        occurred_at=datetime.now(UTC),
        source_event_id=intent,
        lines=(
            Line(account_id=debited, side=Side.DEBIT, amount_minor=amount_minor, currency="BRL"),
            Line(account_id=credited, side=Side.CREDIT, amount_minor=amount_minor, currency="BRL"),
        ),
    )
    return Booking(entry=entry, correlation=Correlation(correlation_id=cause, tenant_id=tenant_id))


def interactive(database: Database) -> Post:
    """Post each entry in a transaction of its own."""
    slots = asyncio.Semaphore(POOL)

    async def post(one: Booking) -> object:
        while True:
            try:
                async with slots, database.transaction() as tx:
                    return await posting.post_locked(tx, [one], clock=SystemClock())
            except CONTENTION:
                continue

    return post


async def load(post: Post, pair: Callable[[], Pair], *, concurrency: int, seconds: float) -> list[float]:
    """Keep `concurrency` callers posting one entry after another; return each one's latency in seconds."""
    latencies: list[float] = []
    until = time.perf_counter() + seconds

    async def caller() -> None:
        cause = new_correlation_id()
        while (begun := time.perf_counter()) < until:
            await post(booking(pair(), cause))
            latencies.append(time.perf_counter() - begun)

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(caller())
    return latencies


async def backends_cpu(database: Database) -> float:
    """Sum the CPU seconds of this database's backends, as far as they are processes of this machine."""
    rows = await database.fetch("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
    return sum(process_cpu(row["pid"]) for row in rows)


def process_cpu(pid: int) -> float:
    """Return the CPU seconds of a process of this machine; 0 where there is no such process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(
    database: Database, post: Post, pair: Callable[[], Pair], *, concurrency: int, seconds: float
) -> Measured:
    """Run one case after a second of warming up."""
    await load(post, pair, concurrency=concurrency, seconds=WARM_UP_SECONDS)
    python, postgres, begun = time.process_time(), await backends_cpu(database), time.perf_counter()
    latencies = await load(post, pair, concurrency=concurrency, seconds=seconds)
    elapsed = time.perf_counter() - begun
    cuts = statistics.quantiles(latencies, n=100)
    measured = Measured(
        rate=len(latencies) / elapsed,
        p50=cuts[49] * 1e3,
        p99=cuts[98] * 1e3,
        python=(time.process_time() - python) / len(latencies) * 1e6,
        postgres=(await backends_cpu(database) - postgres) / len(latencies) * 1e6,
    )
    # Nobody relays in this benchmark: the outbox would only grow.
    await database.write("DELETE FROM outbox")
    return measured


async def audit(database: Database) -> str:
    """Check the books from outside: sums, versions, balances."""
    async with database.connection() as connection:
        await connection.execute("SET statement_timeout = '900s'")
        row = await connection.fetchrow(
            """
            SELECT (SELECT count(*) FROM journal_entries) AS entries,
                   (SELECT sum(CASE side WHEN 'DEBIT' THEN amount_minor ELSE -amount_minor END) FROM postings) AS net,
                   (SELECT count(*) FROM balances AS b LEFT JOIN
                      (SELECT tenant_id, account_id, currency, count(*) AS postings, max(version) AS version,
                              coalesce(sum(amount_minor) FILTER (WHERE side = 'DEBIT'), 0) AS debits,
                              coalesce(sum(amount_minor) FILTER (WHERE side = 'CREDIT'), 0) AS credits
                         FROM postings GROUP BY 1, 2, 3) AS s USING (tenant_id, account_id, currency)
                     WHERE s.postings <> b.version OR s.version <> b.version
                        OR s.debits <> b.debits_minor OR s.credits <> b.credits_minor) AS wrong
            """,
            timeout=900,
        )
    assert row is not None
    return f"audit: {row['entries']:,} entries, net {row['net']}, {row['wrong']} balances that do not follow"


async def open_accounts(database: Database, service: PostingService, variant: str) -> list[tuple[str, list[UUID]]]:
    """Open 10,000 accounts of few tenants, and begin their balances, so that none is begun while it is measured."""
    opened = []
    for number in range(TENANTS):
        tenant_id = f"{variant}-{number:02}"
        accounts = [
            Account(
                tenant_id=tenant_id, id=new_id(), code=f"A{i}", label=f"Account {i}", account_type=AccountType.ASSET
            )
            for i in range(ACCOUNTS_PER_TENANT)
        ]
        async with database.transaction() as tx:
            await insert_accounts(tx, accounts, opened_at=SystemClock().now())
        ids = [account.id for account in accounts]
        await asyncio.gather(*(service.post(booking((tenant_id, one, ids[n - 1]), "")) for n, one in enumerate(ids)))
        opened.append((tenant_id, ids))
    return opened


async def run(*, seconds: float, concurrencies: Sequence[int], rounds: int, profile: str) -> None:
    """Measure each case and print one line for it."""
    servers = local.ensure(profile, ROOT)
    async with fresh_database(servers, ("ledger",)) as place, place.open("ledger", pool_size=POOL + 1) as database:
        service = PostingService(database, clock=SystemClock())
        posts: dict[str, Post] = {"group": service.post, "interactive": interactive(database)}
        pairs = {variant: pairs_of(await open_accounts(database, service, variant)) for variant in reversed(posts)}
        print(f"{'case':8} {'variant':12} {'at a time':>9} {'entries/s':>10} {'p50 ms':>8} {'p99 ms':>8} "
              f"{'python us':>10} {'postgres us':>10}")  # fmt: skip
        await cases(database, posts, pairs, concurrencies, seconds=seconds, rounds=rounds)
        print(await audit(database))


def pairs_of(tenants: list[tuple[str, list[UUID]]]) -> dict[str, Callable[[], Pair]]:
    """Return how each case chooses two accounts."""
    hot: Pair = (tenants[0][0], tenants[0][1][0], tenants[0][1][1])

    def uniform() -> Pair:
        # Cheap, since who asks shares the process with what is measured.
        tenant_id, accounts = tenants[int(random.random() * TENANTS)]
        one = int(random.random() * ACCOUNTS_PER_TENANT)
        return tenant_id, accounts[one], accounts[one - 1 - int(random.random() * (ACCOUNTS_PER_TENANT - 1))]

    return {"hot": lambda: hot, "uniform": uniform}


async def cases(
    database: Database,
    posts: dict[str, Post],
    pairs: dict[str, dict[str, Callable[[], Pair]]],
    concurrencies: Sequence[int],
    *,
    seconds: float,
    rounds: int,
) -> None:
    """Run both variants of each case in turns, and print the best of each and their ratio."""
    for case in ("hot", "uniform"):
        for concurrency in concurrencies:
            best: dict[str, Measured] = {}
            for _ in range(rounds):
                for variant, post in posts.items():
                    found = await measure(
                        database, post, pairs[variant][case], concurrency=concurrency, seconds=seconds
                    )
                    if variant not in best or found.rate > best[variant].rate:
                        best[variant] = found
            for variant, found in best.items():
                print(found.line(case, variant, concurrency), flush=True)
            print(f"{case:8} group / interactive: {best['group'].rate / best['interactive'].rate:.1f}")


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--in-flight", dest="concurrency", type=int, nargs="+", default=[1, 64, 256])
    parser.add_argument("--rounds", type=int, default=1, help="turns of each variant; the best counts")
    parser.add_argument("--profile", default="dev", choices=("dev", "test"), help="which private servers")
    options = parser.parse_args()
    uvloop.run(
        run(
            seconds=options.seconds,
            concurrencies=options.concurrency,
            rounds=options.rounds,
            profile=options.profile,
        )
    )


if __name__ == "__main__":
    main()
