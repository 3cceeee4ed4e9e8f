"""What reconciliation reads: all payments of a tenant, and all entries in its books, page by page over RabbitMQ.

    python -m tests.bench.facts --payments 100000 --tenants 100

Loads so many payments with three entries each, and as many of other tenants between them, into a database of its own; then
requests them as the gateway does, of an api and a ledger in the same process. Prints seconds and this process's CPU, the
pages of the tenant and one of each of a few small tenants, and how the statements are planned.
"""

import argparse
import asyncio
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import batched, chain
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import uvloop

from deploy.local import servers as local
from libs.common.clock import SystemClock
from libs.common.contracts import Kind, handled_by
from libs.common.contracts.api_facts import ListPaymentFacts
from libs.common.contracts.ledger_facts import ListEntryFacts
from libs.common.contracts.ledger_roles import Role
from libs.common.db import Database
from libs.common.errors import Unavailable
from libs.common.ids import derived_id, new_id
from libs.common.messaging import Bus
from libs.common.settings import BrokerSettings
from services.api.payments import FactConsumers
from services.api.payments.sql import facts as payments_sql
from services.ledger.accounts import default_account_id, default_accounts
from services.ledger.balances import BalanceConsumers, BalanceQueries
from services.ledger.entries import EntryCommands, EntryConsumers, EntryQueries
from services.ledger.entries.sql import facts as entries_sql
from services.ledger.posting import PostingService
from services.ledger.posting_rules import RoleCommands, RoleConsumers
from services.ledger.watermark import Watermark
from tests.bench.payments import ROOT
from tests.support.brokers import fresh_vhost, own_rights
from tests.support.databases import TestDatabase, fresh_database

BIG = "tenant-big"
_KINDS: tuple[tuple[str, tuple[tuple[Role, int], ...]], ...] = (
    ("capture", ((Role.CASH, 15050), (Role.REVENUE, -15050))),
    ("movement", ((Role.PROCESSOR_PENDING, 14600), (Role.PROCESSOR_FEES, 450), (Role.CASH, -15050))),
    ("available", ((Role.PROCESSOR_AVAILABLE, 14600), (Role.PROCESSOR_PENDING, -14600))),
)
"""Entries of a payment, each with what it debits to roles, below zero where it credits it."""
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_APART = timedelta(milliseconds=100)
_ADD = """
INSERT INTO ledger.accounts (tenant_id, id, code, label, account_type, is_default, opened_at)
VALUES ($1, $2, $3, $4, $5, true, now()) ON CONFLICT DO NOTHING
"""


_BALANCE = """
INSERT INTO ledger.balances (tenant_id, account_id, currency, debits_minor, credits_minor, version, posted_at, debit_normal)
SELECT tenant_id, id, 'BRL', $2, $3, $4, $5, account_type IN ('ASSET', 'EXPENSE') FROM ledger.accounts WHERE id = $1
"""
# As the ledger sums what was posted, some seconds after it.
_SUMMED = """
INSERT INTO ledger.effective_totals (tenant_id, account_id, currency, grain, starts_at, debits_minor, credits_minor)
SELECT tenant_id, account_id, currency, upper(grain), date_trunc(grain, effective_at, 'UTC'),
       coalesce(sum(amount_minor) FILTER (WHERE side = 'DEBIT'), 0), coalesce(sum(amount_minor) FILTER (WHERE side = 'CREDIT'), 0)
  FROM ledger.postings CROSS JOIN (VALUES ('day'), ('hour'), ('minute')) AS of(grain) GROUP BY 1, 2, 3, 4, 5
"""
_FOLDED = """
INSERT INTO ledger.effective_folds (tenant_id, account_id, currency, version, posted_at)
SELECT tenant_id, account_id, currency, version, posted_at FROM ledger.balances
"""


class Total(msgspec.Struct, kw_only=True):
    """What was posted to an account so far."""

    version: int = 0
    debits: int = 0
    credits: int = 0
    at: datetime = _BEGAN

    def add(self, debit: int, at: datetime) -> None:
        """Post a debit, or below zero a credit."""
        self.version, self.at = self.version + 1, at
        self.debits += max(debit, 0)
        self.credits += max(-debit, 0)


