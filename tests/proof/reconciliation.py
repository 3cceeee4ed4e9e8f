"""A run of reconciliation that is killed over and over ends with the same result as one that was left alone.

    python -m tests.proof.reconciliation --payments 5000 --kills 30

Loads payments with their movements and entries, disputes, payouts, what a bank has of them and a processor's report, damages some of them in
every way, alone and in pairs, and compares them once, one payment after the other, without writing anything down. What was damaged must be found, and
nothing about what was not. Then another process carries a run out in small steps, pages at once, and is
killed with SIGKILL, and another one goes on. Both must have counted and found the same, to the last amount.

The long form kills at random moments, the short one in the middle of a step that it draws: there the process holds, with what it
found written and not committed, so that no kill comes too late.
"""

import argparse
import asyncio
import os
import random
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from itertools import combinations, count, islice
from typing import Any
from unittest import mock
from uuid import UUID

import asyncpg
import msgspec
import uvloop

from deploy.local import servers as local
from deploy.local.servers import Servers
from libs.common.clock import SystemClock
from libs.common.contracts import Kind, handled_by
from libs.common.contracts.gateway_reconciliation import StartReconciliation
from libs.common.db import Database
from libs.common.errors import Unavailable
from libs.common.ids import new_id
from libs.common.messaging import Bus
from libs.common.settings import BrokerSettings, DatabaseSettings
from services.gateway.reconciliation.matching.commands import looking
from services.gateway.reconciliation.runs import reconciling
from services.gateway.reconciliation.runs import sql as runs_sql
from services.gateway.reconciliation.runs.commands import reading, running
from services.gateway.reconciliation.runs.domain.run import Progress
from services.gateway.reconciliation.runs.sources import Sources
from services.gateway.settings import ReconciliationSettings
from tests.bench.facts import BIG, gateway, load
from tests.bench.payments import ROOT
from tests.proof.reconciliation_damages import faults, load_and_damage, report_all_but
from tests.support.databases import TestDatabase, fresh_database
from tests.support.kept_vhosts import declared_vhost

_STEP = 50
"""Payments of one step of the run that is killed."""
_EACH = 5
"""Payments whose movements are loaded with a damage."""
_HELD_MAX = 8
"""The last step of a process that it may be held in, for two kills; a run has more than twice as many."""
_UNREPORTED = 3
"""Payments that the processor's report lacks, though it has their day."""
_ALONE = 2
"""Payments that are damaged in each way."""
_SHOWN_MAX = 2_000
"""Discrepancies of the dry run, which is compared with, that are shown: all of them."""
_PAIRS = 6
"""Pairs of damages to disputes, and to payouts, in the short form, which draws them."""
_TYPES = {
    *("MISSING_REMOTE", "MISSING_LOCAL", "AMOUNT_MISMATCH", "STATUS_MISMATCH", "CURRENCY_MISMATCH", "FEE_MISMATCH"),
    *("DUPLICATE", "FOREIGN", "NOT_BOOKED"),
}
_COUNTED = ("payments", "movements", "matched", "matched_totals", "found", "totals")
_SAME_FACTS = ("type", "subject_kind", "subject", "aspect", "expected_minor", "actual_minor", "detail")
# The lease of a process that was killed ends, as it would after minutes.
_END_LEASES = (
    "UPDATE gateway.reconciliation_runs SET next_at = now() WHERE next_at IS NOT NULL",
    "UPDATE gateway.reconciliation_turns SET busy_until = now()",
)


_DAMAGES = tuple(
    f"{damage} = ANY ($1::uuid[])"
    for damage in (
        "UPDATE api.payment_intents SET captured_minor = captured_minor - 100 WHERE id",
        "UPDATE api.payment_intents SET captured_minor = 0, status = 'FAILED' WHERE id",
        "DELETE FROM api.payment_intents WHERE id",
        "UPDATE gateway.processor_movements SET amount_minor = amount_minor + 7, net_minor = net_minor + 7 WHERE payment_intent_id",
        "UPDATE gateway.processor_movements SET net_minor = net_minor - 3, fee_minor = fee_minor + 3 WHERE payment_intent_id",
        "UPDATE gateway.processor_movements SET currency = 'EUR' WHERE payment_intent_id",
        "DELETE FROM gateway.processor_movements WHERE payment_intent_id",
    )
)
"""What can be damaged of a payment: what we have of it, and what moved."""


