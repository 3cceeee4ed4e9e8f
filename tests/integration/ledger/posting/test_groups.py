"""The posting engine against a plain model: random groups from several connections, and a book that adds up."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

import asyncpg
import msgspec
import pytest

from libs.common.clock import ManualClock, SystemClock
from libs.common.contracts.ledger import AccountType, EntryKind, Side
from libs.common.contracts.ledger_errors import AccountUnknown, EntryConflict
from libs.common.db import Connection, Database
from libs.common.db.database import CONTENTION
from libs.common.errors import Overloaded
from libs.common.ids import new_id
from libs.common.observability.correlation import Correlation
from services.ledger import posting
from services.ledger.accounts import open_accounts as insert_accounts
from services.ledger.core import Account, Balance, Entry, Line
from services.ledger.integrity import Verifier
from services.ledger.posting import Booking, Outcome, Posted, PostingService, Refused, Replayed
from services.ledger.posting.sql.groups import encode_group, lock_group, post_group
from tests.integration.ledger.conftest import audit
from tests.support.databases import TestDatabase

CURRENCIES = ("BRL", "USD", "JPY")


async def open_accounts(database: Database, tenant_id: str, count: int) -> list[UUID]:
    """Open accounts for a test, and return their ids."""
    accounts = [
        Account(tenant_id=tenant_id, id=new_id(), code=f"A{i}", label=f"Account {i}", account_type=AccountType.ASSET)
        for i in range(count)
    ]
    async with database.transaction() as tx:
        await insert_accounts(tx, accounts, opened_at=SystemClock().now())
    return [account.id for account in accounts]


def transfer(
    tenant_id: str,
    debited: UUID,
    credited: UUID,
    amount_minor: int = 100,
    *,
    currency: str = "BRL",
    entry_id: UUID | None = None,
) -> Booking:
    """Make an entry of two lines."""
    entry = Entry(
        tenant_id=tenant_id,
        id=entry_id or new_id(),
        kind=EntryKind.CAPTURE,
        content=f"{debited} {credited} {amount_minor} {currency}",
        payment_intent_id=new_id(),
        occurred_at=SystemClock().now(),
        source_event_id=None,
        lines=(
            Line(account_id=debited, side=Side.DEBIT, amount_minor=amount_minor, currency=currency),
            Line(account_id=credited, side=Side.CREDIT, amount_minor=amount_minor, currency=currency),
        ),
    )
    return Booking(entry=entry, correlation=Correlation(correlation_id="c", tenant_id=tenant_id))


async def post(database: Database, bookings: Sequence[Booking]) -> list[Outcome]:
    """Post one group in a transaction of its own, again when it lost against another one."""
    for _ in range(10):
        try:
            async with database.transaction() as tx:
                return await posting.post_locked(tx, bookings, clock=SystemClock())
        except asyncpg.DeadlockDetectedError:
            raise
        except CONTENTION:
            continue
    raise AssertionError("a group lost ten times in a row")


class Model:
    """The books in plain Python: what the engine must agree with, whatever the order in which groups committed."""

    def __init__(self) -> None:
        self.content: dict[tuple[str, UUID], str] = {}
        self.totals: dict[tuple[str, UUID, str], list[int]] = defaultdict(lambda: [0, 0, 0])

    def take(self, booking: Booking, outcome: Outcome) -> None:
        """Follow one outcome, and refuse an impossible one."""
        entry = booking.entry
        before = self.content.get((entry.tenant_id, entry.id))
        if isinstance(outcome, Posted):
            assert before is None, "posted twice"
            self.content[entry.tenant_id, entry.id] = entry.content
            for line in entry.lines:
                total = self.totals[entry.tenant_id, line.account_id, line.currency]
                total[line.side is Side.CREDIT] += line.amount_minor
                total[2] += 1


async def balances(database: Database, tenant_id: str) -> dict[tuple[str, UUID, str], list[int]]:
    """Read a tenant's standing balances: debits, credits, version."""
    rows = await database.fetch("SELECT * FROM balances WHERE tenant_id = $1 AND version > 0", tenant_id)
    return {
        (row["tenant_id"], row["account_id"], row["currency"]): [
            row["debits_minor"],
            row["credits_minor"],
            row["version"],
        ]
        for row in rows
    }


