"""How the ledger does with many entries in its books: `python -m tests.bench.large_books [--entries 10000000]`.

The entries are written by the schema's owner in a few statements, past the engine: half a year of captures, each of which
debits one of 10,000 accounts and credits the one hot account that they all share. Then balances and pages are read, and
posting is compared with posting into empty books, in turns.
"""

import argparse
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import asyncpg
import uvloop

from deploy.local import servers as local
from libs.common.clock import SystemClock
from libs.common.contracts.ledger import AccountType, ListEntries
from libs.common.db import Database
from libs.common.ids import new_id
from services.ledger.accounts import open_accounts as insert_accounts
from services.ledger.balances import balances_in_period
from services.ledger.balances.sql.effective import effective_balances, fold
from services.ledger.core import Account
from services.ledger.entries import EntryQueries
from services.ledger.posting import PostingService
from services.ledger.watermark import Watermark
from tests.bench.ledger import Measured, Pair, measure
from tests.support.databases import TestDatabase, fresh_database

ROOT = Path(__file__).parents[2]
TENANTS, PAYERS_PER_TENANT = 10, 1_000
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SPAN = timedelta(days=180)
READS = 300
CHUNK = 500_000
GROUP = 100

_PLAN = """
CREATE TABLE plan AS
SELECT row_number() OVER (ORDER BY a.tenant_id, a.code) - 1 AS no, a.tenant_id, a.id AS payer, h.id AS hot
  FROM accounts AS a JOIN accounts AS h ON h.tenant_id = a.tenant_id AND h.code = 'HOT' WHERE a.code <> 'HOT'
"""
# Entry i is paid by payer i % payers; everything else follows by arithmetic, so no total has to be summed.
_ROWS = """
SELECT i, plan.*, $1::timestamptz + i * $2::interval AS at, i / $3 + 1 AS payer_version,
       (i / $3) * ($3 / $4) + (i % $3) % ($3 / $4) + 1 AS hot_version,
       ('01900000-0000-7' || lpad(to_hex(i >> 12 & 4095), 3, '0') || '-8' || lpad(to_hex(i & 4095), 3, '0') || '-'
        || lpad(to_hex(i), 12, '0'))::uuid AS id
  FROM generate_series($5::int8, $6::int8) AS i JOIN plan ON plan.no = i % $3
"""
# By `docs/tamper-evidence.md`: these books can be verified.
_LINE = """
uuid_send({account}) || 'BRL' || '{side}' || int8send(100) || int8send({version}) || int8send({debits} * 100)
|| int8send({credits} * 100)
"""
_FILL = f"""
WITH made AS MATERIALIZED ({_ROWS}), sealed AS MATERIALIZED (
    SELECT *, sha256(int2send(octet_length(tenant_id)::int2) || convert_to(tenant_id, 'UTF8') || uuid_send(id)
                     || int2send(7::int2) || 'capture' || '\\x01' || uuid_send(id) || '\\x00' || '\\x00'
                     || instant || instant || instant || sha256('x') || int2send(2::int2)
                     || {_LINE.format(account="payer", side="D", version="payer_version", debits="payer_version", credits=0)}
                     || {_LINE.format(account="hot", side="C", version="hot_version", debits=0, credits="hot_version")}) AS seal
      FROM (SELECT *, int8send((extract(epoch FROM at) * 1000000)::int8) AS instant FROM made) AS made
), entry AS (
    INSERT INTO journal_entries (tenant_id, id, kind, payment_intent_id, line_count, occurred_at, effective_at, posted_at,
                                 digest, chain, sequence, position, seal)
    SELECT tenant_id, id, 'capture', id, 2, at, at, at, sha256('x'), i / {GROUP} % 2, i / {GROUP} / 2 + 1,
           i % {GROUP} + 1, seal FROM sealed
)
INSERT INTO postings (tenant_id, entry_id, line_no, account_id, currency, version, side, amount_minor,
                      debits_after_minor, credits_after_minor, posted_at, effective_at)
SELECT tenant_id, id, 1, payer, 'BRL', payer_version, 'DEBIT', 100, payer_version * 100, 0, at, at FROM made
UNION ALL
SELECT tenant_id, id, 2, hot, 'BRL', hot_version, 'CREDIT', 100, 0, hot_version * 100, at, at FROM made
"""
_CHAINS = """
DO $$
DECLARE
    link record;
    linked bytea;
BEGIN
    FOR part IN 0 .. 1 LOOP
        linked := decode(repeat('00', 32), 'hex');
        FOR link IN SELECT sequence, count(*)::int4 AS entries, string_agg(seal, '' ORDER BY position) AS seals,
                           min(posted_at) AS begins, max(posted_at) AS ends
                      FROM journal_entries WHERE chain = part GROUP BY sequence ORDER BY sequence LOOP
            INSERT INTO entry_groups (chain, sequence, previous, hash, entry_count, posted_from, posted_until)
            VALUES (part, link.sequence, linked, sha256(linked || int2send(part::int2) || int8send(link.sequence)
                    || int4send(link.entries) || link.seals), link.entries, link.begins, link.ends)
            RETURNING hash INTO linked;
        END LOOP;
        UPDATE chains SET sequence = (SELECT max(sequence) FROM entry_groups WHERE chain = part), hash = linked
         WHERE chain = part;
    END LOOP;
END $$
"""
_BALANCES = """
INSERT INTO balances (tenant_id, account_id, currency, debits_minor, credits_minor, version, posted_at, debit_normal)
SELECT DISTINCT ON (a.tenant_id, a.id) a.tenant_id, a.id, 'BRL', p.debits_after_minor, p.credits_after_minor, p.version,
       p.posted_at, true
  FROM accounts AS a CROSS JOIN LATERAL (
    SELECT * FROM postings AS p WHERE p.tenant_id = a.tenant_id AND p.account_id = a.id AND p.currency = 'BRL'
     ORDER BY p.posted_at DESC, p.version DESC LIMIT 1) AS p
"""


