"""The figures of financial statements: by effect and by record, tied to the periods that were closed."""

from datetime import UTC, datetime, timedelta

import pytest

from libs.common.contracts.ledger import AccountType
from libs.common.contracts.ledger_errors import QueryInvalid
from libs.common.contracts.ledger_statements import AccountFigures, Basis, ReportFigures, Span, SpanFigures
from services.ledger.balances.sql.effective import fold
from services.ledger.statements import StatementQueries
from tests.integration.ledger.bank import Bank

OCTOBER, NOVEMBER, DECEMBER = (datetime(2025, month, 1, 3, tzinfo=UTC) for month in (10, 11, 12))
"""Midnights of São Paulo."""


@pytest.fixture
async def shop(bank: Bank) -> Bank:
    """A tenant with revenue, an expense and cash."""
    await bank.open("SALES", AccountType.REVENUE)
    await bank.open("RENT", AccountType.EXPENSE)
    return bank


async def column(
    bank: Bank,
    begins_at: datetime | None,
    ends_before: datetime,
    *,
    basis: Basis = Basis.EFFECTIVE,
    currency: str | None = None,
) -> SpanFigures:
    """Read one column."""
    queries = StatementQueries(bank.database, clock=bank.clock)
    span = Span(begins_at=begins_at, ends_before=ends_before)
    figures = await queries.figures(
        ReportFigures(tenant_id=bank.tenant_id, spans=[span], basis=basis, currency=currency)
    )
    (found,) = figures.columns
    assert found.span == span
    return found


def turned(found: SpanFigures) -> dict[str, int]:
    """Net credits of each account in the span."""

    def net(one: AccountFigures) -> int:
        return (one.closing_credits_minor - one.opening_credits_minor) - (
            one.closing_debits_minor - one.opening_debits_minor
        )

    return {one.account: net(one) for one in found.accounts if net(one)}


async def test_what_is_back_dated_counts_in_its_month_by_effect_alone(shop: Bank) -> None:
    await shop.post("VAULT", "SALES", 500, occurred_at=OCTOBER)
    await shop.post("VAULT", "SALES", 70, occurred_at=NOVEMBER - timedelta(microseconds=1))
    await shop.post("RENT", "VAULT", 40, occurred_at=NOVEMBER)
    october = await column(shop, OCTOBER, NOVEMBER)
    assert turned(october) == {"VAULT": -570, "SALES": 570}
    assert turned(await column(shop, NOVEMBER, DECEMBER)) == {"VAULT": 40, "RENT": -40}
    now = shop.clock.now()
    recorded = await column(shop, now - timedelta(seconds=1), now + timedelta(seconds=1), basis=Basis.RECORD)
    assert turned(recorded)["SALES"] == 570
    assert turned(await column(shop, OCTOBER, NOVEMBER, basis=Basis.RECORD)) == {}
    async with shop.database.transaction() as tx:
        await fold(tx, postings_min=1, accounts_max=1000, postings_max=1000)
    assert await column(shop, OCTOBER, NOVEMBER) == october


async def test_a_closed_month_shows_what_was_sealed_for_ever(shop: Bank) -> None:
    await shop.post("VAULT", "SALES", 500, occurred_at=OCTOBER)
    await shop.post("VAULT", "SALES", 8, occurred_at=OCTOBER, currency="USD")
    open_column = await column(shop, OCTOBER, NOVEMBER)
    assert (open_column.is_final, open_column.seal) == (False, None)
    midnight = NOVEMBER.replace(hour=0)
    await shop.close(midnight)
    closed = await column(shop, midnight - timedelta(days=31), midnight)
    assert closed.is_final
    assert closed.seal is not None
    assert (closed.seal.ends_before, closed.seal.closed_by, closed.seal.is_equal) == (midnight, "ops@demo", True)
    # What is known of October later counts from November on.
    await shop.post("VAULT", "SALES", 30, occurred_at=OCTOBER, from_message=True)
    assert await column(shop, midnight - timedelta(days=31), midnight) == closed
    assert turned(await column(shop, midnight, DECEMBER)) == {"VAULT": -30, "SALES": 30}
    # The seal is of all currencies, whichever is requested.
    dollars = await column(shop, None, midnight, currency="USD")
    assert dollars.seal == closed.seal
    assert {one.currency for one in dollars.accounts} == {"USD"}
    # A column that ends elsewhere in the closed time is final, and has no seal.
    earlier = await column(shop, None, midnight - timedelta(days=1))
    assert (earlier.is_final, earlier.seal) == (True, None)
    by_record = await column(shop, None, midnight, basis=Basis.RECORD)
    assert by_record.seal is None


async def test_a_seal_that_differs_from_the_books_is_shown(shop: Bank) -> None:
    await shop.post("VAULT", "SALES", 500, occurred_at=OCTOBER)
    midnight = NOVEMBER.replace(hour=0)
    await shop.close(midnight)
    await shop.database.fetch(
        "UPDATE effective_totals SET debits_minor = debits_minor WHERE tenant_id = $1", shop.tenant_id
    )
    async with shop.database.transaction() as tx:
        await fold(tx, postings_min=1, accounts_max=1000, postings_max=1000)
    assert await sealed(shop, midnight)
    await shop.database.fetch(
        "UPDATE effective_totals SET debits_minor = debits_minor + 1 WHERE tenant_id = $1 AND grain = 'DAY'",
        shop.tenant_id,
    )
    assert not await sealed(shop, midnight)


async def sealed(bank: Bank, ends_before: datetime) -> bool:
    """Tell whether the books show what was closed."""
    found = await column(bank, None, ends_before)
    assert found.seal is not None
    return found.seal.is_equal


async def test_all_columns_are_of_one_moment_and_bounded(shop: Bank) -> None:
    queries = StatementQueries(shop.database, clock=shop.clock)
    spans = [Span(begins_at=None, ends_before=at) for at in (OCTOBER, NOVEMBER)]
    figures = await queries.figures(ReportFigures(tenant_id=shop.tenant_id, spans=spans))
    assert [one.span for one in figures.columns] == spans
    for wrong in ([], spans * 7, [Span(begins_at=NOVEMBER, ends_before=NOVEMBER)]):
        with pytest.raises(QueryInvalid):
            await queries.figures(ReportFigures(tenant_id=shop.tenant_id, spans=wrong))


async def test_an_account_that_played_a_role_before_keeps_it(shop: Bank) -> None:
    await shop.database.fetch(
        "INSERT INTO role_changes (tenant_id, revision, role, account_id, changed_at, changed_by) "
        "VALUES ($1, 1, 'REVENUE', $2, now(), 'ops'), ($1, 2, 'REVENUE', $3, now(), 'ops')",
        shop.tenant_id,
        shop.ids["SALES"],
        shop.ids["WALLET"],
    )
    await shop.post("VAULT", "SALES", 5)
    found = await column(shop, None, shop.clock.now() + timedelta(days=1))
    roles = {one.account: one.roles for one in found.accounts}
    assert (roles["SALES"], roles["WALLET"], roles["VAULT"]) == (["REVENUE"], ["REVENUE"], [])
