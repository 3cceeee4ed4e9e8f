"""Rounds of the verifier: bounded by entries, written down batch by batch, shared among processes, apart from who posts."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from libs.common.clock import SystemClock
from libs.common.contracts.ledger import AccountType, OpenAccount
from libs.common.errors import Unavailable
from libs.common.ids import new_id
from services.ledger import posting
from services.ledger.accounts import AccountCommands
from services.ledger.app import verify
from services.ledger.integrity import VerificationWorker, Verifier
from services.ledger.integrity.commands.chains import Walk
from services.ledger.integrity.sql import seals
from services.ledger.settings import Settings
from tests.integration.ledger.integrity.test_verification import Books, books_of
from tests.integration.ledger.posting.test_groups import transfer
from tests.support.databases import TestDatabase


@pytest.fixture
async def place(make_database) -> AsyncIterator[TestDatabase]:  # type: ignore[no-untyped-def]
    async with make_database("ledger") as made:
        yield made


@pytest.fixture
async def books(tenant_id: str, place: TestDatabase) -> AsyncIterator[Books]:
    async with books_of(place, tenant_id) as made:
        yield made


@pytest.mark.parametrize(("entries_max", "groups"), [(1, 1), (4, 1), (5, 2), (8, 2), (9, 3), (1000, 5)])
async def test_batch_ends_with_the_group_that_fills_it(books: Books, entries_max: int, groups: int) -> None:
    async with books.database.connection() as connection:
        [chain] = await seals.chains(connection)
        walk = Walk(chain)
        assert await walk.batch(connection, entries_max=entries_max) is (groups < 5)
    assert (walk.groups, walk.entries, walk.findings) == (groups, groups * 4, [])


async def test_chain_in_other_hands_is_passed_over(books: Books) -> None:
    await books.verifier.go_on(seconds_max=0)
    async with books.database.transaction() as tx:
        chain = await seals.claim_chain(tx, but=set())
        assert chain is not None
        # It waits for nobody: what it cannot claim is left to whoever has claimed it.
        assert (await books.verifier.go_on()).groups == 0
    assert (await books.verifier.go_on()).left == 0


async def test_who_posts_waits_for_no_verifier(books: Books, tenant_id: str) -> None:
    await books.verifier.go_on(seconds_max=0)
    [[booking, *_], *_] = books.groups
    line, other = booking.entry.lines[:2]
    async with books.database.transaction() as verifying, books.database.transaction() as tx:
        assert await seals.claim_chain(verifying, but=set()) is not None
        await tx.execute("SET LOCAL lock_timeout = '1ms'")
        one = transfer(tenant_id, line.account_id, other.account_id)
        await posting.post_locked(tx, [one], clock=SystemClock())
    assert (await books.verifier.go_on()).entries == 13


async def test_two_verifiers_recompute_each_group_once(books: Books) -> None:
    other = Verifier(books.database, clock=SystemClock(), batch_entries=4)
    rounds = await asyncio.gather(*(one.go_on() for one in (books.verifier, other) * 3))
    assert sum(one.groups for one in rounds) == 5
    # Whichever ends last.
    assert min(one.left for one in rounds) == 0
    assert await books.found() == set()


async def test_balances_are_looked_at_by_one_process(books: Books) -> None:
    await books.tamper("UPDATE balances SET pending_debits_minor = 1 WHERE version = 10")
    first = await books.verifier.go_on(invariants_age_max=60)
    assert "holds_pending" in {finding.invariant for finding in first.new}
    looked = "SELECT * FROM invariant_checks ORDER BY invariant"
    before = await books.database.fetch(looked)
    await books.tamper("UPDATE balances SET debits_minor = debits_minor + 7 WHERE version = 10")
    second = await Verifier(books.database, clock=SystemClock()).go_on(invariants_age_max=60)
    assert (second.new, await books.database.fetch(looked)) == ([], before)
    third = await books.verifier.go_on(invariants_age_max=0)
    assert "balance_follows_postings" in {finding.invariant for finding in third.new}
    # Whoever did not look knows the result too.
    assert (await books.verifier.go_on(invariants_age_max=60)).trial_balance_difference > 0


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE journal_entries SET posted_at = 'infinity' WHERE sequence = 3", "entry_sealed"),
        ("UPDATE journal_entries SET occurred_at = '294276-12-31' WHERE sequence = 3", "entry_sealed"),
        ("UPDATE journal_entries SET effective_at = '4713-01-01 BC' WHERE sequence = 3", "entry_sealed"),
        ("UPDATE entry_groups SET entry_count = 2147483647 WHERE sequence = 3", "entry_missing"),
        ("UPDATE entry_groups SET entry_count = -2147483648 WHERE sequence = 3", "entry_inserted"),
        ("UPDATE chains SET sequence = 9223372036854775807 WHERE chain = 0", "group_linked"),
        ("DELETE FROM chains WHERE chain = 0", "group_linked"),
    ],
)
async def test_what_was_written_wildly_ends_no_round(books: Books, statement: str, named: str) -> None:
    await books.verifier.go_on(seconds_max=0)
    await books.tamper(statement)
    done = await books.verifier.go_on()
    assert named in {finding.invariant for finding in done.new}
    assert len(done.new) < 2_000


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        (
            "UPDATE change_groups SET sequence = 9223372036854775807",
            "groups of changes from here to 9223372036854775806",
        ),
        ("UPDATE change_groups SET change_count = 2147483647", "missing, or were added"),
        ("UPDATE change_groups SET change_count = -2147483648", "missing, or were added"),
        (
            (
                "INSERT INTO sealed_changes SELECT c.chain, c.sequence, no + 99, subject, tenant_id, key, action, '{}', "
                "changed_at, seal FROM generate_series(1, 4000) AS no CROSS JOIN sealed_changes AS c WHERE c.position = 1"
            ),
            "missing, or were added",
        ),
    ],
)
async def test_changes_that_were_written_wildly_end_no_round(books: Books, statement: str, named: str) -> None:
    await books.tamper(statement)
    done = await books.verifier.go_on(invariants_age_max=0)
    found = [finding.detail for finding in done.new if finding.invariant.startswith("change_")]
    assert any(named in detail for detail in found)
    assert len(found) <= 1_000


async def test_sealed_text_that_cannot_be_read_ends_no_round(books: Books) -> None:
    await books.tamper("UPDATE sealed_changes SET content = 'x' WHERE position = 1")
    found = {finding.subject: finding.detail for finding in (await books.verifier.go_on(invariants_age_max=0)).new}
    assert "cannot be read" in found["accounts"]
    assert "is not as it was sealed" in found["changes 0/1/1"]


async def test_rounds_are_done_in_a_process_of_their_own(books: Books, place: TestDatabase, tenant_id: str) -> None:
    worker = VerificationWorker(books.verifier, database=place.settings("ledger"), log_level="WARNING")
    async with worker.opened():
        await books.tamper("UPDATE postings SET amount_minor = 7 WHERE entry_id = $1", books.entry(3, 0))
        await worker.run()
        [process] = children()
        shown = await books.verifier.show(tenant_id)
        assert [chain.verified for chain in shown.chains] == [5]
        assert str(books.entry(3, 0)) in {finding.subject for finding in shown.findings}
        await worker.run()
        assert children() == [process]
        os.kill(process, signal.SIGKILL)
        with pytest.raises(Unavailable):
            await worker.run()
        await worker.run()
        assert children() != [process]
    assert children() == []


async def test_changes_are_looked_at_with_one_connection_at_most(books: Books, place: TestDatabase) -> None:
    settings = msgspec.structs.replace(place.settings("ledger"), database_pool_size=1, database_timeout_seconds=2)
    worker = VerificationWorker(books.verifier, database=settings, log_level="ERROR")
    async with worker.opened():
        await worker.run()
    [row] = await books.database.fetch("SELECT checked_at FROM invariant_checks WHERE invariant = 'changes'")
    assert row["checked_at"] is not None


async def test_all_is_verified_with_one_connection_at_most(books: Books, place: TestDatabase) -> None:
    settings = msgspec.structs.replace(place.settings("ledger"), database_pool_size=1, database_timeout_seconds=2)
    # It ends the process with 1 where anything is wrong.
    await verify(Settings(database=settings))


async def test_process_without_its_database_says_why(books: Books, place: TestDatabase) -> None:
    gone = place.settings("ledger")
    settings = type(gone)(database_url=gone.database_url.replace(place.name, "there_is_none"))
    worker = VerificationWorker(books.verifier, database=settings, log_level="ERROR")
    async with worker.opened():
        with pytest.raises(Unavailable, match="database"):
            await worker.run()


def children() -> list[int]:
    """The verifier's processes that this one has started."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            command = (place / "cmdline").read_bytes().split(b"\0")
            parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if b"services.ledger.integrity.workers" in command and parent == os.getpid():
            found.append(int(place.name))
    return found


async def test_changes_beside_the_verifier_are_no_findings(books: Books, tenant_id: str) -> None:
    accounts = AccountCommands(books.database, clock=SystemClock())
    ended = asyncio.Event()
    opened = 0

    async def change() -> None:
        nonlocal opened
        while not ended.is_set():
            account_id = new_id()
            await accounts.open_account(
                OpenAccount(
                    tenant_id=tenant_id,
                    account_id=account_id,
                    code=f"A{account_id.hex}",
                    label="x",
                    account_type=AccountType.ASSET,
                )
            )
            opened += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(change())
        found = [each for _ in range(20) for each in (await books.verifier.go_on(invariants_age_max=0)).new]
        ended.set()
    assert opened > 20
    assert found == []
    assert await books.found() == set()