async def open_accounts(database: Database) -> list[Pair]:
    """Open the hot account and the payers of each tenant; returns (tenant, payer, hot account)."""
    pairs: list[Pair] = []
    for number in range(TENANTS):
        tenant_id = f"tenant-{number:02}"
        accounts = [
            Account(tenant_id=tenant_id, id=new_id(), code=code, label=code, account_type=AccountType.ASSET)
            for code in ("HOT", *(f"P{i:04}" for i in range(PAYERS_PER_TENANT)))
        ]
        async with database.transaction() as tx:
            await insert_accounts(tx, accounts, opened_at=SystemClock().now())
        pairs += [(tenant_id, account.id, accounts[0].id) for account in accounts[1:]]
    return pairs


async def fill(place: TestDatabase, entries: int) -> None:
    """Write the books."""
    owner = await asyncpg.connect(place.admin_url, server_settings={"search_path": "ledger"}, command_timeout=3600)
    try:
        await owner.execute("SET session_replication_role = replica; SET synchronous_commit = off")
        await owner.execute(_PLAN)
        payers = TENANTS * PAYERS_PER_TENANT
        for first in range(0, entries, CHUNK):
            last = min(first + CHUNK, entries) - 1
            await owner.execute(_FILL, BEGIN, SPAN / entries, payers, TENANTS, first, last)
        await owner.execute(_CHAINS)
        await owner.execute(_BALANCES)
        await owner.execute("DROP TABLE plan")
        await owner.execute("VACUUM ANALYZE")
    finally:
        await owner.close()


async def fold_all(database: Database) -> int:
    """Sum everything by effective time, as the worker does in the background."""
    total = 0
    while True:
        async with database.transaction() as tx:
            summed = await fold(tx, postings_min=256, accounts_max=50, postings_max=2_000)
        if summed == 0:
            return total
        total += summed


async def settle(place: TestDatabase) -> None:
    """Do what autovacuum does within minutes."""
    owner = await asyncpg.connect(place.admin_url, server_settings={"search_path": "ledger"}, command_timeout=3600)
    try:
        await owner.execute("VACUUM ANALYZE effective_totals")
    finally:
        await owner.close()


