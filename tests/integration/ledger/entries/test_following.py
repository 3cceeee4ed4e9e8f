"""The feed of entries: whoever follows it gets each entry once, in whatever order the transactions commit."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from libs.common.clock import Clock, ManualClock, SystemClock
from libs.common.contracts.ledger import FollowEntries
from libs.common.contracts.ledger_books import BookTime, GetBalancesAt
from libs.common.contracts.ledger_errors import QueryInvalid
from libs.common.db import Connection, Database, DatabaseUnavailable
from libs.common.ids import new_id
from services.ledger import posting
from services.ledger.balances import BalanceQueries
from services.ledger.entries import EntryQueries
from services.ledger.posting import BalanceCache, PostingService
from services.ledger.watermark import LAG, Watermark
from tests.integration.ledger.posting.test_groups import open_accounts, transfer
from tests.support.databases import TestDatabase
from tests.support.read_only import read_only

SEED = 20261130


class Follower:
    """Who goes on after the last entry, with a limit of three."""

    def __init__(self, database: Database, tenant_id: str, clock: Clock) -> None:
        self.queries = EntryQueries(database, watermark=Watermark(database, clock=clock))
        self.tenant_id = tenant_id
        self.found: list[UUID] = []
        self.final_before: datetime | None = None

    async def go_on(self) -> list[UUID]:
        """Read until there is nothing more; returns all that was found so far."""
        while True:
            after = self.found[-1] if self.found else None
            feed = await self.queries.follow(FollowEntries(tenant_id=self.tenant_id, after=after, limit=3))
            self.found += [entry.id for entry in feed.entries]
            self.final_before = feed.final_before
            if not feed.entries:
                return self.found


@pytest.fixture
async def clock(database: Database) -> ManualClock:
    """A clock an hour behind the database's, which may be turned that far, and a watermark behind it."""
    row = await database.fetchrow(
        "UPDATE watermark SET refused_before = began_at, final_before = began_at "
        "FROM (SELECT clock_timestamp() - interval '2 hours' AS began_at) AS was RETURNING began_at"
    )
    assert row is not None
    return ManualClock(row["began_at"] + timedelta(hours=1))


@pytest.fixture
def follower(database: Database, tenant_id: str, clock: ManualClock) -> Follower:
    """Who follows the tenant's entries."""
    return Follower(database, tenant_id, clock)


@asynccontextmanager
async def hanging(database: Database) -> AsyncIterator[Connection]:
    """A transaction that stays open for the block."""
    async with database.transaction() as tx:
        yield tx


async def post(database: Database, tenant_id: str, accounts: list[UUID], clock: Clock) -> UUID:
    """Post an entry in a transaction of its own."""
    booking = transfer(tenant_id, accounts[0], accounts[1])
    async with database.transaction() as tx:
        await posting.post_locked(tx, [booking], clock=clock)
    return booking.entry.id


async def test_what_commits_later_with_an_earlier_instant_is_not_missed(
    database: Database, tenant_id: str, clock: ManualClock, follower: Follower
) -> None:
    accounts = await open_accounts(database, tenant_id, 4)
    first = transfer(tenant_id, accounts[0], accounts[1])
    async with hanging(database) as tx:
        await posting.post_locked(tx, [first], clock=clock)
        clock.advance(timedelta(seconds=1))
        second = await post(database, tenant_id, accounts[2:], clock)
        clock.advance(timedelta(seconds=10))
        # The second one is committed and older than the lag, and yet the first one can still come before it.
        assert await follower.go_on() == []
    assert await follower.go_on() == [first.entry.id, second]


