"""What one tenant does to its books holds up no other: who waits for which lock."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest

from libs.common.clock import SystemClock
from libs.common.contracts.ledger_books import ClosePeriod
from libs.common.db import Database
from services.ledger import posting
from services.ledger.periods import Periods
from services.ledger.posting import BalanceCache, Posted, PostingService
from tests.integration.ledger.posting.test_groups import open_accounts, transfer
from tests.support.databases import TestDatabase


async def post_without_waiting(database: Database, tenant_id: str) -> None:
    """Post as a tenant of its own, which fails at the first lock that is not free."""
    one, two = await open_accounts(database, tenant_id, 2)
    async with database.transaction() as tx:
        await tx.execute("SET LOCAL lock_timeout = '1ms'")
        await posting.post_locked(tx, [transfer(tenant_id, one, two)], clock=SystemClock())


@pytest.mark.parametrize("lists", [1, 15])
async def test_lists_in_progress_hold_no_lock_of_others(
    ledger_database: TestDatabase, tenant_id: str, lists: int
) -> None:
    async with ledger_database.open("ledger", pool_size=20) as database, AsyncExitStack() as stack:
        accounts = await open_accounts(database, tenant_id, 2 * lists)
        for number in range(lists):
            tx = await stack.enter_async_context(database.transaction())
            pair = accounts[2 * number : 2 * number + 2]
            await posting.post_locked(tx, [transfer(tenant_id, pair[0], pair[1])], clock=SystemClock())
        # Each list has a chain of its own until its end, and there is one left.
        await post_without_waiting(database, f"{tenant_id}-quiet")


async def test_who_closes_waits_alone(ledger_database: TestDatabase, tenant_id: str) -> None:
    async with ledger_database.open("ledger") as database:
        one, two = await open_accounts(database, tenant_id, 2)
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        closing = ClosePeriod(tenant_id=tenant_id, ends_before=midnight - timedelta(days=1), closed_by="ops")
        async with database.transaction() as tx:
            await posting.post_locked(tx, [transfer(tenant_id, one, two)], clock=SystemClock())
            waiting = asyncio.create_task(Periods(database, clock=SystemClock()).close(closing))
            while not await database.fetch("SELECT FROM closings_under_way WHERE tenant_id = $1", tenant_id):
                await asyncio.sleep(0.01)
            await post_without_waiting(database, f"{tenant_id}-quiet")
            assert not waiting.done()
        assert (await waiting).ends_before == closing.ends_before


async def test_entries_behind_a_long_list_hold_up_no_group_of_others(
    ledger_database: TestDatabase, tenant_id: str
) -> None:
    quiet = f"{tenant_id}-quiet"
    async with ledger_database.open("ledger") as database:
        one, two = await open_accounts(database, tenant_id, 2)
        three, four = await open_accounts(database, quiet, 2)
        cache = BalanceCache()
        service = PostingService(database, clock=SystemClock(), cache=cache)
        keys = [(tenant_id, account, "BRL") for account in (one, two)]
        await service.post(transfer(tenant_id, one, two))
        async with database.transaction() as tx:
            with cache.holding(keys):
                await posting.post_locked(tx, [transfer(tenant_id, one, two)], clock=SystemClock(), cache=cache)
                behind = [asyncio.create_task(service.post(transfer(tenant_id, one, two))) for _ in range(40)]
                await asyncio.sleep(0)
                answers = [await service.post(transfer(quiet, three, four)) for _ in range(3)]
                assert [type(answer) for answer in answers] == [Posted] * 3
                assert not any(task.done() for task in behind)
        assert {type(answer) for answer in await asyncio.gather(*behind)} == {Posted}
    assert not cache.is_holding