def _payments(payments: int, tenants: int, *, tenant: str, began: datetime) -> list[tuple[str, UUID, datetime]]:
    others = min(payments, _OTHERS_MAX)
    owners = [tenant] * payments + [f"tenant-{n % tenants}" for n in range(others)]
    random.Random(1).shuffle(owners)
    made = [began + _APART * n for n in range(len(owners))]
    return [(owner, new_id(at), at) for owner, at in zip(owners, made, strict=True)]


_PAYMENT = (
    "tenant_id id amount_minor captured_minor currency status customer_ref gateway_ref version created_at updated_at"
)
_REFUND = "tenant_id id payment_intent_id amount_minor currency status gateway_ref created_at updated_at"
_ENTRY = "tenant_id id kind payment_intent_id line_count occurred_at posted_at effective_at digest chain sequence position seal"
_LINE = (
    "tenant_id entry_id line_no account_id currency version side amount_minor debits_after_minor credits_after_minor "
    "posted_at effective_at"
)


_MOVEMENT = (
    "account_id is_live id movement_id tenant_id is_booked kind type reporting_category source_ref payment_ref charge_ref "
    "payment_intent_id amount_minor fee_minor fee_details net_minor currency exchange_rate source_currency created_at available_at "
    "status raw seen_at updated_at"
)
_AMOUNT, _FEE = 15050, 450
_OTHERS_MAX = 100_000
"""Payments of all other tenants together at most: with more of them it takes longer to load, and nothing else."""
_LOADED_TOGETHER = 20_000
"""Payments that are made and copied at once: what they come to is held in memory."""


async def load(
    database: TestDatabase,
    payments: int,
    tenants: int,
    *,
    has_refunds: bool = True,
    moved_but: int | None = None,
    ended: datetime | None = None,
    big: str = BIG,
) -> list[tuple[str, UUID, datetime]]:
    """Load payments with three entries each; returns them, with their tenant and time.

    Args:
        database: where.
        payments: how many of one tenant, and of all others together, of these 100,000 at most.
        tenants: how many others.
        has_refunds: whether a twentieth is refunded in part.
        big: the one tenant.
        ended: the time of the last one; without it the first is made as 2026 begins.
        moved_but: where given, a charge of each payment of the one tenant is loaded as well, but not of so many, the first.
    """
    began = _BEGAN if ended is None else ended - _APART * (payments + min(payments, _OTHERS_MAX))
    rows = _payments(payments, tenants, tenant=big, began=began)
    owners = sorted({tenant for tenant, _, _ in rows})
    accounts = {(tenant, role): default_account_id(tenant, role) for tenant in owners for role in Role}
    missing = {payment for _, payment, _ in [row for row in rows if row[0] == big][: moved_but or 0]}
    admin = await asyncpg.connect(database.admin_url, command_timeout=900)
    try:
        # Triggers hold a group to its chain, which is not what is measured.
        await admin.execute("SET session_replication_role = replica; SET synchronous_commit = off")
        await admin.execute("ALTER TABLE ledger.postings DROP CONSTRAINT uq_postings_posted_at")
        totals: dict[UUID, Total] = {}
        for tenant in owners:
            for account in default_accounts(tenant):
                await admin.execute(_ADD, tenant, account.id, account.code, account.label, account.account_type)
        for some in batched(rows, _LOADED_TOGETHER):
            for schema, table, columns, records in (
                ("api", "payment_intents", _PAYMENT, map(_paid, some)),
                ("api", "refunds", _REFUND, map(_returned, some[::20] if has_refunds else ())),
                ("ledger", "journal_entries", _ENTRY, chain.from_iterable(map(_entries, some))),
                ("ledger", "postings", _LINE, chain.from_iterable(_lines(accounts, totals, *row) for row in some)),
                (
                    *("gateway", "processor_movements", _MOVEMENT),
                    (_moved(*row) for row in some if moved_but is not None and row[0] == big and row[1] not in missing),
                ),
            ):
                await admin.copy_records_to_table(table, schema_name=schema, columns=columns.split(), records=records)
        await admin.execute(
            "ALTER TABLE ledger.postings ADD CONSTRAINT uq_postings_posted_at "
            "UNIQUE (account_id, currency, posted_at, version, tenant_id)"
        )
        balances = [(account, each.debits, each.credits, each.version, each.at) for account, each in totals.items()]
        # At once: a ledger that runs already sums what it finds in balances.
        async with admin.transaction():
            await admin.executemany(_BALANCE, balances)
            for statement in (_SUMMED, _FOLDED):
                await admin.execute(statement)
        await admin.execute("VACUUM ANALYZE api.payment_intents, api.refunds, ledger.journal_entries, ledger.postings")
        await admin.execute("VACUUM ANALYZE ledger.balances, ledger.effective_totals")
        if moved_but is not None:
            await admin.execute("VACUUM ANALYZE gateway.processor_movements")
    finally:
        await admin.close()
    return rows


