"""A month is closed only behind a run that surely saw all that was known of it, and could say of all of it whether it agrees."""

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from libs.common.clock import ManualClock
from libs.common.contracts.gateway_errors import ReconciliationPeriodOpen
from libs.common.db import Database
from tests.integration.gateway.reconciliation.conftest import Office
from tests.integration.gateway.reconciliation.test_imports import HEAD, Bank
from tests.support.bank_histories import BankHistory

OCTOBER, NOVEMBER = (datetime(2026, month, 1, tzinfo=UTC) for month in (10, 11))
MINUTE = timedelta(minutes=1)


async def a_movement(office: Office) -> None:
    await office.move(-300, NOVEMBER - 10 * MINUTE)


async def a_line(office: Office) -> None:
    """Import a line of October: the transaction that makes it count began ten minutes ago, and ends now."""
    now = office.clock.now()
    bank = BankHistory(office.database, office.tenant_id)
    await bank.source()
    await office.rows("UPDATE file_imports SET ended_at = $2 WHERE tenant_id = $1", now)
    await bank.line("rent", -70_000, date(2026, 10, 31), created_at=now - 10 * MINUTE)


@pytest.mark.parametrize("become_known", [a_movement, a_line])
async def test_what_may_be_committed_after_a_run_began_is_compared_again(
    office: Office, become_known: Callable[[Office], Awaitable[None]]
) -> None:
    await become_known(office)
    office.clock.advance(MINUTE)
    await office.compare(OCTOBER, NOVEMBER)
    office.clock.advance(20 * MINUTE)
    with pytest.raises(ReconciliationPeriodOpen, match="became known at 2026-11-02T12:00:00"):
        await office.close("2026-10", override_reason="it is known")
    run = await office.compare(OCTOBER, NOVEMBER)
    assert (await office.close("2026-10")).run_id == run.id


@pytest.mark.parametrize("become_known", [a_movement, a_line])
async def test_what_was_too_early_to_judge_is_compared_again(
    office: Office, become_known: Callable[[Office], Awaitable[None]]
) -> None:
    office.clock.advance(NOVEMBER + MINUTE - office.clock.now())
    office.runs = office.another(quiet=30 * MINUTE)
    await become_known(office)
    office.clock.advance(6 * MINUTE)
    early = await office.compare(OCTOBER, NOVEMBER)
    assert early.found == {}
    office.clock.advance(MINUTE)
    with pytest.raises(ReconciliationPeriodOpen, match="too early to say"):
        await office.close("2026-10", override_reason="it is known")
    office.clock.advance(60 * MINUTE)
    run = await office.compare(OCTOBER, NOVEMBER)
    assert sum(run.found.values()) == 1
    # What is early of the next month concerns this one no more, and later runs take nothing back.
    await office.move(-5, NOVEMBER + 60 * MINUTE)
    office.clock.advance(6 * MINUTE)
    await office.compare(OCTOBER, office.clock.now())
    assert (await office.close("2026-10")).month == "2026-10"
    assert run.state == "complete"


async def test_a_file_ends_when_its_lines_are_seen(database: Database, tenant_id: str) -> None:
    class Ticking(ManualClock):
        def now(self) -> datetime:
            self.advance(timedelta(seconds=1))
            return super().now()

    bank = Bank(database, tenant_id, Ticking(NOVEMBER))
    await bank.source()
    await bank.take(HEAD + b"2026-10-05,A1,10.00,o1\n")
    rows: Any = await database.fetch(
        "SELECT l.created_at, i.ended_at FROM statement_lines AS l JOIN file_imports AS i ON i.id = l.import_id "
        "WHERE l.tenant_id = $1",
        tenant_id,
    )
    assert all(row["ended_at"] > row["created_at"] for row in rows) and rows
