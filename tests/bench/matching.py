"""One run that matches lines of bank statements with payouts: named, equal in amount and day, in parts, or missing.

    python -m tests.bench.matching --lines 10000 --payouts 5000

Loads so many payouts over 75 days; the bank has half of them by their reference, a fifth on the day by amount alone, a tenth two days
later, a tenth in two parts, and a tenth never; all other lines are strangers' with words of every day. Prints the run's seconds, the CPU of
this process and of PostgreSQL, its most memory, and how many lines were matched by which rule.
"""

import argparse
import asyncio
import os
import resource
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import date, timedelta
from random import Random
from typing import Any

import uvloop

from deploy.local import servers as local
from libs.common.db import Database
from libs.common.ids import new_id
from tests.bench.facts import database_cpu
from tests.bench.payments import ROOT
from tests.support.bank_histories import NOW, BankHistory, payout_row
from tests.support.databases import fresh_database

_TENANT = "tenant-bench"
_FIRST_ON = date(2026, 9, 2)
_DAYS = 75
_WORDS = ["miete", "strom", "gehalt", "rechnung", "lieferung", "vertrag", "abschlag", "versicherung"]
_RULES = "SELECT rule, count(*) AS number FROM line_matches GROUP BY rule ORDER BY rule"


def _line(
    bank: BankHistory, amount: int, on: date, ref: str = "", description: str = "STRIPE PAYOUT"
) -> dict[str, Any]:
    key = new_id(NOW - timedelta(days=1))
    return {
        **dict.fromkeys(("bank_id", "kind", "counterparty"), ""),
        "source_id": bank.source_id,
        "occurrence": 1,
        "tenant_id": bank.tenant_id,
        "id": key,
        "import_id": key,
        "line": 1,
        "identity": key.bytes,
        "essence": key.bytes,
        "account": "DE1",
        "booked_on": on,
        "currency": "EUR",
        "amount_minor": amount,
        "fee_minor": 0,
        "refs": f'{{"end_to_end": "{ref}"}}' if ref else "{}",
        "description": description,
        "raw": "{}",
        "created_at": NOW - timedelta(days=1),
    }


def _arriving(
    bank: BankHistory, number: int, ref: str, amount: int, on: date, random: Random
) -> Iterator[dict[str, Any]]:
    """Make the lines of a payout, of ten in turn."""
    match number % 10:
        case 0 | 1 | 2 | 3 | 4:
            yield _line(bank, amount, on + timedelta(days=random.randrange(4)), ref.replace("_", "").upper())
        case 5 | 6:
            yield _line(bank, amount, on)
        case 7:
            yield _line(bank, amount, on + timedelta(days=2))
        case 8:
            yield _line(bank, amount // 3, on, ref)
            yield _line(bank, amount - amount // 3, on, ref)


def _history(bank: BankHistory, lines: int, payouts: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Make the rows of payouts and of lines, these in the order of their days."""
    random = Random(5)
    paid_out: list[dict[str, Any]] = []
    booked: list[dict[str, Any]] = []
    for number in range(payouts):
        on = _FIRST_ON + timedelta(days=random.randrange(_DAYS))
        amount, ref = random.randrange(1_000, 5_000_000), f"po_{bank.tenant_id[-6:]}{number:06}X"
        paid_out.append(payout_row(bank.tenant_id, ref, amount, on))
        booked += _arriving(bank, number, ref, amount, on, random)
    while len(booked) < lines:
        on = _FIRST_ON + timedelta(days=random.randrange(_DAYS))
        amount = random.choice((-1, 1)) * random.randrange(1_000, 5_000_000)
        booked.append(_line(bank, amount, on, f"INV{random.randrange(10**9)}", " ".join(random.choices(_WORDS, k=6))))
    return paid_out, sorted(booked, key=lambda row: (row["booked_on"], row["id"]))


async def _copy(database: Database, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    columns = [*rows[0]]
    async with database.connection() as connection:
        records = [tuple(row[column] for column in columns) for row in rows]
        await connection.copy_records_to_table(table, records=records, columns=columns)


async def measure(arguments: argparse.Namespace) -> None:
    """Load, run, print."""
    servers = await asyncio.to_thread(local.ensure, "test", ROOT)
    async with AsyncExitStack() as stack:
        fresh = await stack.enter_async_context(fresh_database(servers, ("gateway",)))
        database = await stack.enter_async_context(fresh.open("gateway"))
        bank = BankHistory(database, _TENANT)
        await bank.source()
        paid_out, booked = _history(bank, arguments.lines, arguments.payouts)
        await _copy(database, "processor_payouts", paid_out)
        await _copy(database, "statement_lines", booked)
        started, cpu, server = time.perf_counter(), time.process_time(), await database_cpu(fresh)
        run = await bank.run()
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        server = await database_cpu(fresh) - server
        rules = {row["rule"]: row["number"] for row in await database.fetch(_RULES)}
        print(
            f"{len(booked):,} lines, {len(paid_out):,} payouts: {seconds:.1f} s, CPU {cpu:.1f} s here and {server:.1f} s PostgreSQL, "
            f"at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB\n"
            f"found {run.found}, matched {rules}"
        )


def main(arguments: Sequence[str]) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=10_000)
    parser.add_argument("--payouts", type=int, default=5_000)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    uvloop.run(measure(parser.parse_args(arguments)))


if __name__ == "__main__":
    main(sys.argv[1:])