async def _damage(admin: asyncpg.Connection, left: Iterator[UUID]) -> None:
    """Damage payments: in each way some, in each two ways at once one, and move money twice, and for nothing of ours."""
    for damage in _DAMAGES:
        await admin.execute(damage, list(islice(left, _ALONE)))
    for pair in combinations(_DAMAGES, 2):
        both = [next(left)]
        for damage in pair:
            await admin.execute(damage, both)
    columns = [
        row["attname"]
        for row in await admin.fetch(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'gateway.processor_movements'::regclass "
            "AND attnum > 0 AND NOT attisdropped"
        )
    ]
    for others in ({}, {"payment_intent_id": "NULL"}):
        changed = {"id": "'again_' || id", "movement_id": "$2::uuid"} | others
        given = ", ".join(changed.get(column, column) for column in columns)
        for payment in islice(left, _ALONE):
            await admin.execute(
                f"INSERT INTO gateway.processor_movements ({', '.join(columns)}) "
                f"SELECT {given} FROM gateway.processor_movements WHERE payment_intent_id = $1 LIMIT 1",
                payment,
                _other(payment),
            )


def _other(payment: UUID) -> UUID:
    """Return another id of the same time."""
    return UUID(int=payment.int ^ 1)


async def prove(servers: Servers, *, payments: int, kills: int, seed: int, is_held: bool = False) -> dict[str, Any]:
    """Load, damage, compare undisturbed and killed; returns what was found and how often it was killed while it went on.

    Args:
        servers: run all of it.
        payments: to load.
        kills: how many processes are killed; fewer when the run ends before.
        seed: draws the damages' payments and the moments.
        is_held: kill where a process holds in the middle of a step, instead of after a time.

    Raises:
        AssertionError: when the two do not have the same result.
    """
    chance = random.Random(seed)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(fresh_database(servers, ("api", "ledger", "gateway")))
        _, urls = stack.enter_context(declared_vhost(servers))
        rows = await load(database, payments, 5, has_refunds=False, moved_but=_EACH)
        admin = await asyncpg.connect(database.admin_url, command_timeout=60)
        stack.push_async_callback(admin.close)
        left = iter([(payment, at) for tenant, payment, at in rows if tenant == BIG][_EACH:])
        await _damage(admin, (payment for payment, _ in left))
        things = await load_and_damage(admin, BIG, left, chance, pairs=_PAIRS if is_held else None)
        lacking = [payment for payment, _ in islice(left, _UNREPORTED)]
        things += await report_all_but(admin, BIG, rows[-1][2], lacking)
        window = rows[0][2], rows[-1][2] + timedelta(seconds=1)
        bus, databases = await stack.enter_async_context(gateway(database, urls))
        runs = reconciling(databases["gateway"], bus, ReconciliationSettings(), SystemClock())

        async def begin(*, is_dry: bool) -> UUID:
            run_id = new_id(datetime.now(UTC))
            await runs.start(
                StartReconciliation(
                    tenant_id=BIG,
                    run_id=run_id,
                    window_from=window[0],
                    window_until=window[1],
                    is_dry=is_dry,
                    requested_by="proof",
                )
            )
            return run_id

        async def counted(run_id: UUID) -> Progress | None:
            run = await runs_sql.get(databases["gateway"], BIG, run_id)
            assert run is not None
            assert run.state != "failed", run.reason
            return run.counted if run.state == "complete" else None

        alone = await begin(is_dry=True)
        with (
            mock.patch.object(Sources, "payment_columns", Sources.payments),
            mock.patch.object(running, "SAMPLE_MAX", _SHOWN_MAX),
        ):
            await runs.work()
        expected = await counted(alone)
        assert expected is not None
        disturbed = await begin(is_dry=False)
        killed = 0
        while (result := await counted(disturbed)) is None:
            held = is_held and killed < kills
            moment = f"{chance.randint(1, _HELD_MAX)} {chance.choice(['before', 'after'])}" if held else ""
            child = await _child(database, urls["gateway"], moment)
            if held:
                await _line(child, b"held")
                child.send_signal(signal.SIGKILL)
                killed += 1
            elif killed < kills:
                try:
                    await asyncio.wait_for(child.wait(), timeout=chance.uniform(0.02, 0.6))
                except TimeoutError:
                    child.send_signal(signal.SIGKILL)
                    killed += 1
            await asyncio.wait_for(child.wait(), timeout=300)
            for statement in _END_LEASES:
                await admin.execute(statement)
        found = await admin.fetch(
            f"SELECT {', '.join(_SAME_FACTS)} FROM gateway.discrepancies WHERE tenant_id = $1",
            BIG,
        )
        named = await admin.fetch(
            "SELECT payment_intent_id, subject, gateway_ref FROM gateway.discrepancies WHERE tenant_id = $1", BIG
        )
    for name in _COUNTED:
        assert getattr(result, name) == getattr(expected, name), name
    once = sorted([str(getattr(each, name)) for name in _SAME_FACTS] for each in expected.sample)
    assert once == sorted([str(value) for value in row.values()] for row in found)
    assert len(found) < _SHOWN_MAX
    assert not (wrong := faults(things, [dict(row) for row in named])), wrong
    assert {*result.found} >= _TYPES, result.found
    return {"found": result.found, "kills": killed, "payments": result.payments}