async def timed(what: str, read: Callable[[], Awaitable[object]], limit_ms: float) -> None:
    """Read many times, and print the latencies."""
    latencies = []
    for _ in range(READS):
        begun = time.perf_counter()
        await read()
        latencies.append((time.perf_counter() - begun) * 1e3)
    cuts = statistics.quantiles(latencies, n=100)
    print(f"{what:44} p50 {cuts[49]:7.2f} ms   p99 {cuts[98]:7.2f} ms   (at most {limit_ms:g})", flush=True)


async def reads(database: Database, pairs: list[Pair]) -> None:
    """Read balances and pages, each time of another account at another instant."""

    def instant() -> datetime:
        return BEGIN + SPAN * random.random()

    async def current(pair: Pair) -> object:
        return await database.fetchrow(
            "SELECT debits_minor, credits_minor FROM balances WHERE tenant_id = $1 AND account_id = $2",
            pair[0],
            pair[1],
        )

    async def at(account: str, *, effective: bool) -> object:
        tenant_id = random.choice(pairs)[0]
        async with database.connection() as connection:
            if effective:
                return await effective_balances(
                    connection, tenant_id, before=instant(), currency="BRL", account=account
                )
            return await balances_in_period(
                connection, tenant_id, posted_from=None, posted_until=instant(), currency="BRL", account=account
            )

    queries = EntryQueries(database, watermark=Watermark(database, clock=SystemClock()))

    async def page(account: str | None = None) -> object:
        listing = ListEntries(tenant_id=random.choice(pairs)[0], posted_until=instant(), limit=50, account=account)
        return await queries.entries(listing)

    await timed("current balance", lambda: current(random.choice(pairs)), 2)
    for is_effective, word in ((False, "recorded"), (True, "effective")):
        for name, code in (("of a payer", "P0500"), ("of a hot account", "HOT")):
            read = partial(at, account=code, effective=is_effective)
            await timed(f"balance at an instant, {word}, {name}", read, 5)
    await timed("page of 50 entries", page, 20)
    await timed("page of 50 entries of the hot account", partial(page, account="HOT"), 20)


async def posting(database: Database, pairs: list[Pair], *, seconds: float) -> Measured:
    """Post 64 at a time on random payers."""
    service = PostingService(database, clock=SystemClock())
    return await measure(database, service.post, lambda: random.choice(pairs), concurrency=64, seconds=seconds)


async def run(*, entries: int, seconds: float, rounds: int, profile: str) -> None:
    """Fill, read, and compare posting with empty books."""
    servers = local.ensure(profile, ROOT)
    async with (
        fresh_database(servers, ("ledger",)) as large,
        fresh_database(servers, ("ledger",)) as small,
        large.open("ledger", pool_size=8) as full,
        small.open("ledger", pool_size=8) as empty,
    ):
        pairs, others = await open_accounts(full), await open_accounts(empty)
        begun = time.perf_counter()
        await fill(large, entries)
        print(f"{entries:,} entries written in {time.perf_counter() - begun:.0f} s", flush=True)
        begun = time.perf_counter()
        print(f"{await fold_all(full):,} postings summed in {time.perf_counter() - begun:.0f} s", flush=True)
        await settle(large)
        await reads(full, pairs)
        costs: dict[str, list[Measured]] = {"empty": [], "full": []}
        for _ in range(rounds):
            costs["empty"].append(await posting(empty, others, seconds=seconds))
            costs["full"].append(await posting(full, pairs, seconds=seconds))
        for name, found in costs.items():
            best = max(found, key=lambda one: one.rate)
            print(best.line(name, "group", 64), flush=True)
        cpu = {name: min(one.python + one.postgres for one in found) for name, found in costs.items()}
        print(f"CPU of a posting, full / empty: {cpu['full'] / cpu['empty']:.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=10_000_000)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", default="dev", choices=("dev", "test"), help="which private servers")
    options = parser.parse_args()
    uvloop.run(run(entries=options.entries, seconds=options.seconds, rounds=options.rounds, profile=options.profile))
