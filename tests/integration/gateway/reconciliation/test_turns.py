"""Tenants take turns in reconciliation, one run of each at a time, and what is old is deleted."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.common.clock import ManualClock
from libs.common.contracts.gateway_errors import ReconciliationRunConflict
from libs.common.contracts.gateway_reconciliation import (
    DecideDiscrepancies,
    Decision,
    GetReconciliationRun,
    RunState,
    StartReconciliation,
)
from libs.common.db import Database
from libs.common.ids import new_id
from services.gateway.reconciliation.discrepancies import decide
from services.gateway.reconciliation.runs import Reconciling, queries, sql
from services.gateway.reconciliation.runs.commands import running
from tests.integration.gateway.reconciliation.conftest import Office

OCTOBER, NOVEMBER = (datetime(2026, month, 1, tzinfo=UTC) for month in (10, 11))


class Ticking(ManualClock):
    """A clock that goes on with each look."""

    def now(self) -> datetime:
        """Return the next instant."""
        self.advance(timedelta(milliseconds=1))
        return super().now()


@pytest.fixture
def two(database: Database) -> tuple[Office, Office]:
    clock = Ticking(datetime(2026, 11, 2, 12, tzinfo=UTC))
    large, small = (Office(database, f"tenant-{new_id().hex[-12:]}", clock) for _ in range(2))
    return large, small


async def start(office: Office) -> Any:
    run_id = new_id(office.clock.now())
    await office.runs.start(
        StartReconciliation(
            tenant_id=office.tenant_id,
            run_id=run_id,
            window_from=OCTOBER,
            window_until=NOVEMBER,
            requested_by="ana@example.com",
        )
    )
    return run_id


async def test_a_tenant_with_many_runs_keeps_no_other_waiting(
    two: tuple[Office, Office], monkeypatch: pytest.MonkeyPatch
) -> None:
    large, small = two
    monkeypatch.setattr(running, "_TURN_STEPS", 1)
    for _ in range(3):
        await start(large)
    await start(small)
    steps: list[str] = []
    write = Reconciling._write

    async def noted(self: Reconciling, run: Any, step: Any, **more: Any) -> Any:
        steps.append("large" if run.tenant_id == large.tenant_id else "small")
        return await write(self, run, step, **more)

    monkeypatch.setattr(Reconciling, "_write", noted)
    await large.runs.work()
    of_small = [place for place, name in enumerate(steps) if name == "small"]
    # They alternate while both have something left to do.
    assert of_small == [*range(of_small[0], 2 * len(of_small) + of_small[0], 2)]
    assert of_small[0] <= 1
    assert steps.count("large") == 3 * len(of_small)


async def test_one_run_of_a_tenant_goes_on_and_a_killed_one_is_taken_up(two: tuple[Office, Office]) -> None:
    large, small = two
    first, _ = await start(large), await start(large)
    reached, held = asyncio.Event(), asyncio.Event()
    answer = large.sides.request

    async def holding(message: Any) -> Any:
        reached.set()
        await held.wait()
        return await answer(message)

    large.sides.request = holding  # type: ignore[method-assign]
    killed = asyncio.create_task(large.runs.work())
    await reached.wait()
    other = await start(small)
    # Another process: of the large tenant it takes nothing, since one of its runs goes on.
    await asyncio.wait_for(small.runs.work(), timeout=20)

    async def state(office: Office, run_id: Any) -> RunState:
        run = await queries.show(office.database, GetReconciliationRun(tenant_id=office.tenant_id, run_id=run_id))
        return run.state

    assert await state(small, other) is RunState.COMPLETE
    killed.cancel()
    await asyncio.gather(killed, return_exceptions=True)
    held.set()
    await small.runs.work()
    assert await state(large, first) is RunState.RUNNING
    large.clock.advance(timedelta(minutes=5))
    await small.runs.work()
    rows = await large.rows("SELECT state FROM reconciliation_runs WHERE tenant_id = $1")
    assert [row["state"] for row in rows] == ["complete", "complete"]


async def test_who_lost_the_turn_to_another_run_writes_nothing(two: tuple[Office, Office]) -> None:
    office, _ = two
    first = await start(office)
    await office.move(-300, OCTOBER)
    reached, held = asyncio.Event(), asyncio.Event()
    answer = office.sides.request

    async def holding(message: Any) -> Any:
        if not reached.is_set():
            reached.set()
            await held.wait()
        return await answer(message)

    office.sides.request = holding  # type: ignore[method-assign]
    slow = asyncio.create_task(office.runs.work())
    await reached.wait()
    # Its lease ends, and the turn of the tenant goes to its other run.
    office.clock.advance(timedelta(minutes=5))
    second = await start(office)
    database = office.database
    await database.fetch("UPDATE reconciliation_runs SET next_at = $2 WHERE id = $1 RETURNING id", second, OCTOBER)
    other = await sql.claim(database, now=office.clock.now(), lease=timedelta(minutes=3))
    assert other is not None and other.id == second
    before = await office.rows("SELECT * FROM reconciliation_turns WHERE tenant_id = $1")
    held.set()
    await slow
    rows = await office.rows(
        "SELECT id, phase, cursor, failures FROM reconciliation_runs WHERE tenant_id = $1",
    )
    assert {(row["id"], row["phase"], row["failures"]) for row in rows} == {
        (each, "payments", 0) for each in (first, second)
    }
    assert await office.rows("SELECT * FROM reconciliation_turns WHERE tenant_id = $1") == before
    # Who has the turn goes on, and nobody else is in the way once that is over.
    async with database.transaction() as tx:
        assert await sql.save(tx, other, busy_until=office.clock.now())


async def test_a_tenant_requests_no_run_while_many_are_not_over(two: tuple[Office, Office]) -> None:
    large, small = two
    for _ in range(20):
        await start(large)
    with pytest.raises(ReconciliationRunConflict, match="20 runs go on"):
        await start(large)
    await start(small)
    await large.runs.work()
    await start(large)


async def test_what_is_older_than_it_is_kept_is_deleted(office: Office) -> None:
    january = datetime(2026, 1, 5, tzinfo=UTC)
    now = office.clock.now()
    office.clock.advance(january + timedelta(days=40) - now)
    await office.move(-300, january)
    await office.move(-5, january)
    await office.compare(january - timedelta(days=1), january + timedelta(days=1))
    first, _ = await office.rows("SELECT id FROM discrepancies WHERE tenant_id = $1 ORDER BY id")
    await decide(
        office.database,
        DecideDiscrepancies(
            tenant_id=office.tenant_id,
            discrepancy_ids=(first["id"],),
            decision=Decision.RESOLVE,
            actor="ana@example.com",
        ),
        clock=office.clock,
    )
    # A closed month names its run.
    office.clock.advance(timedelta(minutes=10))
    named = await office.compare(january - timedelta(days=5), january + timedelta(days=27))
    await office.close("2026-01", override_reason="it is known")
    office.clock.advance(now - office.clock.now())
    run = await office.compare(OCTOBER, NOVEMBER)
    await office.runs.forget()
    left = {
        table: [
            row["id"] for row in await office.rows(f"SELECT {key} AS id FROM {table} WHERE tenant_id = $1 ORDER BY 1")
        ]
        for table, key in (
            ("reconciliation_runs", "id"),
            ("discrepancies", "id"),
            ("discrepancy_changes", "discrepancy_id"),
        )
    }
    assert left["reconciliation_runs"] == [named.id, run.id]
    # What is not settled is kept, with its history.
    assert len(left["discrepancies"]) == 1
    assert left["discrepancies"] == left["discrepancy_changes"]
    assert first["id"] not in left["discrepancies"]


async def test_what_agrees_is_kept_as_long_as_a_run_that_saw_it(office: Office) -> None:
    """A month may be closed as long as such a run is kept, and its report counts what agrees."""
    now, january, day = office.clock.now(), datetime(2026, 1, 5, tzinfo=UTC), timedelta(days=1)
    office.clock.advance(january + 40 * day - now)
    kept = await office.move(-5, january, is_booked=False)
    await office.move(-5, january + 20 * day, is_booked=False)
    await office.compare(january - day, january + 30 * day)
    # 99 days before it is looked for what is older than 100.
    office.clock.advance(now - 99 * day - office.clock.now())
    await office.compare(january - day, january + day)
    office.clock.advance(now - office.clock.now())
    await office.runs.forget()
    left = await office.rows("SELECT subject FROM reconciliation_matches WHERE tenant_id = $1")
    assert [row["subject"] for row in left] == [kept]


async def test_what_agrees_is_kept_until_its_month_is_closed(office: Office) -> None:
    """Where months are closed at all, and however long that takes."""
    now, january, day = office.clock.now(), datetime(2026, 1, 5, tzinfo=UTC), timedelta(days=1)
    office.clock.advance(january + 60 * day - now)
    await office.move(-5, january, is_booked=False)
    kept = await office.move(-5, january + 30 * day, is_booked=False)
    await office.compare(january - 5 * day, january + 50 * day)
    office.clock.advance(timedelta(minutes=10))
    await office.close("2026-01")
    office.clock.advance(now - office.clock.now())
    await office.runs.forget()
    left = await office.rows("SELECT subject FROM reconciliation_matches WHERE tenant_id = $1")
    assert [row["subject"] for row in left] == [kept]
