"""Whatever is changed behind the ledger's back is found, and named."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
import pytest

from libs.common.clock import SystemClock
from libs.common.db import Database
from services.ledger import posting
from services.ledger.accounts import accounts_of
from services.ledger.integrity import Verifier
from services.ledger.posting import Booking
from tests.integration.ledger.posting.test_groups import open_accounts, transfer
from tests.support.databases import TestDatabase


class Books:
    """A few groups of entries, and somebody who can write past every guard."""

    def __init__(
        self, database: Database, intruder: "asyncpg.Connection[asyncpg.Record]", groups: list[list[Booking]]
    ) -> None:
        self.database = database
        self.verifier = Verifier(database, clock=SystemClock(), batch_entries=8)
        self.groups = groups
        self._intruder = intruder

    def entry(self, group: int, position: int) -> UUID:
        """The id of an entry by its place, both from 0."""
        return self.groups[group][position].entry.id

    async def tamper(self, statement: str, *arguments: object) -> None:
        """Change rows as a superuser with all triggers off."""
        async with self._intruder.transaction():
            await self._intruder.execute("SET LOCAL session_replication_role = replica")
            changed = await self._intruder.execute(statement, *arguments)
        assert not changed.endswith(" 0"), changed

    async def found(self) -> set[tuple[str, str]]:
        """Verify everything: what is broken, and where."""
        report = await self.verifier.all()
        return {(finding.invariant, finding.subject) for finding in report.findings}


@pytest.fixture
async def books(tenant_id: str, make_database) -> AsyncIterator[Books]:  # type: ignore[no-untyped-def]
    async with make_database("ledger") as place, books_of(place, tenant_id) as found:
        yield found


@asynccontextmanager
async def books_of(place: TestDatabase, tenant_id: str) -> AsyncIterator[Books]:
    async with place.open("ledger") as database:
        accounts = await open_accounts(database, tenant_id, 4)
        groups = [
            [transfer(tenant_id, accounts[i % 4], accounts[(i + 1) % 4], 100 + i) for i in range(4)] for _ in range(5)
        ]
        for group in groups:
            async with database.transaction() as tx:
                await posting.post_locked(tx, group, clock=SystemClock())
        intruder = await asyncpg.connect(place.admin_url, server_settings={"search_path": "ledger"})
        try:
            yield Books(database, intruder, groups)
        finally:
            await intruder.close()


async def test_books_that_nobody_touched_are_sound(books: Books) -> None:
    report = await books.verifier.all()
    assert (report.groups, report.entries, report.findings) == (5, 20, [])


@pytest.mark.sampled(by="table", each=3)
@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("journal_entries", "kind", "'refund'"),
        ("journal_entries", "payment_intent_id", "gen_random_uuid()"),
        ("journal_entries", "source_event_id", "gen_random_uuid()"),
        ("journal_entries", "reverses", "gen_random_uuid()"),
        ("journal_entries", "occurred_at", "occurred_at + interval '1 microsecond'"),
        ("journal_entries", "effective_at", "effective_at + interval '1 microsecond'"),
        ("journal_entries", "digest", "set_byte(digest, 0, get_byte(digest, 0) # 1)"),
        ("journal_entries", "line_count", "3"),
        ("postings", "amount_minor", "amount_minor # 1"),
        ("postings", "account_id", "gen_random_uuid()"),
        ("postings", "currency", "'USD'"),
        ("postings", "version", "version + 1000"),
        ("postings", "debits_after_minor", "debits_after_minor # 1"),
        ("postings", "credits_after_minor", "credits_after_minor # 1"),
        ("postings", "effective_at", "effective_at + interval '1 microsecond'"),
        ("postings", "posted_at", "posted_at + interval '1 microsecond'"),
        ("postings", "side", "CASE side WHEN 'DEBIT' THEN 'CREDIT' ELSE 'DEBIT' END"),
    ],
)
async def test_one_bit_changed_in_an_entry_is_named(books: Books, table: str, column: str, value: str) -> None:
    changed = books.entry(2, 1)
    key = "id = $1" if table == "journal_entries" else "entry_id = $1 AND line_no = 2"
    await books.tamper(f"UPDATE {table} SET {column} = {value} WHERE {key}", changed)
    assert ("entry_sealed", str(changed)) in await books.found()


async def test_an_entry_that_is_missing_is_named_by_its_place(books: Books) -> None:
    await books.tamper("DELETE FROM postings WHERE entry_id = $1", books.entry(1, 2))
    assert ("entry_sealed", str(books.entry(1, 2))) in await books.found()
    await books.tamper("DELETE FROM journal_entries WHERE id = $1", books.entry(1, 2))
    assert ("entry_missing", "0/2/3") in await books.found()


async def test_a_posting_that_is_missing_is_named_by_its_entry(books: Books) -> None:
    await books.tamper("DELETE FROM postings WHERE entry_id = $1 AND line_no = 1", books.entry(1, 2))
    found = await books.found()
    assert {("entry_sealed", str(books.entry(1, 2))), ("entry_balanced", str(books.entry(1, 2)))} <= found
    assert "posting_follows_posting" in {invariant for invariant, _ in found}


@pytest.mark.parametrize(("sequence", "position"), [(2, 5), (2, 1), (99, 1)])
async def test_an_entry_that_was_added_is_named(books: Books, sequence: int, position: int) -> None:
    await books.tamper(
        "INSERT INTO journal_entries SELECT (jsonb_populate_record(e, jsonb_build_object('id', $2::text, 'sequence', "
        "$3::int, 'position', $4::int, 'digest', e.digest, 'seal', e.seal))).* FROM journal_entries AS e WHERE id = $1",
        books.entry(4, 3),
        "0190f3a4-5b6c-7d8e-9f01-23456789abd0",
        sequence,
        position,
    )
    assert {"entry_inserted", "entry_of_group", "entry_sealed"} & {
        invariant for invariant, subject in await books.found() if subject == "0190f3a4-5b6c-7d8e-9f01-23456789abd0"
    }


async def test_entries_that_changed_places_are_named(books: Books) -> None:
    await books.tamper("UPDATE journal_entries SET position = 5 - position WHERE sequence = 3 AND position IN (2, 3)")
    assert ("entry_moved", str(books.entry(2, 1))) in await books.found()


async def test_an_entry_that_was_sealed_anew_breaks_its_group(books: Books) -> None:
    changed = books.entry(2, 1)
    await books.tamper("UPDATE journal_entries SET seal = sha256('another') WHERE id = $1", changed)
    assert ("entry_sealed", str(changed)) in await books.found()


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE entry_groups SET hash = sha256('another') WHERE sequence = 3", "0/3"),
        ("UPDATE entry_groups SET previous = sha256('another') WHERE sequence = 3", "0/3"),
        ("UPDATE entry_groups SET entry_count = 5 WHERE sequence = 3", "0/3/5"),
        ("DELETE FROM entry_groups WHERE sequence = 3", "0/3"),
        ("DELETE FROM entry_groups WHERE sequence = 5", "0/head"),
        ("UPDATE chains SET hash = sha256('another') WHERE chain = 0", "0/head"),
        ("UPDATE chains SET sequence = 6 WHERE chain = 0", "0/head"),
    ],
)
async def test_a_link_of_the_chain_that_was_changed_is_named(books: Books, statement: str, named: str) -> None:
    await books.tamper(statement)
    assert named in {subject for _, subject in await books.found()}


@pytest.mark.parametrize(
    ("statement", "invariant"),
    [
        ("UPDATE balances SET debits_minor = debits_minor + 1 WHERE version = 10", "balance_follows_postings"),
        ("UPDATE balances SET version = version + 1 WHERE version = 10", "balance_follows_postings"),
        ("UPDATE balances SET debits_minor = debits_minor + 1 WHERE version = 10", "tenant_balanced"),
        ("UPDATE balances SET pending_debits_minor = 1 WHERE version = 10", "holds_pending"),
        ("DELETE FROM journal_entries WHERE sequence = 4", "posting_of_entry"),
        (
            "UPDATE postings SET debits_after_minor = debits_after_minor + 1 WHERE version = 4",
            "posting_follows_posting",
        ),
        (
            "UPDATE postings SET credits_after_minor = credits_after_minor - 1 WHERE version = 4",
            "posting_follows_posting",
        ),
        ("UPDATE postings SET version = 6 WHERE version = 5", "posting_follows_posting"),
        ("UPDATE postings SET version = 0 WHERE version = 1", "posting_follows_posting"),
    ],
)
async def test_a_balance_that_does_not_follow_is_named(books: Books, statement: str, invariant: str) -> None:
    await books.tamper(statement)
    assert invariant in {found for found, _ in await books.found()}


async def test_what_the_worker_finds_is_written_down_and_published_once(books: Books, tenant_id: str) -> None:
    assert await published(books) == []
    first = await books.verifier.go_on(seconds_max=0)
    assert (first.groups, first.entries, first.new, first.left) == (2, 8, [], 3)
    changed = books.entry(3, 0)
    await books.tamper("UPDATE postings SET amount_minor = amount_minor + 1 WHERE entry_id = $1", changed)
    rounds = [await books.verifier.go_on(seconds_max=0) for _ in range(3)]
    assert [(one.groups, one.entries, one.left) for one in rounds] == [(2, 8, 1), (1, 4, 0), (0, 0, 0)]
    assert [len(one.new) for one in rounds] == [1, 0, 0]
    assert await published(books) == ["event:ledger:invariant.broken"]
    standing = await books.verifier.show(tenant_id)
    assert [(finding.invariant, finding.subject) for finding in standing.findings] == [("entry_sealed", str(changed))]
    assert [(chain.groups, chain.verified) for chain in standing.chains] == [(5, 5)]
    assert standing.entries == 20
    assert (await books.verifier.show("somebody-else")).findings == []


async def published(books: Books) -> list[str]:
    rows = await books.database.fetch("SELECT contract FROM outbox WHERE contract LIKE '%invariant%' ORDER BY seq")
    return [row["contract"] for row in rows]


async def test_several_writers_use_several_chains_and_all_of_them_are_sound(books: Books, tenant_id: str) -> None:
    one, two = await open_accounts_named(books.database, tenant_id)
    async with books.database.transaction() as first, books.database.transaction() as second:
        await posting.post_locked(first, [transfer(tenant_id, *one)], clock=SystemClock())
        await posting.post_locked(second, [transfer(tenant_id, *two)], clock=SystemClock())
    report = await books.verifier.all()
    assert (set(report.heads), report.entries, report.findings) == ({0, 1}, 22, [])


async def open_accounts_named(database: Database, tenant_id: str) -> tuple[tuple[UUID, UUID], tuple[UUID, UUID]]:
    async with database.connection() as connection:
        codes = await accounts_of(connection, tenant_id, ["A0", "A1", "A2", "A3"])
    return (codes["A0"], codes["A1"]), (codes["A2"], codes["A3"])
