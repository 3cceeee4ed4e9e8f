"""Balances at any instant of record and of effect."""

from datetime import timedelta

from libs.common.contracts import ledger_books as contract
from services.ledger.balances.sql.effective import AccountKey, FoldCursor, fold, look
from tests.integration.ledger.bank import Bank


class TestInstants:
    """Balances as they stood, by the instant of record and by the instant at which postings count."""

    async def test_a_back_dated_entry_counts_where_it_is_dated(self, bank: Bank) -> None:
        begun = bank.clock.now()
        bank.clock.advance(timedelta(hours=2))
        await bank.post("VAULT", "WALLET", 200, occurred_at=begun - timedelta(days=40))
        recorded, effective = contract.BookTime.RECORDED, contract.BookTime.EFFECTIVE
        yesterday, later = begun - timedelta(days=1), begun + timedelta(hours=1)
        assert await bank.at(yesterday, recorded) == {}
        assert await bank.at(yesterday, effective) == {"VAULT": -200, "WALLET": 200}
        assert await bank.at(later, recorded) == {"VAULT": -1000, "WALLET": 1000}
        assert await bank.at(later, effective) == {"VAULT": -1200, "WALLET": 1200}

    async def test_summing_changes_no_answer(self, bank: Bank) -> None:
        begun = bank.clock.now()
        instants = []
        for i in range(40):
            bank.clock.advance(timedelta(seconds=17 * i))
            instants.append(bank.clock.now() - timedelta(seconds=(i % 5) * 1000))
            await bank.post("VAULT", "WALLET", 1 + i, occurred_at=instants[-1])
        requested = [*instants, begun, bank.clock.now() + timedelta(days=1)]
        before = [await bank.at(instant, contract.BookTime.EFFECTIVE) for instant in requested]
        for postings_max in (7, 3, 1000):
            async with bank.database.transaction() as tx:
                assert await fold(tx, postings_min=1, accounts_max=1000, postings_max=postings_max) > 0
            assert [await bank.at(instant, contract.BookTime.EFFECTIVE) for instant in requested] == before
        async with bank.database.transaction() as tx:
            assert await fold(tx, postings_min=1, accounts_max=1000, postings_max=1000) == 0

    async def test_each_round_looks_at_busy_accounts_and_at_a_part_of_the_others(self, bank: Bank) -> None:
        await bank.post("VAULT", "WALLET", 1)
        cursor = FoldCursor()
        expected = (
            "SELECT count(*) AS n FROM balances b LEFT JOIN effective_folds f USING (tenant_id, account_id, currency) "
        )
        expected += "WHERE b.version > coalesce(f.version, 0)"
        row = await bank.database.fetchrow(expected)
        every = await bank.database.fetchrow("SELECT count(*) AS n FROM balances")
        assert row is not None
        assert every is not None
        due: list[AccountKey] = []
        for _ in range(every["n"]):
            async with bank.database.transaction() as tx:
                looked = await look(tx, cursor, postings_min=1, accounts_max=1)
            # One that is due, and one more at most.
            assert len(looked) <= 2
            due += looked
        assert len(set(due)) == row["n"]
        mine = [key for key in set(due) if key[0] == bank.tenant_id]
        assert len(mine) == 2
        for accounts in (mine[:1], mine[1:]):
            async with bank.database.transaction() as tx:
                found = await fold(tx, postings_min=1, accounts_max=10, postings_max=1000, accounts=accounts)
                assert found > 0
                again = await fold(tx, postings_min=1, accounts_max=10, postings_max=1000, accounts=accounts)
                assert again == 0
        cursor = FoldCursor()
        cursor.busy = dict.fromkeys(mine)
        async with bank.database.transaction() as tx:
            assert not set(await look(tx, cursor, postings_min=1, accounts_max=10)) & set(mine)
