"""What is not the books themselves is forgotten where a setting demands it, and never sooner."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg

from libs.common.clock import ManualClock
from libs.common.db import Database
from libs.common.service import Worker
from services.ledger.holds import HoldCommands, hold_workers
from services.ledger.manual_entries import manual_entry_workers
from services.ledger.posting import PostingService
from tests.support.databases import TestDatabase

DAY = timedelta(days=1)


def forgetting(database: Database, now: datetime, *, kept_days: int) -> list[Worker]:
    """What forgets by age."""
    clock = ManualClock(now)
    holds = HoldCommands(database, PostingService(database, clock=clock), clock=clock)
    found = [
        *manual_entry_workers(database, clock=clock, kept_days=kept_days),
        *hold_workers(database, holds, clock=clock, kept_days=kept_days),
    ]
    return [worker for worker in found if worker.name.startswith("forget")]


async def test_old_answers_are_forgotten_only_where_a_setting_shows_so(
    ledger_database: TestDatabase, tenant_id: str
) -> None:
    now = datetime.now(UTC)
    owner = await asyncpg.connect(ledger_database.url("ledger_owner"))
    for key, ago in (("old", 200), ("young", 89)):
        await owner.execute(
            "INSERT INTO journal_requests VALUES ($1, $2, '\\x00', '{}', $3)", tenant_id, key, now - ago * DAY
        )
    async with ledger_database.open("ledger") as database:
        assert forgetting(database, now, kept_days=0) == []
        # A clock that is far ahead does not take what is younger than 90 days.
        for worker in forgetting(database, now + 9_999 * DAY, kept_days=100):
            await worker.run()
        rows = await database.fetch("SELECT key FROM journal_requests WHERE tenant_id = $1", tenant_id)
    assert [row["key"] for row in rows] == ["young"]
    await owner.close()


async def test_hold_that_is_over_is_forgotten_and_an_open_one_is_not(
    ledger_database: TestDatabase, tenant_id: str
) -> None:
    now = datetime.now(UTC)
    old = now - 200 * DAY
    admin = await asyncpg.connect(ledger_database.admin_url, server_settings={"search_path": "ledger"})
    # Holds of accounts that no test needs to exist.
    await admin.execute("SET session_replication_role = replica")
    for state, resolved_at in (("OPEN", None), ("VOIDED", old), ("EXPIRED", now)):
        await admin.execute(
            "INSERT INTO holds (tenant_id, id, debit_account_id, credit_account_id, currency, amount_minor, state, placed_at, "
            "resolved_at) VALUES ($1, $2, $2, $2, 'BRL', 1, $3, $4, $5)",
            tenant_id,
            uuid4(),
            state,
            old,
            resolved_at,
        )
    await admin.close()
    async with ledger_database.open("ledger") as database:
        for worker in forgetting(database, now, kept_days=90):
            await worker.run()
        rows = await database.fetch("SELECT state FROM holds WHERE tenant_id = $1", tenant_id)
    assert {row["state"] for row in rows} == {"OPEN", "EXPIRED"}