async def test_a_group_that_was_decided_earlier_is_recorded_after_what_is_over(
    database: Database, tenant_id: str, clock: ManualClock, follower: Follower
) -> None:
    accounts = await open_accounts(database, tenant_id, 6)
    cache = BalanceCache()
    behind = ManualClock(clock.now())
    service = PostingService(database, clock=behind, cache=cache)
    early = transfer(tenant_id, accounts[0], accounts[1])
    await service.post(early)
    second = await post(database, tenant_id, accounts[2:4], clock)
    clock.advance(timedelta(minutes=5))
    assert set(await follower.go_on()) == {early.entry.id, second}
    assert follower.final_before == clock.now() - LAG
    # Remembered balances, begun ones and locked ones, all by a clock that is five minutes behind.
    late = [transfer(tenant_id, accounts[0], accounts[1]), transfer(tenant_id, accounts[2], accounts[3])]
    for booking in late:
        await service.post(booking)
    late.append(transfer(tenant_id, accounts[4], accounts[5]))
    await service.post(late[-1])
    rows = await database.fetch(
        "SELECT id, posted_at FROM journal_entries WHERE id = ANY($1)", [one.entry.id for one in late]
    )
    assert len(rows) == 3
    assert all(row["posted_at"] >= follower.final_before for row in rows)
    clock.advance(timedelta(seconds=1))
    assert set((await follower.go_on())[2:]) == {one.entry.id for one in late}


async def test_an_entry_is_listed_half_a_second_after_it_was_recorded(
    database: Database, tenant_id: str, clock: ManualClock, follower: Follower
) -> None:
    accounts = await open_accounts(database, tenant_id, 2)
    posted = await post(database, tenant_id, accounts, clock)
    clock.advance(LAG)
    assert await follower.go_on() == []
    clock.advance(timedelta(microseconds=1))
    assert await follower.go_on() == [posted]


async def test_a_clock_that_is_ahead_moves_nobody_elses_time(database: Database, tenant_id: str) -> None:
    ahead = ManualClock(SystemClock().now() + timedelta(days=365))
    reached = await Watermark(database, clock=ahead).advance()
    row = await database.fetchrow("SELECT clock_timestamp() AS now")
    assert row is not None
    assert reached <= row["now"] - LAG


async def test_the_watermark_never_goes_back(database: Database, tenant_id: str, clock: ManualClock) -> None:
    watermark = Watermark(database, clock=clock)
    reached = await watermark.advance()
    assert await watermark.advance(clock.now() - timedelta(days=1)) == reached
    clock.advance(timedelta(minutes=1))
    assert await watermark.advance(clock.now() - timedelta(seconds=30)) >= reached


async def test_an_instant_that_is_over_shows_the_same_for_ever(
    database: Database, tenant_id: str, clock: ManualClock
) -> None:
    queries = BalanceQueries(database, watermark=Watermark(database, clock=clock))
    accounts = await open_accounts(database, tenant_id, 2)
    before = clock.now() + timedelta(seconds=1)
    request = GetBalancesAt(tenant_id=tenant_id, before=before)
    async with hanging(database) as tx:
        await posting.post_locked(tx, [transfer(tenant_id, accounts[0], accounts[1])], clock=clock)
        clock.advance(timedelta(seconds=5))
        found = await queries.get_balances_at(request)
        assert found.balances == []
        assert found.final_before is not None
        assert found.final_before < before
    found = await queries.get_balances_at(request)
    assert len(found.balances) == 2
    assert found.final_before is not None
    assert found.final_before >= before
    behind = ManualClock(clock.now() - timedelta(seconds=5))
    await post(database, tenant_id, accounts, behind)
    assert (await queries.get_balances_at(request)).balances == found.balances
    effective = GetBalancesAt(tenant_id=tenant_id, before=before, time=BookTime.EFFECTIVE)
    assert (await queries.get_balances_at(effective)).final_before is None


async def test_an_entry_of_another_tenant_is_no_place_to_begin(
    database: Database, tenant_id: str, clock: ManualClock, follower: Follower
) -> None:
    accounts = await open_accounts(database, tenant_id, 2)
    posted = await post(database, tenant_id, accounts, clock)
    for request in (
        FollowEntries(tenant_id=str(new_id()), after=posted),
        FollowEntries(tenant_id=tenant_id, after=new_id()),
        FollowEntries(tenant_id=tenant_id, limit=0),
        FollowEntries(tenant_id=tenant_id, limit=501),
    ):
        with pytest.raises(QueryInvalid):
            await follower.queries.follow(request)


