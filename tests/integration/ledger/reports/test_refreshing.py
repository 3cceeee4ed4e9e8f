"""Refreshing the reports adds what was posted since, and gives what adding up all of it gives."""

import random
from datetime import timedelta

import pytest

from libs.common.contracts.ledger import AccountType
from libs.common.db import Database
from services.ledger.posting import post_locked
from tests.integration.ledger.bank import Bank

SEED = 20261130

_ALL = """
SELECT account_id, currency, date_bin('15 minutes', posted_at, TIMESTAMPTZ '1970-01-01 00:00:00+00') AS quarter_at,
       coalesce(sum(amount_minor) FILTER (WHERE side = 'DEBIT'), 0)::int8 AS debits_minor,
       coalesce(sum(amount_minor) FILTER (WHERE side = 'CREDIT'), 0)::int8 AS credits_minor,
       max(debits_after_minor) AS debits_after_minor, max(credits_after_minor) AS credits_after_minor,
       max(posted_at) AS posted_last_at
  FROM postings WHERE tenant_id = $1 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
_ADDED = """
SELECT account_id, currency, quarter_at, debits_minor, credits_minor, debits_after_minor, credits_after_minor,
       posted_last_at
  FROM account_turnover WHERE tenant_id = $1 ORDER BY 1, 2, 3
"""


async def refresh(database: Database) -> None:
    """Refresh the reports now."""
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT refresh_reports(interval '0')") is not None


async def rows(database: Database, tenant_id: str, question: str) -> list[tuple[object, ...]]:
    """Read rows about a tenant."""
    return [tuple(row) for row in await database.fetch(question, tenant_id)]


@pytest.fixture
async def shop(bank: Bank) -> Bank:
    """A tenant with two more accounts."""
    await bank.open("SALES", AccountType.REVENUE)
    await bank.open("RENT", AccountType.EXPENSE)
    return bank


async def test_what_is_added_up_is_what_all_of_it_gives(shop: Bank) -> None:
    dice = random.Random(SEED)
    for _ in range(12):
        for _ in range(dice.randint(0, 9)):
            debited, credited = dice.sample(("VAULT", "SALES", "RENT"), 2)
            currency = dice.choice(("BRL", "USD"))
            await shop.post(debited, credited, dice.randint(1, 500), currency=currency)
            shop.clock.advance(timedelta(seconds=dice.choice((0, 1, 400, 4000))))
        await refresh(shop.database)
        assert await rows(shop.database, shop.tenant_id, _ADDED) == await rows(shop.database, shop.tenant_id, _ALL)


async def test_a_refresh_writes_nothing_of_what_is_over(shop: Bank) -> None:
    await refresh(shop.database)
    written = "SELECT account_id, currency, quarter_at, xmin::text FROM account_turnover WHERE tenant_id = $1 ORDER BY 1, 2, 3"
    before = await rows(shop.database, shop.tenant_id, written)
    assert before
    shop.clock.advance(timedelta(minutes=15))
    await shop.post("VAULT", "SALES", 5)
    await refresh(shop.database)
    after = await rows(shop.database, shop.tenant_id, written)
    assert set(before) < set(after)
    assert len(after) == len(before) + 2
    await refresh(shop.database)
    assert await rows(shop.database, shop.tenant_id, written) == after


async def test_what_is_committed_after_a_refresh_is_in_the_next_one(shop: Bank) -> None:
    booking = shop.booking("VAULT", "SALES", 70)
    async with shop.database.transaction() as tx:
        await post_locked(tx, [booking], clock=shop.clock)
        await refresh(shop.database)
        missing = await rows(shop.database, shop.tenant_id, _ADDED)
    everything = await rows(shop.database, shop.tenant_id, _ALL)
    assert missing != everything
    await refresh(shop.database)
    assert await rows(shop.database, shop.tenant_id, _ADDED) == everything
