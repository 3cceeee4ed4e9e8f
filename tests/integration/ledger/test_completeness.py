"""Every field of a hold, an account and an entry survives its row, and what never changes is kept by the database."""

from datetime import timedelta
from typing import cast

import asyncpg
import msgspec
import pytest

from libs.common.clock import SystemClock
from libs.common.contracts.ledger import AccountType, JournalEntry, PostingLine
from libs.common.db import Database
from libs.common.ids import new_id
from libs.common.observability.correlation import Correlation
from services.ledger import posting
from services.ledger.accounts import open_accounts
from services.ledger.accounts.sql import account_by_id
from services.ledger.core import RESOLVED_FIELDS, Account, Entry, Hold
from services.ledger.entries.sql.journal import entry_by_id, journal_of
from services.ledger.posting import Booking, Posted
from services.ledger.posting.sql import holds
from tests.integration.ledger.bank import Bank
from tests.integration.ledger.test_schema import as_owner
from tests.support.databases import TestDatabase
from tests.support.fields import distinct
from tests.unit.ledger.core.test_completeness import ACCOUNT, ENTRY, ENTRY_NOT_A_COLUMN, HOLD

CHANGED = {
    "tenant_id": "tenant_id || 'x'",
    "id": "gen_random_uuid()",
    "debit_account_id": "credit_account_id",
    "credit_account_id": "debit_account_id",
    "currency": "'USD'",
    "amount_minor": "amount_minor + 1",
    "placed_at": "placed_at + interval '1 minute'",
    "expires_at": "expires_at + interval '1 minute'",
}
"""Another value of each field that is never changed, as SQL."""


async def test_account_survives_its_row(database: Database, tenant_id: str) -> None:
    account = msgspec.structs.replace(ACCOUNT, tenant_id=tenant_id, id=new_id())
    async with database.transaction() as tx:
        assert await open_accounts(tx, [account], opened_at=SystemClock().now()) == [account]
        assert await account_by_id(tx, tenant_id, account.id) == account


async def test_hold_survives_its_row(bank: Bank) -> None:
    placed = await bank.hold(700)
    whole = msgspec.structs.replace(
        HOLD,
        tenant_id=bank.tenant_id,
        id=new_id(),
        debit_account_id=bank.ids["WALLET"],
        credit_account_id=bank.ids["VAULT"],
    )
    assert placed.currency == whole.currency
    async with bank.database.transaction() as tx:
        await holds.write_placed(tx, [whole])
        assert await holds.holds_by_id(tx, [(bank.tenant_id, whole.id)]) == {(bank.tenant_id, whole.id): whole}


@pytest.mark.parametrize("name", [name for name in Hold.__struct_fields__ if name not in RESOLVED_FIELDS])
async def test_field_of_a_hold_is_kept_by_the_database(bank: Bank, ledger_database: TestDatabase, name: str) -> None:
    assert name in CHANGED, f"add here how {name} would be changed"
    placed = await bank.hold(1, lasts=timedelta(hours=1))
    with pytest.raises(asyncpg.RestrictViolationError, match="changes in nothing else"):
        await as_owner(
            ledger_database,
            f"UPDATE holds SET state = 'VOIDED', resolved_at = now(), {name} = {CHANGED[name]} WHERE id = $1",
            placed.id,
        )


async def test_entry_survives_its_row(database: Database, tenant_id: str) -> None:
    accounts = [
        Account(tenant_id=tenant_id, id=line.account_id, code=str(place), label="L", account_type=AccountType.ASSET)
        for place, line in enumerate(ENTRY.lines)
    ]
    entry = msgspec.structs.replace(ENTRY, tenant_id=tenant_id, id=new_id(), reverses=new_id())
    async with database.transaction() as tx:
        await open_accounts(tx, accounts, opened_at=SystemClock().now())
        booking = Booking(entry=entry, correlation=Correlation(correlation_id="c", tenant_id=tenant_id))
        (outcome,) = await posting.post_locked(tx, [booking], clock=SystemClock())
    assert isinstance(outcome, Posted)
    row = await database.fetchrow("SELECT * FROM journal_entries WHERE tenant_id = $1 AND id = $2", tenant_id, entry.id)
    assert row is not None
    for name in set(Entry.__struct_fields__) - set(ENTRY_NOT_A_COLUMN):
        assert row[name] == getattr(entry, name), f"{name} of an entry is lost"
    async with database.connection() as connection:
        read = await entry_by_id(connection, tenant_id, entry.id)
    for name in set(JournalEntry.__struct_fields__) - {"lines"}:
        assert getattr(read, name) == row[name], f"{name} of an entry is not read"
    assert read.lines == [
        PostingLine(side=line.side, account=str(place), amount_minor=line.amount_minor, currency=line.currency)
        for place, line in enumerate(entry.lines)
    ]


def test_each_column_of_an_entry_is_read_into_its_own_field() -> None:
    head, line = distinct(JournalEntry, lines=[]), distinct(PostingLine)
    row = msgspec.structs.asdict(head) | msgspec.structs.asdict(line) | {"code": line.account}
    assert journal_of([cast("asyncpg.Record", row)]) == [msgspec.structs.replace(head, lines=[line])]