@pytest.mark.sampled
@pytest.mark.parametrize("seed", range(3))
async def test_random_groups_from_several_connections_agree_with_a_plain_model(
    database: Database, tenant_id: str, seed: int
) -> None:
    chance = random.Random(seed)
    accounts = await open_accounts(database, tenant_id, 6)
    stranger = new_id()
    ids = [new_id() for _ in range(300)]
    groups = [
        [
            transfer(
                tenant_id,
                chance.choice([*accounts, stranger] if chance.random() < 0.1 else accounts[:3]),
                chance.choice(accounts),
                chance.randint(1, 3),
                currency=chance.choice(CURRENCIES),
                entry_id=chance.choice(ids),
            )
            for _ in range(chance.randint(1, 25))
        ]
        for _ in range(60)
    ]
    # What is sent again is mostly the same; by chance alone it would nearly always be something else.
    groups = [[*group, *chance.sample(groups[0], 1)] for group in groups]
    taken: list[tuple[Booking, Outcome]] = []

    async def writer(mine: list[list[Booking]]) -> None:
        for group in mine:
            taken.extend(zip(group, await post(database, group), strict=True))

    await asyncio.gather(*(writer(groups[i::4]) for i in range(4)))

    model = Model()
    for booking, outcome in taken:
        model.take(booking, outcome)
    assert await balances(database, tenant_id) == dict(model.totals)
    # Whatever was not posted received the truth about what stands under its id.
    for booking, outcome in taken:
        existing = model.content.get((booking.entry.tenant_id, booking.entry.id))
        if isinstance(outcome, Replayed):
            assert existing == booking.entry.content
        elif isinstance(outcome, Refused) and isinstance(outcome.reason, EntryConflict):
            assert existing not in (None, booking.entry.content)
        elif isinstance(outcome, Refused):
            assert isinstance(outcome.reason, AccountUnknown)
            assert stranger in {line.account_id for line in booking.entry.lines}
    assert {type(outcome) for _, outcome in taken} == {Posted, Replayed, Refused}
    assert await audit(database) == []


async def test_two_processes_on_one_account_neither_deadlock_nor_lose_an_update(
    ledger_database: TestDatabase, tenant_id: str
) -> None:
    async with ledger_database.open("ledger", pool_size=3) as one, ledger_database.open("ledger", pool_size=3) as two:
        hot, *others = await open_accounts(one, tenant_id, 21)

        async def process(database: Database) -> None:
            service = PostingService(database, clock=SystemClock(), group_max=40)
            for _ in range(10):
                pairs = [(hot, other) if random.random() < 0.5 else (other, hot) for other in random.sample(others, 20)]
                await asyncio.gather(*(service.post(transfer(tenant_id, *pair, 7)) for pair in pairs))

        await asyncio.gather(process(one), process(one), process(two), process(two))
        found = await balances(one, tenant_id)
        assert found[tenant_id, hot, "BRL"][2] == 800
        assert (
            sum(debits for debits, _, _ in found.values()) == sum(credits_ for _, credits_, _ in found.values()) == 5600
        )
        assert await audit(one) == []


async def test_two_groups_that_begin_the_same_balances_do_not_wait_in_a_circle(
    database: Database, tenant_id: str
) -> None:
    accounts = await open_accounts(database, tenant_id, 12)
    for currency in ("BRL", "USD", "EUR", "GBP", "JPY", "CHF", "SEK", "NOK"):
        pairs = [(a, b) for a in accounts for b in accounts if a != b]
        chunks = [random.sample(pairs, 30) for _ in range(4)]
        await asyncio.gather(
            *(post(database, [transfer(tenant_id, a, b, currency=currency) for a, b in chunk]) for chunk in chunks)
        )
    assert await audit(database) == []


async def test_an_entry_posted_twice_at_the_same_moment_stands_once(database: Database, tenant_id: str) -> None:
    first, second, third, fourth = await open_accounts(database, tenant_id, 4)
    for _ in range(20):
        same = transfer(tenant_id, first, second)
        outcomes = await asyncio.gather(*(post(database, [same]) for _ in range(3)))
        assert sorted(type(outcome).__name__ for (outcome,) in outcomes) == ["Posted", "Replayed", "Replayed"]
        # On accounts that have nothing in common, no lock brings the two together: the key of the entry does.
        entry_id = new_id()
        apart = [
            transfer(tenant_id, first, second, entry_id=entry_id),
            transfer(tenant_id, third, fourth, entry_id=entry_id),
        ]
        outcomes = await asyncio.gather(*(post(database, [booking]) for booking in apart))
        assert sorted(type(outcome).__name__ for (outcome,) in outcomes) == ["Posted", "Refused"]
    assert await audit(database) == []