async def _child(database: TestDatabase, url: str, moment: str) -> asyncio.subprocess.Process:
    """Start a process that goes on with whatever is due, as far as a moment if any; returns it once it is about to."""
    settings = msgspec.json.encode(database.settings("gateway", pool_size=5)).decode()
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.proof.reconciliation", "--child"),
        env=os.environ | {"PROOF_DATABASE": settings, "PROOF_BROKER": url, "PROOF_MOMENT": moment},
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    await _line(child, b"ready")
    return child


async def _line(child: asyncio.subprocess.Process, word: bytes) -> None:
    """Wait until a process says something."""
    assert child.stdout is not None
    async with asyncio.timeout(180):
        while line := await child.stdout.readline():
            if line.strip() == word:
                return
    raise AssertionError(f"the process has ended, and did not say {word.decode()}")


def _hold(moment: str) -> None:
    """Have this process hold for ever before or after it saves how far it is in a step, in the middle of the transaction."""
    number, place = moment.split()
    save, saves = runs_sql.save, count(1)

    async def hold() -> None:
        print("held", flush=True)
        await asyncio.Event().wait()

    async def saving(*given: Any, **named: Any) -> bool:
        is_here = next(saves) == int(number)
        if is_here and place == "before":
            await hold()
        saved = await save(*given, **named)
        if is_here:
            await hold()
        return saved

    runs_sql.save = saving


async def _nothing(*_: Any) -> Any:
    return None


async def go_on() -> None:
    """Carry out what is due, in small steps, and end."""
    reading._STEP_MAX, reading._AT_ONCE_MAX, looking._PAGE = _STEP // 5, _STEP, _STEP // 2
    # Most payments have two: so a page of entries ends before that of payments.
    reading._ENTRIES_AT_ONCE_MAX = _STEP
    if moment := os.environ["PROOF_MOMENT"]:
        _hold(moment)
    settings = msgspec.json.decode(os.environ["PROOF_DATABASE"], type=DatabaseSettings)
    database = Database(settings, schema="gateway", application_name="proof")
    await database.open()
    broker = BrokerSettings(rabbitmq_url=os.environ["PROOF_BROKER"])
    bus = Bus(service="gateway", settings=broker, database=database, clock=SystemClock())
    for kind in handled_by("gateway"):
        if kind.contract.kind is Kind.REQUEST:
            bus.answer(kind, _nothing)
        elif kind.contract.broadcast:
            bus.handle_broadcast(kind, lambda _: None)
        else:
            bus.handle(kind, _nothing)
    running = asyncio.create_task(bus.run())
    while True:
        try:
            await bus.ping()
            break
        except Unavailable:
            await asyncio.sleep(0.02)
    print("ready", flush=True)
    await reconciling(database, bus, ReconciliationSettings(), SystemClock()).work()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await bus.close()
    await database.close()


def main(arguments: Sequence[str]) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--payments", type=int, default=5_000)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.child:
        uvloop.run(go_on())
        return
    print(f"seed {given.seed}")
    found = uvloop.run(prove(local.ensure("test", ROOT), payments=given.payments, kills=given.kills, seed=given.seed))
    print(f"the same result: {found}")


if __name__ == "__main__":
    main(sys.argv[1:])