class Skewed:
    """A clock that is off by a constant."""

    def __init__(self, off: timedelta) -> None:
        self._off = off

    def now(self) -> datetime:
        return SystemClock().now() + self._off


async def test_followers_miss_nothing_while_processes_with_skewed_clocks_post(
    database: Database, tenant_id: str
) -> None:
    accounts = await open_accounts(database, tenant_id, 6)
    dice = random.Random(SEED)
    # Each balance is begun: two that begin the same one at once are run again by whoever posts.
    posted = [await post(database, tenant_id, accounts[i : i + 2], SystemClock()) for i in (0, 2, 4)]
    is_over = asyncio.Event()

    async def write(off: timedelta) -> None:
        service = PostingService(database, clock=Skewed(off))
        for _ in range(40):
            debited, credited = dice.sample(accounts, 2)
            booking = transfer(tenant_id, debited, credited)
            await service.post(booking)
            posted.append(booking.entry.id)
            await asyncio.sleep(dice.random() / 50)

    async def hold_up() -> None:
        for _ in range(5):
            booking = transfer(tenant_id, accounts[0], accounts[1])
            async with database.transaction() as tx:
                await posting.post_locked(tx, [booking], clock=SystemClock())
                await asyncio.sleep(0.2)
            posted.append(booking.entry.id)
            await asyncio.sleep(dice.random() / 10)

    async def follow(follower: Follower) -> list[UUID]:
        while not is_over.is_set():
            await follower.go_on()
            await asyncio.sleep(0.01)
        return follower.found

    async with asyncio.timeout(120), asyncio.TaskGroup() as tasks:
        readers = [Follower(database, tenant_id, SystemClock()) for _ in range(2)]
        following = [tasks.create_task(follow(reader)) for reader in readers]
        writing = [write(timedelta(seconds=off)) for off in (-3, -0.4, 0, 0.3)]
        await asyncio.gather(*writing, hold_up())
        for reader in readers:
            while len(reader.found) < len(posted):
                await asyncio.sleep(0.05)
        is_over.set()
    rows = await database.fetch("SELECT id FROM journal_entries WHERE tenant_id = $1 ORDER BY posted_at, id", tenant_id)
    order = [row["id"] for row in rows]
    assert len(order) == len(posted) == 168
    assert [task.result() for task in following] == [order, order]


async def test_reads_go_on_as_far_as_final_while_nothing_can_be_written(
    ledger_database: TestDatabase, database: Database, tenant_id: str, clock: ManualClock
) -> None:
    accounts = await open_accounts(database, tenant_id, 2)
    first = await post(database, tenant_id, accounts, clock)
    clock.advance(2 * LAG)
    async with ledger_database.open("ledger") as reads:
        follower = Follower(reads, tenant_id, clock)
        assert await follower.go_on() == [first]
        final_before = follower.final_before
        await post(database, tenant_id, accounts, clock)
        clock.advance(2 * LAG)
        async with read_only(ledger_database, "ledger_app"):
            async with asyncio.timeout(60):
                while True:
                    with suppress(DatabaseUnavailable):
                        assert await follower.go_on() == [first]
                        break
            assert follower.final_before == final_before
            balances = BalanceQueries(reads, watermark=Watermark(reads, clock=clock))
            request = GetBalancesAt(tenant_id=tenant_id, before=clock.now())
            assert (await balances.get_balances_at(request)).final_before == final_before


async def test_many_who_read_wait_together_for_a_group_that_hangs(
    database: Database, tenant_id: str, clock: ManualClock
) -> None:
    accounts = await open_accounts(database, tenant_id, 2)
    watermark = Watermark(database, clock=clock)
    async with hanging(database) as tx:
        await posting.post_locked(tx, [transfer(tenant_id, accounts[0], accounts[1])], clock=clock)
        clock.advance(timedelta(seconds=5))
        # One waits alone, the others for one more: each for itself they would take a minute.
        async with asyncio.timeout(30):
            reached = await asyncio.gather(*(watermark.advance() for _ in range(60)))
        assert max(reached) < clock.now() - timedelta(seconds=4)
    assert await watermark.advance() == clock.now() - LAG
