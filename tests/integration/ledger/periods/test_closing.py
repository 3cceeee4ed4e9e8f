"""Closing a period: nobody waits for it, and once it is answered nothing is posted into the period any more."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import pytest

from libs.common.clock import SystemClock
from libs.common.contracts.ledger_books import ClosePeriod, Period
from libs.common.db import Database
from libs.common.errors import Unavailable
from libs.common.ids import new_id
from services.ledger import posting
from services.ledger.periods import Periods
from services.ledger.periods.sql import begin_closing, write_period
from services.ledger.posting import Booking, Posted, PostingService
from tests.integration.ledger.posting.test_groups import open_accounts, post, transfer

CLOCK = SystemClock()


class Closing:
    """Two tenants and the end of the period that one of them closes."""

    def __init__(self, database: Database, tenant_id: str, accounts: list[UUID], other: Booking) -> None:
        self.database = database
        self.tenant_id = tenant_id
        self.accounts = accounts
        self.other = other
        self.periods = Periods(database, clock=CLOCK)
        self.midnight = CLOCK.now().replace(hour=0, minute=0, second=0, microsecond=0)
        self.request = ClosePeriod(tenant_id=tenant_id, ends_before=self.midnight, closed_by="cfo")

    def late(self, debited: int, credited: int) -> Booking:
        """An entry that a message caused, of the period that is to be closed."""
        made = transfer(self.tenant_id, self.accounts[debited], self.accounts[credited])
        occurred_at = self.midnight - timedelta(hours=1)
        entry = msgspec.structs.replace(made.entry, occurred_at=occurred_at, source_event_id=new_id())
        return Booking(entry=entry, correlation=made.correlation)

    async def effective(self, booking: Booking) -> datetime | None:
        """From when on an entry counts."""
        found = await self.database.fetchrow("SELECT effective_at FROM journal_entries WHERE id = $1", booking.entry.id)
        return None if found is None else found[0]

    async def entries(self) -> set[UUID]:
        """What is in the period."""
        rows = await self.database.fetch(
            "SELECT id FROM journal_entries WHERE tenant_id = $1 AND effective_at < $2", self.tenant_id, self.midnight
        )
        return {row["id"] for row in rows}


@pytest.fixture
async def closing(database: Database, tenant_id: str) -> Closing:
    """A tenant that closes, and an entry of another one."""
    other = str(new_id())
    pair = await open_accounts(database, other, 2)
    return Closing(database, tenant_id, await open_accounts(database, tenant_id, 8), transfer(other, pair[0], pair[1]))


async def test_nobody_waits_for_whoever_closes(closing: Closing) -> None:
    late = closing.late(0, 1)
    async with asyncio.timeout(20), closing.database.transaction() as tx:
        await begin_closing(tx, closing.tenant_id)
        await write_period(
            tx, closing.tenant_id, Period(ends_before=closing.midnight, closed_at=CLOCK.now(), closed_by="cfo")
        )
        outcomes = await post(closing.database, [closing.other, late])
    assert [type(outcome) for outcome in outcomes] == [Posted, Posted]
    assert [await closing.effective(one) for one in (late,)] == [late.entry.occurred_at]
    again = closing.late(0, 1)
    await post(closing.database, [again])
    assert await closing.effective(again) == closing.midnight


async def test_a_group_that_began_before_is_waited_for_and_holds_up_nobody_else(closing: Closing) -> None:
    before, after = closing.late(0, 1), closing.late(2, 3)
    async with asyncio.timeout(20), closing.database.transaction() as hanging:
        await posting.post_locked(hanging, [before], clock=CLOCK)
        with pytest.raises(Unavailable, match="again finishes it"):
            await closing.periods.close(closing.request)
        assert (await closing.periods.closed(closing.tenant_id)).periods == []
        outcomes = await post(closing.database, [after, closing.other])
        assert [type(outcome) for outcome in outcomes] == [Posted, Posted]
        assert await closing.effective(after) == closing.midnight
    assert [p.ends_before for p in (await closing.periods.closed(closing.tenant_id)).periods] == [closing.midnight]
    assert (await closing.periods.close(closing.request)).ends_before == closing.midnight
    assert await closing.entries() == {before.entry.id}


async def test_a_closing_that_was_cut_off_is_finished_by_the_same_request(closing: Closing) -> None:
    async with closing.database.transaction() as hanging:
        await posting.post_locked(hanging, [closing.late(0, 1)], clock=CLOCK)
        with pytest.raises(Unavailable):
            await closing.periods.close(closing.request)
    first, second = await asyncio.gather(closing.periods.close(closing.request), closing.periods.close(closing.request))
    assert first == second
    assert (await closing.periods.closed(closing.tenant_id)).periods == [first]


async def test_what_is_in_a_period_when_it_is_answered_stays_so(closing: Closing) -> None:
    has_begun, is_over = asyncio.Event(), asyncio.Event()

    async def keep_posting(debited: int, credited: int) -> None:
        service = PostingService(closing.database, clock=CLOCK)
        while not is_over.is_set():
            await service.post(closing.late(debited, credited))
            has_begun.set()

    async def close() -> set[UUID]:
        await has_begun.wait()
        await closing.periods.close(closing.request)
        return await closing.entries()

    async def posted_after() -> None:
        for _ in range(20):
            await post(closing.database, [closing.late(0, 1)])

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        for first in (2, 4, 6):
            tasks.create_task(keep_posting(first, first + 1))
        found = await close()
        await posted_after()
        is_over.set()
    assert found
    assert await closing.entries() == found