async def test_a_rolled_back_group_leaves_nothing(database: Database, tenant_id: str) -> None:
    first, second = await open_accounts(database, tenant_id, 2)

    async def post_then_fail() -> None:
        async with database.transaction() as tx:
            await posting.post_locked(tx, [transfer(tenant_id, first, second)], clock=SystemClock())
            raise RuntimeError("the process dies here")

    with pytest.raises(RuntimeError):
        await post_then_fail()
    for table in ("journal_entries", "postings", "balances", "outbox"):
        assert await database.fetch(f"SELECT FROM {table} WHERE tenant_id = $1", tenant_id) == []


async def test_a_clock_that_falls_back_does_not_disorder_the_books(
    database: Database, tenant_id: str, clock: ManualClock
) -> None:
    first, second = await open_accounts(database, tenant_id, 2)
    for step in (timedelta(0), timedelta(hours=-1), timedelta(minutes=5)):
        clock.advance(step)
        async with database.transaction() as tx:
            await posting.post_locked(tx, [transfer(tenant_id, first, second) for _ in range(3)], clock=clock)
    assert await audit(database) == []


async def test_clock_that_is_ahead_reaches_no_tenant_that_shares_a_group(
    database: Database, tenant_id: str, clock: ManualClock
) -> None:
    others = f"{tenant_id}-other"
    one, two = await open_accounts(database, tenant_id, 2)
    left, right = await open_accounts(database, others, 2)
    now = clock.now()
    async with database.transaction() as tx:
        far = ManualClock(now + timedelta(days=365))
        await posting.post_locked(tx, [transfer(tenant_id, one, two)], clock=far)
    group = [
        transfer(tenant_id, one, two),
        transfer(others, left, right),
        transfer(tenant_id, one, two),
        transfer(others, left, right),
    ]
    async with database.transaction() as tx:
        await posting.post_locked(tx, group, clock=clock)
    latest = await database.fetchrow("SELECT max(posted_at) AS at FROM journal_entries WHERE tenant_id = $1", others)
    assert latest is not None
    assert latest["at"] < now + timedelta(minutes=1)
    assert await audit(database) == []
    # What is ahead came later by its instant, and so stands last in its group.
    assert (await Verifier(database, clock=clock).all()).findings == []


class TestService:
    """The request path: single entries from many callers, posted in groups."""

    async def test_callers_at_once_share_a_commit_and_receive_each_their_own(
        self, database: Database, tenant_id: str
    ) -> None:
        first, second = await open_accounts(database, tenant_id, 2)
        service = PostingService(database, clock=SystemClock())
        once = transfer(tenant_id, first, second)
        bad = transfer(tenant_id, new_id(), second)
        conflict = transfer(tenant_id, second, first, entry_id=once.entry.id)
        bookings = [once, bad, *(transfer(tenant_id, first, second) for _ in range(50)), once, conflict]
        answers = await asyncio.gather(*(service.post(booking) for booking in bookings), return_exceptions=True)
        assert [type(answer) for answer in answers] == [Posted, AccountUnknown, *[Posted] * 50, Replayed, EntryConflict]
        transactions = await database.fetchrow(
            "SELECT count(DISTINCT xmin::text) AS n FROM journal_entries WHERE tenant_id = $1", tenant_id
        )
        assert transactions is not None
        assert transactions["n"] <= 2

    async def test_one_entry_that_breaks_the_statement_fails_alone(self, database: Database, tenant_id: str) -> None:
        first, second = await open_accounts(database, tenant_id, 2)
        service = PostingService(database, clock=SystemClock())
        poison = transfer(tenant_id, first, second)
        poison = Booking(
            entry=poison.entry, correlation=Correlation(correlation_id="no text in PostgreSQL: \0", tenant_id=tenant_id)
        )
        good = [transfer(tenant_id, first, second) for _ in range(20)]
        answers = await asyncio.gather(
            *(service.post(booking) for booking in [*good[:7], poison, *good[7:]]), return_exceptions=True
        )
        assert [isinstance(answer, Posted) for answer in answers] == [True] * 7 + [False] + [True] * 13
        assert (await balances(database, tenant_id))[tenant_id, first, "BRL"] == [2000, 0, 20]

    async def test_a_full_service_shows_so(self, database: Database, tenant_id: str) -> None:
        first, second = await open_accounts(database, tenant_id, 2)
        service = PostingService(database, clock=SystemClock(), waiting_max=10)
        answers = await asyncio.gather(
            *(service.post(transfer(tenant_id, first, second)) for _ in range(50)), return_exceptions=True
        )
        assert {type(answer) for answer in answers} == {Posted, Overloaded}