def _paid(row: tuple[str, UUID, datetime]) -> tuple[Any, ...]:
    tenant, i, at = row
    return tenant, i, _AMOUNT, _AMOUNT, "BRL", "SETTLED", "c", f"pi_{i.hex[:24]}", 6, at, at


def _returned(row: tuple[str, UUID, datetime]) -> tuple[Any, ...]:
    tenant, i, at = row
    return tenant, new_id(at), i, 100, "BRL", "COMPLETED", "re_1", at, at


def _entries(row: tuple[str, UUID, datetime]) -> list[tuple[Any, ...]]:
    tenant, payment, at = row
    return [
        (
            *(tenant, derived_id(payment, kind), kind),
            # That money can be paid out is booked by movement alone.
            None if kind == "available" else payment,
            *(len(debits), at, at, at, bytes(32), 1, 1, 1, bytes(32)),
        )
        for kind, debits in _KINDS
    ]


def _lines(
    accounts: dict[tuple[str, Role], UUID], totals: dict[UUID, Total], tenant: str, payment: UUID, at: datetime
) -> Iterator[tuple[Any, ...]]:
    for kind, debits in _KINDS:
        entry = derived_id(payment, kind)
        for no, (role, debit) in enumerate(debits, start=1):
            account, side = accounts[tenant, role], "DEBIT" if debit > 0 else "CREDIT"
            total = totals.setdefault(account, Total())
            total.add(debit, at)
            yield (
                *(tenant, entry, no, account, "BRL", total.version, side, abs(debit)),
                *(total.debits, total.credits, at, at),
            )


def _moved(tenant: str, i: UUID, at: datetime) -> tuple[Any, ...]:
    return (
        *("acct_1", False, f"txn_{i.hex}", i, tenant, True, "charge", "charge", "charge"),
        *(
            f"ch_{i.hex}",
            f"pi_{i.hex[:24]}",
            f"ch_{i.hex}",
            i,
            _AMOUNT,
            _FEE,
            f'[["processor",{_FEE}]]',
            _AMOUNT - _FEE,
        ),
        *("BRL", "", "", at, at, "available", "{}", at, at),
    )


