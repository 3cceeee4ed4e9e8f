"""Groups that go on from remembered balances: right where the memory is, and found wrong where it is not."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import asyncpg
import msgspec
import pytest

from libs.common.clock import ManualClock, SystemClock
from libs.common.contracts.ledger import AccountType
from libs.common.contracts.ledger_books import ClosePeriod
from libs.common.contracts.ledger_errors import EntryConflict, FloorCrossed, PeriodClosed
from libs.common.db import Database
from libs.common.ids import new_id
from services.ledger import metrics, posting
from services.ledger.accounts import open_accounts as insert_accounts
from services.ledger.core import Account, Hold
from services.ledger.integrity import Verifier
from services.ledger.periods import Periods
from services.ledger.posting import BalanceCache, Booking, Placing, Posted, PostingService, Replayed
from services.ledger.posting.optimistic import OptimisticGroup, decide_optimistically, recall
from tests.integration.ledger.conftest import audit
from tests.integration.ledger.posting.test_groups import balances, open_accounts, transfer
from tests.support.databases import TestDatabase


def groups(way: str) -> float:
    """Count how many groups of this kind the process has counted."""
    return float(metrics.GROUPS.labels(way)._value.get())


class Process:
    """A ledger process: its own pool, service and memory."""

    def __init__(self, database: Database, clock: ManualClock | SystemClock) -> None:
        self.database = database
        self.cache = BalanceCache()
        self.service = PostingService(database, clock=clock, cache=self.cache)

    async def wave(self, tenant_id: str, debited: UUID, credited: UUID, *, entries: int = 40) -> None:
        """Post many entries at once."""
        bookings = [transfer(tenant_id, debited, credited) for _ in range(entries)]
        answers = await asyncio.gather(*(self.service.post(booking) for booking in bookings))
        assert all(isinstance(answer, Posted) for answer in answers)


@pytest.fixture
def process(database: Database) -> Process:
    """The process under test."""
    return Process(database, SystemClock())


@pytest.fixture
async def other(ledger_database: TestDatabase) -> AsyncIterator[Process]:
    """Another process that posts to the same books."""
    async with ledger_database.open("ledger") as database:
        yield Process(database, SystemClock())


async def test_a_group_goes_on_from_the_one_before_it_by_one_statement(process: Process, tenant_id: str) -> None:
    first, second = await open_accounts(process.database, tenant_id, 2)
    await process.service.post(transfer(tenant_id, first, second))
    remembered, locked = groups("remembered"), groups("locked")
    for _ in range(5):
        await process.wave(tenant_id, first, second)
    assert groups("remembered") - remembered >= 5
    assert groups("locked") == locked
    assert (await balances(process.database, tenant_id))[tenant_id, first, "BRL"] == [20_100, 0, 201]
    assert await audit(process.database) == []
    assert (await Verifier(process.database, clock=SystemClock()).all()).findings == []


async def test_what_another_process_posted_is_found_and_gone_on_from(
    process: Process, other: Process, tenant_id: str
) -> None:
    first, second = await open_accounts(process.database, tenant_id, 2)
    await process.service.post(transfer(tenant_id, first, second))
    mistaken = groups("mistaken")
    for _ in range(8):
        await asyncio.gather(process.wave(tenant_id, first, second), other.wave(tenant_id, second, first))
    assert groups("mistaken") > mistaken
    assert (await balances(process.database, tenant_id))[tenant_id, first, "BRL"] == [32_100, 32_000, 641]
    assert await audit(process.database) == []


async def test_a_memory_with_the_right_version_and_other_amounts_is_found_wrong(
    process: Process, tenant_id: str
) -> None:
    """As after a group that failed, in whose place another process posted as many entries."""
    first, second = await open_accounts(process.database, tenant_id, 2)
    await process.service.post(transfer(tenant_id, first, second))
    keys = [(tenant_id, first, "BRL"), (tenant_id, second, "BRL")]
    recalled = process.cache.recall(keys)
    assert recalled is not None
    lies = {
        "debits_minor": 99,
        "credits_minor": 1,
        "version": 2,
        "posted_at": SystemClock().now() - timedelta(days=1),
    }
    for field, value in lies.items():
        before = groups("mistaken")
        recalled = process.cache.recall(keys)
        while recalled is None:
            await process.service.post(transfer(tenant_id, first, second))
            recalled = process.cache.recall(keys)
        wrong = msgspec.structs.replace(recalled.balances[keys[0]], **{field: value})
        process.cache.remember({keys[0]: wrong})
        assert isinstance(await process.service.post(transfer(tenant_id, first, second)), Posted)
        # An instant that is too early is no lie about the books: the entry is recorded now all the same.
        assert groups("mistaken") - before == (field != "posted_at"), field
    assert await audit(process.database) == []
    assert (await Verifier(process.database, clock=SystemClock()).all()).findings == []


async def test_what_is_pending_is_compared_where_a_limit_depends_on_it(process: Process, tenant_id: str) -> None:
    (plain,) = await open_accounts(process.database, tenant_id, 1)
    limited = new_id()
    async with process.database.transaction() as tx:
        account = Account(
            tenant_id=tenant_id,
            id=limited,
            code="VAULT",
            label="Vault",
            account_type=AccountType.ASSET,
            ceiling_minor=10**9,
        )
        await insert_accounts(tx, [account], opened_at=SystemClock().now())
    await process.service.post(transfer(tenant_id, limited, plain))
    for account_id, mistakes in ((plain, 0), (limited, 1)):
        for field in ("pending_debits_minor", "pending_credits_minor"):
            key, before = (tenant_id, account_id, "BRL"), groups("mistaken")
            recalled = process.cache.recall([key])
            while recalled is None:
                await process.service.post(transfer(tenant_id, limited, plain))
                recalled = process.cache.recall([key])
            process.cache.remember({key: msgspec.structs.replace(recalled.balances[key], **{field: 5})})
            assert isinstance(await process.service.post(transfer(tenant_id, limited, plain)), Posted)
            assert groups("mistaken") - before == mistakes, field
    assert await audit(process.database) == []
    assert (await Verifier(process.database, clock=SystemClock()).all()).findings == []


async def test_an_entry_is_never_recorded_before_what_stands_on_its_accounts(
    process: Process, ledger_database: TestDatabase, tenant_id: str, clock: ManualClock
) -> None:
    """As on two machines whose clocks differ, after a group that failed."""
    first, second = await open_accounts(process.database, tenant_id, 2)
    await process.service.post(transfer(tenant_id, first, second))
    keys = [(tenant_id, first, "BRL"), (tenant_id, second, "BRL")]
    recalled = process.cache.recall(keys)
    assert recalled is not None
    late = Process(process.database, clock)
    early = {key: msgspec.structs.replace(b, posted_at=clock.now()) for key, b in recalled.balances.items()}
    late.cache.remember(early)
    clock.advance(timedelta(days=-9000))
    mistaken = groups("mistaken")
    await late.service.post(transfer(tenant_id, first, second))
    assert groups("mistaken") == mistaken + 1
    assert await audit(process.database) == []


async def test_what_another_process_holds_is_not_spent(process: Process, other: Process, tenant_id: str) -> None:
    bank, wallet = new_id(), new_id()
    accounts = [
        Account(tenant_id=tenant_id, id=bank, code="BANK", label="Bank", account_type=AccountType.ASSET),
        Account(
            tenant_id=tenant_id,
            id=wallet,
            code="WALLET",
            label="Wallet",
            account_type=AccountType.LIABILITY,
            floor_minor=0,
        ),
    ]
    async with process.database.transaction() as tx:
        await insert_accounts(tx, accounts, opened_at=SystemClock().now())
    await process.service.post(transfer(tenant_id, bank, wallet, 1000))
    hold = Hold(
        tenant_id=tenant_id,
        id=new_id(),
        debit_account_id=wallet,
        credit_account_id=bank,
        currency="BRL",
        amount_minor=900,
        placed_at=SystemClock().now(),
    )
    await other.service.hold(Placing(hold=hold))
    with pytest.raises(FloorCrossed):
        await process.service.post(transfer(tenant_id, wallet, bank, 200))
    assert isinstance(await process.service.post(transfer(tenant_id, wallet, bank, 100)), Posted)


async def test_a_period_that_another_process_closed_is_closed(process: Process, other: Process, tenant_id: str) -> None:
    first, second = await open_accounts(process.database, tenant_id, 2)
    await process.service.post(transfer(tenant_id, first, second))
    midnight = SystemClock().now().replace(hour=0, minute=0, second=0, microsecond=0)
    old = transfer(tenant_id, first, second)
    old = Booking(
        entry=msgspec.structs.replace(old.entry, occurred_at=midnight - timedelta(hours=1)), correlation=old.correlation
    )
    await Periods(other.database, clock=SystemClock()).close(
        ClosePeriod(tenant_id=tenant_id, ends_before=midnight, closed_by="somebody")
    )
    mistaken = groups("mistaken")
    with pytest.raises(PeriodClosed):
        await process.service.post(old)
    await process.service.post(transfer(tenant_id, first, second))
    caused = Booking(entry=msgspec.structs.replace(old.entry, source_event_id=new_id()), correlation=old.correlation)
    await process.service.post(caused)
    assert groups("mistaken") == mistaken + 2
    row = await process.database.fetchrow("SELECT effective_at FROM journal_entries WHERE id = $1", old.entry.id)
    assert row is not None
    assert row["effective_at"] == midnight


async def test_an_entry_that_another_process_posted_is_a_replay_or_a_conflict(
    process: Process, other: Process, tenant_id: str
) -> None:
    first, second, third, fourth = await open_accounts(process.database, tenant_id, 4)
    await process.service.post(transfer(tenant_id, first, second))
    same = transfer(tenant_id, first, second, entry_id=new_id())
    # On other accounts, so that nothing but its key shows it.
    apart = transfer(tenant_id, third, fourth, entry_id=same.entry.id)
    await other.service.post(apart)
    with pytest.raises(EntryConflict):
        await process.service.post(same)
    again = transfer(tenant_id, first, second)
    posted = await process.service.post(again)
    replayed = await process.service.post(again)
    assert isinstance(replayed, Replayed)
    assert replayed.posted_at == posted.posted_at
    assert await audit(process.database) == []


async def test_rollback_leaves_a_wrong_cache_and_no_wrong_books(process: Process, tenant_id: str) -> None:
    first, second = await open_accounts(process.database, tenant_id, 2)
    await process.service.post(transfer(tenant_id, first, second))

    async def post_then_fail() -> None:
        async with process.database.transaction() as tx:
            bookings = [transfer(tenant_id, first, second) for _ in range(3)]
            await posting.post_optimistically(tx, bookings, clock=SystemClock(), cache=process.cache)
            raise RuntimeError("the process dies here")

    remembered = groups("remembered")
    with pytest.raises(RuntimeError):
        await post_then_fail()
    assert groups("remembered") == remembered + 1
    await process.wave(tenant_id, first, second)
    assert (await balances(process.database, tenant_id))[tenant_id, first, "BRL"] == [4_100, 0, 41]
    assert await audit(process.database) == []


async def test_a_group_that_fails_takes_only_the_bad_one_with_it(process: Process, tenant_id: str) -> None:
    """The groups behind it were decided by what it would have left."""
    first, second = await open_accounts(process.database, tenant_id, 2)
    await process.service.post(transfer(tenant_id, first, second))
    bookings = [transfer(tenant_id, first, second) for _ in range(60)]
    poison = msgspec.structs.replace(bookings[7].correlation, correlation_id="no text in PostgreSQL: \0")
    bookings[7] = Booking(entry=bookings[7].entry, correlation=poison)
    answers = await asyncio.gather(*(process.service.post(booking) for booking in bookings), return_exceptions=True)
    assert [place for place, answer in enumerate(answers) if not isinstance(answer, Posted)] == [7]
    await process.wave(tenant_id, first, second)
    assert (await balances(process.database, tenant_id))[tenant_id, first, "BRL"] == [10_000, 0, 100]
    assert await audit(process.database) == []


async def test_nobody_waits_for_a_group_that_could_not_be_sent(process: Process, tenant_id: str) -> None:
    first, second = await open_accounts(process.database, tenant_id, 2)
    await process.service.post(transfer(tenant_id, first, second))
    poison = transfer(tenant_id, first, second)
    unwritable = msgspec.structs.replace(poison.correlation, correlation_id="no text in UTF-8: \ud800")
    async with asyncio.timeout(10):
        with pytest.raises(UnicodeEncodeError):
            await process.service.post(Booking(entry=poison.entry, correlation=unwritable))
        await process.wave(tenant_id, first, second)
    assert await audit(process.database) == []


async def test_group_behind_a_lost_one_is_not_written_and_the_cache_still_holds(
    process: Process, tenant_id: str
) -> None:
    """The memory was right; a memory that was wrong lets the next group lock first."""
    first, second = await open_accounts(process.database, tenant_id, 2)
    key = (tenant_id, first, "BRL")

    def decided() -> OptimisticGroup:
        entries = [transfer(tenant_id, first, second)]
        recalled = recall(entries, cache=process.cache)
        assert recalled is not None
        group = decide_optimistically(entries, recalled, clock=SystemClock(), cache=process.cache)
        assert group is not None
        return group

    await process.service.post(transfer(tenant_id, first, second))
    mistaken = groups("mistaken")
    lost, behind = decided(), decided()
    with pytest.raises(asyncpg.InvalidTransactionStateError), lost._ending():
        raise asyncpg.InvalidTransactionStateError("the server went away")
    with pytest.raises(asyncpg.SerializationError, match="follows"):
        await behind.write_in_turn(process.database)
    assert groups("mistaken") == mistaken + 1
    assert process.cache.recall([key]) is None
    await process.service.post(transfer(tenant_id, first, second))
    recalled = process.cache.recall([key])
    assert recalled is not None

    wrong = msgspec.structs.replace(recalled.balances[key], version=recalled.balances[key].version + 7)
    process.cache.remember({key: wrong})
    with pytest.raises(asyncpg.SerializationError):
        await decided().write_in_turn(process.database)
    assert groups("mistaken") == mistaken + 2
    process.cache.remember(recalled.balances)
    assert process.cache.recall([key]) is None
    assert process.cache.recall([key]) is not None


async def test_who_comes_while_a_group_looks_goes_on_from_what_it_finds(process: Process, tenant_id: str) -> None:
    first, second = await open_accounts(process.database, tenant_id, 2)
    await process.service.post(transfer(tenant_id, first, second))
    keys = [(tenant_id, account, "BRL") for account in (first, second)]
    recalled = process.cache.recall(keys)
    assert recalled is not None
    locked = groups("locked")
    with process.cache.locking(keys):
        coming = asyncio.create_task(process.service.post(transfer(tenant_id, first, second)))
        for _ in range(10):
            await asyncio.sleep(0)
        process.cache.remember(recalled.balances)
    assert isinstance(await coming, Posted)
    assert groups("locked") == locked


async def test_entries_that_the_cache_cannot_decide_are_decided_by_the_books(process: Process, tenant_id: str) -> None:
    """A group in which one is refused is decided once more, of locked balances."""
    first, second = await open_accounts(process.database, tenant_id, 2)
    await process.service.post(transfer(tenant_id, first, second))
    locked = groups("locked")
    twice = transfer(tenant_id, first, second)
    answers = await asyncio.gather(process.service.post(twice), process.service.post(twice))
    assert [type(answer) for answer in answers] == [Posted, Replayed]
    assert groups("locked") == locked + 1


async def test_what_may_be_undone_is_not_remembered(process: Process, tenant_id: str) -> None:
    first, second = await open_accounts(process.database, tenant_id, 2)
    await process.service.post(transfer(tenant_id, first, second))
    async with process.database.transaction() as tx:
        await posting.post_locked(tx, [transfer(tenant_id, first, second)], clock=SystemClock(), cache=process.cache)
    assert process.cache.recall([(tenant_id, first, "BRL")]) is None
    await process.wave(tenant_id, first, second)
    assert await audit(process.database) == []
