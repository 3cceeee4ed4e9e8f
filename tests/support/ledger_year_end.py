"""The end of a year in the model and in the ledger: what income and expenses came to goes to retained earnings, once."""

from collections import defaultdict
from datetime import UTC, datetime

from libs.common.contracts.ledger import AccountType
from libs.common.contracts.ledger_closing import CloseYear, ClosingOutcome
from libs.common.contracts.ledger_roles import Role
from libs.common.db import Database
from services.ledger.accounts import default_account_id
from services.ledger.balances.sql.effective import effective_balances
from services.ledger.closing import Closing
from tests.support.ledger_model import Key, Model


def results(model: Model, *, ends_before: datetime) -> dict[Key, int]:
    """What counts on each account of income or expenses until the end of its first year: debits less credits, zeros left out."""
    of_result = (AccountType.REVENUE, AccountType.EXPENSE)
    sums = {
        key: debits - credits_
        for key, (debits, credits_) in model.effective(ends_before).items()
        if model.accounts[key[0]].account_type in of_result
    }
    return {key: net for key, net in sums.items() if net}


async def end_year(model: Model, tenant_id: str, database: Database, closing: Closing, year: int) -> None:
    """End the year in which everything was booked, and compare what was moved with the model.

    Raises:
        AssertionError: at the first difference.
    """
    ends_before = datetime(year + 1, 1, 1, tzinfo=UTC)
    left = results(model, ends_before=ends_before)
    expected: dict[str, int] = defaultdict(int)
    for (_, currency), net in left.items():
        expected[currency] -= net
    request = CloseYear(tenant_id=tenant_id, year=year, made_by="proof")
    closed = await closing.close_year(request)
    assert {each.currency: each.result_minor for each in closed.results} == expected
    assert (await closing.close_year(request)).outcome is ClosingOutcome.UNCHANGED
    retained = default_account_id(tenant_id, Role.RETAINED_EARNINGS)
    async with database.connection() as connection:
        codes = {account.code: account.id for account in model.accounts.values()}
        rows = await effective_balances(connection, tenant_id, before=ends_before, currency=None)
    found = {
        (codes.get(row.account, retained), row.currency): row.debits_minor - row.credits_minor
        for row in rows
        if row.account_type in (AccountType.REVENUE, AccountType.EXPENSE, AccountType.EQUITY)
    }
    assert {key: net for key, net in found.items() if net} == {
        (retained, currency): -result for currency, result in expected.items() if result
    }
