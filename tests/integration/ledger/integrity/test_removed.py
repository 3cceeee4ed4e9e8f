"""Holds that were removed when they were due, and whose ids come again; and tables that are too large for each round."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from deploy.local.servers import Servers
from libs.common.clock import ManualClock
from libs.common.contracts.ledger import AccountType
from libs.common.db import Database
from services.ledger.holds.sql import forget_holds
from services.ledger.integrity.sql.changes import small_tables
from tests.integration.ledger.bank import Bank
from tests.integration.ledger.integrity.test_insiders import scene


async def forgotten(database: Database) -> int:
    async with database.connection() as connection:
        return await forget_holds(connection, datetime.now(UTC) - timedelta(days=90), 100)


async def test_id_of_a_removed_hold_may_come_again(servers: Servers, tmp_path: Path) -> None:
    async with scene(servers, tmp_path) as books:
        clock = ManualClock(datetime.now(UTC) - timedelta(days=200))
        bank = Bank(books.database, "tenant-again", clock)
        await bank.open("VAULT", AccountType.ASSET)
        await bank.open("WALLET", AccountType.LIABILITY, floor_minor=0)
        await bank.post("VAULT", "WALLET", 1000)
        first = await bank.hold(20)
        await bank.void(first)
        assert await forgotten(books.database) == 1
        assert await books.findings() == set()
        # Placed anew, left open, and ended.
        clock.advance(timedelta(days=110))
        again = await bank.hold(30, hold_id=first.id)
        assert await books.findings() == set()
        await bank.void(again)
        assert await books.findings() == set()


async def test_hold_removed_before_it_was_due_is_found_though_it_came_again(servers: Servers, tmp_path: Path) -> None:
    async with scene(servers, tmp_path) as books, books.superuser() as insider:
        # The triggers seal what the insider does.
        await insider.execute(
            "CREATE TEMP TABLE gone AS SELECT * FROM holds WHERE state = 'OPEN'; "
            "DELETE FROM holds WHERE state = 'OPEN'; UPDATE gone SET placed_at = placed_at + interval '1 day'; "
            "INSERT INTO holds SELECT * FROM gone"
        )
        [(invariant, subject, detail)] = await books.findings()
        assert (invariant, subject.partition(" ")[0]) == ("row_sealed", "holds")
        assert detail == "the row is there, though it was removed"


async def test_small_tables_are_those_with_few_rows_and_few_seals(servers: Servers, tmp_path: Path) -> None:
    async with scene(servers, tmp_path) as books, books.superuser() as insider:
        count = await insider.fetchval("SELECT count(*) FROM accounts")
        async with books.database.connection() as connection:
            assert "accounts" in await small_tables(connection, rows_max=count)
            assert "accounts" not in await small_tables(connection, rows_max=count - 1)
            await insider.execute("UPDATE accounts SET label = label WHERE code = 'VAULT'")
            assert "accounts" not in await small_tables(connection, rows_max=count)
            assert "accounts" in await small_tables(connection, rows_max=count + 1)