async def database_cpu(database: TestDatabase) -> float:
    """Sum up the CPU seconds of the server's processes for this database, where they run on this machine."""
    admin = await asyncpg.connect(database.admin_url)
    try:
        rows = await admin.fetch("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
    finally:
        await admin.close()
    return sum(cpu_seconds(Path(f"/proc/{row['pid']}/stat")) for row in rows)


def cpu_seconds(stat: Path) -> float:
    try:
        user, system = stat.read_text().rpartition(")")[2].split()[11:13]
    except OSError:
        return 0.0
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


async def _nothing(*_: Any) -> Any:
    return None


@asynccontextmanager
async def gateway(database: TestDatabase, urls: dict[str, str]) -> AsyncIterator[tuple[Bus, dict[str, Database]]]:
    """Run an api and a ledger that answer, and a gateway that asks."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        databases = {
            name: await stack.enter_async_context(database.open(name)) for name in ("api", "ledger", "gateway")
        }
        buses = {
            name: Bus(service=name, settings=BrokerSettings(rabbitmq_url=urls[name]), database=opened, clock=clock)
            for name, opened in databases.items()
        }
        for name, bus in buses.items():
            for kind in handled_by(name):
                if kind.contract.kind is Kind.REQUEST:
                    bus.answer(kind, _nothing)
                elif kind.contract.broadcast:
                    bus.handle_broadcast(kind, lambda _: None)
                else:
                    bus.handle(kind, _nothing)
        FactConsumers(databases["api"]).register(buses["api"])
        ledger = databases["ledger"]
        watermark = Watermark(ledger, clock=clock)
        EntryConsumers(
            EntryCommands(ledger, PostingService(ledger, clock=clock), clock=clock),
            EntryQueries(ledger, watermark=watermark),
        ).register(buses["ledger"])
        BalanceConsumers(BalanceQueries(ledger, watermark=watermark)).register(buses["ledger"])
        RoleConsumers(RoleCommands(ledger, clock=clock)).register(buses["ledger"])
        running = [asyncio.create_task(bus.run()) for bus in buses.values()]
        for bus in buses.values():
            while True:
                try:
                    await bus.ping()
                    break
                except Unavailable:
                    await asyncio.sleep(0.05)
        try:
            yield buses["gateway"], databases
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            for bus in buses.values():
                await bus.close()


async def _walk(bus: Bus, request: type[Any], tenant_id: str, limit: int) -> tuple[int, int]:
    after, pages, items = None, 0, 0
    while True:
        page = await bus.request(request(tenant_id=tenant_id, after=after, limit=limit))
        pages, items = pages + 1, items + len(page.items)
        if page.next_after is None:
            return pages, items
        after = page.next_after


async def _explain(database: Database, sql: Any, tenant_id: str, **values: Any) -> None:
    bound = sql.arguments({"tenant_id": tenant_id, "after": UUID(int=0), "until": UUID(int=(1 << 128) - 1), **values})
    async with database.transaction() as tx:
        for mode in ("force_generic_plan", "force_custom_plan"):
            await tx.execute(f"SET LOCAL plan_cache_mode = {mode}")
            begun = time.perf_counter()
            plan = await tx.fetch(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) {sql.text}", *bound)
            print(f"-- {tenant_id} {mode} {time.perf_counter() - begun:.3f} s")
            print(
                "\n".join(
                    row[0]
                    for row in plan
                    if "Index" in row[0] or "Sort" in row[0] or "Seq" in row[0] or "Filter" in row[0]
                )
            )


async def measure(arguments: argparse.Namespace) -> None:
    """Load, read, print."""
    servers = local.ensure("test", ROOT)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(fresh_database(servers, ("api", "ledger", "gateway")))
        url = stack.enter_context(fresh_vhost(servers))
        await load(database, arguments.payments, arguments.tenants)
        bus, databases = await stack.enter_async_context(gateway(database, own_rights(servers, url)))
        if arguments.explain:
            for tenant in (BIG, "tenant-1"):
                await _explain(databases["api"], payments_sql.IN_RANGE, tenant, limit=501, parts_max=10_001)
                await _explain(databases["ledger"], entries_sql.IN_RANGE, tenant, limit=2001)
        for tenants in ([BIG], [f"tenant-{n}" for n in range(10)]):
            for request, limit in ((ListPaymentFacts, 500), (ListPaymentFacts, 2000), (ListEntryFacts, 2000)):
                begun, cpu, server = time.perf_counter(), time.process_time(), await database_cpu(database)
                found = [await _walk(bus, request, tenant, limit) for tenant in tenants]
                print(
                    f"{request.__name__:18} {len(tenants):3} tenants: {sum(items for _, items in found):8,} items on "
                    f"{sum(pages for pages, _ in found):4} pages in {time.perf_counter() - begun:6.2f} s, "
                    f"CPU {time.process_time() - cpu:6.2f} s here, {await database_cpu(database) - server:6.2f} s PostgreSQL"
                )


def main(arguments: Sequence[str]) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--payments", type=int, default=100_000)
    parser.add_argument("--tenants", type=int, default=100)
    parser.add_argument("--explain", action="store_true")
    print(f"{os.cpu_count()} cores")
    uvloop.run(measure(parser.parse_args(arguments)))


if __name__ == "__main__":
    main(sys.argv[1:])