async def test_posting_reads_no_table_from_end_to_end(database: Database, tenant_id: str) -> None:
    first, second = await open_accounts(database, tenant_id, 2)

    async def scans(tx: Connection) -> dict[str, int]:
        rows = await tx.fetch("SELECT relname, seq_scan FROM pg_stat_xact_user_tables WHERE schemaname = 'ledger'")
        return {row["relname"]: row["seq_scan"] for row in rows}

    for _ in range(8):
        async with database.transaction() as tx:
            before = await scans(tx)
            await posting.post_locked(tx, [transfer(tenant_id, first, second)], clock=SystemClock())
            assert await scans(tx) == before


async def test_the_database_refuses_a_group_that_does_not_go_on_from_the_books(
    database: Database, tenant_id: str
) -> None:
    first, second = await open_accounts(database, tenant_id, 2)
    await post(database, [transfer(tenant_id, first, second)])
    stale = {(tenant_id, account, "BRL"): Balance(debit_normal=True) for account in (first, second)}
    await refused_group(database, decided([transfer(tenant_id, first, second)], stale), stale)
    assert (await balances(database, tenant_id))[tenant_id, first, "BRL"] == [100, 0, 1]


@pytest.mark.parametrize("field", ["debits_minor", "credits_minor", "version"])
@pytest.mark.parametrize("end", [0, -1])
async def test_the_database_refuses_postings_that_do_not_lead_to_the_balance(
    database: Database, tenant_id: str, field: str, end: int
) -> None:
    first, second = await open_accounts(database, tenant_id, 2)
    await post(database, [transfer(tenant_id, first, second)])
    async with database.transaction() as tx:
        stand = (await lock_group(tx, [(tenant_id, a, "BRL") for a in (first, second)], [], [])).balances
    decision = decided([transfer(tenant_id, first, second) for _ in range(3)], stand)
    # The first or the last posting of the account that is debited.
    after = list(decision.posted[end].balances_after)
    after[0] = msgspec.structs.replace(after[0], **{field: getattr(after[0], field) + 1})
    decision.posted[end] = msgspec.structs.replace(decision.posted[end], balances_after=after)
    await refused_group(database, decision, stand)
    assert (await balances(database, tenant_id))[tenant_id, first, "BRL"] == [100, 0, 1]


async def test_the_database_refuses_a_group_with_an_entry_that_is_not_balanced(
    database: Database, tenant_id: str
) -> None:
    first, second = await open_accounts(database, tenant_id, 2)
    booking = transfer(tenant_id, first, second)
    await post(database, [transfer(tenant_id, first, second)])
    debit, credit = booking.entry.lines
    msgspec.structs.force_setattr(booking.entry, "lines", (debit, msgspec.structs.replace(credit, amount_minor=99)))
    async with database.transaction() as tx:
        stand = (await lock_group(tx, [(tenant_id, a, "BRL") for a in (first, second)], [], [])).balances
    decision = decided([booking], stand)
    group = encode_group(decision.posted, decision.balances, [], before=stand)
    async with database.connection() as connection:
        with pytest.raises(asyncpg.CheckViolationError) as refused:
            await post_group(connection, group)
    assert refused.value.constraint_name == "entry_balanced"
    assert (await balances(database, tenant_id))[tenant_id, first, "BRL"] == [100, 0, 1]


async def test_whoever_writes_after_a_group_is_checked_again(database: Database, tenant_id: str) -> None:
    """The group is trusted for its own rows, and for no others of its transaction."""
    first, second = await open_accounts(database, tenant_id, 2)
    async with database.transaction() as tx:
        await posting.post_locked(tx, [transfer(tenant_id, first, second)], clock=SystemClock())
        assert await tx.fetchval("SELECT current_setting('ledger.posting', true)") == ""


def decided(bookings: list[Booking], stand: Mapping[posting.BalanceKey, Balance]) -> posting.Decision:
    """Decide a group of new entries on balances that stand like this."""
    return posting.decide(bookings, balances=stand, existing={}, now=SystemClock().now())


async def refused_group(
    database: Database, decision: posting.Decision, before: Mapping[posting.BalanceKey, Balance]
) -> None:
    """Have a decided group written, and see it refused."""
    group = encode_group(decision.posted, decision.balances, [], before=before)
    async with database.connection() as connection:
        with pytest.raises(asyncpg.SerializationError, match="does not go on from what stands in the books"):
            await post_group(connection, group)
