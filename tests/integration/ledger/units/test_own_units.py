"""Own units: a tenant counts in them in its books, exactly, within bounds that are named."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import asyncpg
import pytest

from libs.common.contracts.ledger import AccountType
from libs.common.contracts.ledger_closing import CloseYear, RevalueCurrencies
from libs.common.contracts.ledger_errors import (
    AccountInvalid,
    BalanceOverflow,
    QueryInvalid,
    RateInvalid,
    UnitConflict,
    UnitInvalid,
    UnitLimitReached,
)
from libs.common.contracts.ledger_journal import Outcome
from libs.common.contracts.ledger_money import GetConsolidatedBalances, RecordExchangeRate
from libs.common.contracts.ledger_policy import ApprovalRule, Threshold
from libs.common.contracts.ledger_reports import (
    Granularity,
    ReportRevenue,
    ReportRevenueByTenant,
    ReportStatement,
    ReportTrialBalance,
)
from libs.common.contracts.ledger_roles import AssignAccountRole, Role
from libs.common.contracts.ledger_units import AddOwnUnit, ListOwnUnits, OwnUnit
from libs.common.ids import new_id
from libs.common.money import OWN_UNIT_MINOR_MAX, UnsupportedCurrency, format_minor
from services.ledger.closing import Closing
from services.ledger.core import BALANCE_MINOR_MAX
from services.ledger.exchange import ExchangeCommands, ExchangeQueries
from services.ledger.posting_rules import RoleCommands
from services.ledger.units import UnitCommands
from services.ledger.units.domain import UNITS_MAX
from tests.integration.ledger.bank import Bank
from tests.integration.ledger.books import Books, moved
from tests.integration.ledger.conftest import audit
from tests.integration.ledger.policies.test_changes import Board

ETHER = "0.123456789012345678"
ETHER_MINOR = 123456789012345678


async def add(books: Books, tenant_id: str, code: str, name: str = "Loyalty points") -> OwnUnit:
    return await UnitCommands(books.database, clock=books.clock).add(
        AddOwnUnit(tenant_id=tenant_id, code=code, name=name, created_by="cfo@example.com")
    )


async def totals(books: Books, tenant_id: str, currency: str) -> dict[str, int]:
    """Net debits of each account in the trial balance."""
    rows = (await books.reports.trial_balance(ReportTrialBalance(tenant_id=tenant_id))).rows
    return {row.account: row.debits_minor - row.credits_minor for row in rows if row.currency == currency}


async def test_an_own_unit_is_added_once_and_never_changes(books: Books, tenant_id: str) -> None:
    points = await add(books, tenant_id, "PT2")
    assert (points.exponent, points.created_at, points.created_by) == (2, books.clock.now(), "cfo@example.com")
    books.clock.advance(timedelta(hours=1))
    assert await add(books, tenant_id, "PT2") == points
    with pytest.raises(UnitConflict, match="PT2 is Loyalty points"):
        await add(books, tenant_id, "PT2", "Miles")
    ether = await add(books, tenant_id, "E8T", "Ether")
    assert await add(books, f"{tenant_id}-other", "PT2", "Miles") != points
    listed = await UnitCommands(books.database, clock=books.clock).units(ListOwnUnits(tenant_id=tenant_id))
    assert listed.units == [ether, points]
    for statement in ("UPDATE own_units SET exponent = 4", "DELETE FROM own_units"):
        with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.RestrictViolationError)):
            await books.database.fetch(statement)


@pytest.mark.parametrize(
    ("code", "name"),
    [("BRL", "Real"), ("PTS", "Points"), ("pt2", "Points"), ("P9T", "x"), ("", "x"), ("PT2\n", "x"), ("PT2", ""),
     ("PT2", "x" * 101), ("PT2", " x"), ("PT2", "a\nb")],
)  # fmt: skip
async def test_a_unit_with_a_code_or_name_that_none_can_have(
    books: Books, tenant_id: str, code: str, name: str
) -> None:
    with pytest.raises(UnitInvalid) as refused:
        await add(books, tenant_id, code, name)
    assert refused.value.errors[0][0] in {"/code", "/name"}


async def test_a_tenant_has_a_bounded_number_of_units(books: Books, tenant_id: str) -> None:
    codes = [f"{first}{second}2" for first in "ABCDEFGH" for second in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    for code in codes[:UNITS_MAX]:
        await add(books, tenant_id, code)
    with pytest.raises(UnitLimitReached):
        await add(books, tenant_id, codes[UNITS_MAX])
    assert (await add(books, tenant_id, codes[0])).code == codes[0]


async def test_a_unit_that_the_tenant_does_not_have_is_refused(bank: Bank, books: Books) -> None:
    tenant_id = bank.tenant_id
    await add(books, f"{tenant_id}-other", "PT2")
    answer = await books.post(tenant_id, moved("CASH", "REVENUE", "1.00", "PT2"))
    result = answer.results[0]
    assert (result.outcome, result.code) == (Outcome.REFUSED, "unsupported_currency")
    assert result.pointer == "/entries/0/lines/0/currency"
    assert "has no own unit PT2" in result.detail
    with pytest.raises(UnsupportedCurrency, match="has no own unit PT2"):
        await bank.hold(100, currency="PT2")
    with pytest.raises(AccountInvalid, match="has no own unit PT2"):
        await bank.open("POINTS", AccountType.LIABILITY, currencies=["BRL", "PT2"])
    await add(books, tenant_id, "PT2")
    await bank.open("POINTS", AccountType.LIABILITY, currencies=["BRL", "PT2"])
    await bank.post("VAULT", "WALLET", 100, currency="PT2")


async def test_books_count_in_an_own_unit_with_eighteen_decimals(bank: Bank, books: Books) -> None:
    """By entries, approval, holds, a statement, a trial balance and the end of the year."""
    tenant_id = bank.tenant_id
    await add(books, tenant_id, "E8T", "Ether")
    await books.open_account(tenant_id, "CHEST", AccountType.ASSET)
    answer = await books.post(tenant_id, moved("CHEST", "REVENUE", ETHER, "E8T"))
    assert [result.outcome for result in answer.results] == [Outcome.POSTED]
    await bank.post("VAULT", "WALLET", ETHER_MINOR, currency="E8T")
    assert (await bank.capture(await bank.hold(ETHER_MINOR, currency="E8T"), 1)).captured_minor == 1
    assert await totals(books, tenant_id, "E8T") == {
        "CHEST": ETHER_MINOR,
        "REVENUE": -ETHER_MINOR,
        "VAULT": ETHER_MINOR - 1,
        "WALLET": 1 - ETHER_MINOR,
    }
    statement = await books.reports.statement(ReportStatement(tenant_id=tenant_id, account="CHEST", currency="E8T"))
    assert [format_minor(line.amount_minor, "E8T") for line in statement.lines] == [ETHER]
    year = books.clock.now().year
    bank.clock.advance(datetime(year + 1, 1, 2, tzinfo=UTC) - bank.clock.now())
    await Closing(books.journal).close_year(CloseYear(tenant_id=tenant_id, year=year, made_by="chief@example.com"))
    after = await totals(books, tenant_id, "E8T")
    assert after["REVENUE"] == 0
    assert sum(after.values()) == 0
    assert await audit(books.database) == []


async def test_a_year_of_more_than_one_entry_holds_is_closed(books: Books, tenant_id: str) -> None:
    """As long as what is left fits on retained earnings; none is closed but all."""
    await add(books, tenant_id, "E8T", "Ether")
    for code, kind in (("R", AccountType.REVENUE), ("X", AccountType.EXPENSE), ("A", AccountType.ASSET)):
        for number in range(4):
            await books.open_account(tenant_id, f"{code}{number}", kind)
    for number in range(4):
        earned = [moved(f"A{number}", f"R{number}", "1", "E8T") for _ in range(5)]
        await books.post(tenant_id, *earned, *[moved(f"X{number}", f"A{number}", "1", "E8T") for _ in range(4)])
    await books.post(tenant_id, moved("CASH", "REVENUE", "7.00", "BRL"))
    year = books.clock.now().year
    books.clock.advance(datetime(year + 1, 1, 2, tzinfo=UTC) - books.clock.now())
    await Closing(books.journal).close_year(CloseYear(tenant_id=tenant_id, year=year, made_by="chief@example.com"))
    after = await totals(books, tenant_id, "E8T")
    assert {account: net for account, net in after.items() if net} == {
        **{f"A{number}": OWN_UNIT_MINOR_MAX for number in range(4)},
        "RETAINED_EARNINGS": -4 * OWN_UNIT_MINOR_MAX,
    }
    assert (await totals(books, tenant_id, "BRL"))["REVENUE"] == 0
    assert await audit(books.database) == []


async def test_too_much_of_an_own_unit_is_refused_and_nothing_is_left(books: Books, tenant_id: str) -> None:
    """One amount, and all that an account ever moved, within 64 bits: at 18 decimals 1 and 9.2 units."""
    await add(books, tenant_id, "E8T", "Ether")
    too_much = await books.post(tenant_id, moved("CASH", "REVENUE", "1.000000000000000001", "E8T"))
    assert too_much.results[0].code == "invalid_amount"
    assert "must not exceed 1.000000000000000000 E8T" in too_much.results[0].detail
    await books.post(tenant_id, *[moved("CASH", "REVENUE", "1", "E8T") for _ in range(9)])
    last = await books.post(tenant_id, moved("CASH", "REVENUE", "0.223372036854775808", "E8T"))
    assert last.results[0].code == BalanceOverflow.code
    assert (await books.post(tenant_id, moved("CASH", "REVENUE", "0.223372036854775807", "E8T"))).results[0].code == ""
    assert await totals(books, tenant_id, "E8T") == {"CASH": BALANCE_MINOR_MAX, "REVENUE": -BALANCE_MINOR_MAX}


async def test_an_own_unit_has_no_rate_and_no_gain(bank: Bank, books: Books) -> None:
    tenant_id, clock = bank.tenant_id, bank.clock
    await add(books, tenant_id, "PT2")
    await books.post(tenant_id, moved("CASH", "REVENUE", "7.00", "PT2"))
    exchange = ExchangeCommands(books.database, clock=clock)
    with pytest.raises(RateInvalid):
        await exchange.record_rate(
            RecordExchangeRate(
                tenant_id=tenant_id, rate_id=new_id(), from_currency="PT2", to_currency="BRL", rate=Decimal(1),
                source="own", actor="cfo@example.com",
            )
        )  # fmt: skip
    found = await ExchangeQueries(books.database, clock=clock).consolidated(
        GetConsolidatedBalances(tenant_id=tenant_id, currency="BRL")
    )
    assert "PT2" in found.unconverted
    day = clock.now().date()
    clock.advance(timedelta(days=2))
    done = await Closing(books.journal).revalue(
        RevalueCurrencies(tenant_id=tenant_id, day=date(day.year, day.month, day.day), currency="BRL", made_by="chief")
    )
    assert done.results == []


async def test_a_report_of_revenue_beyond_64_bits_is_refused(books: Books, tenant_id: str) -> None:
    """Two accounts hold what one message cannot; operators see no own units of tenants."""
    await add(books, tenant_id, "E8T", "Ether")
    await books.post(tenant_id, *[moved("CASH", "REVENUE", "1", "E8T") for _ in range(9)])
    await books.refresh()
    requested = ReportRevenue(tenant_id=tenant_id, granularity=Granularity.DAY)
    report = await books.reports.revenue(requested)
    assert {row.gross_minor for row in report.rows if row.currency == "E8T"} == {9 * OWN_UNIT_MINOR_MAX}
    by_tenant = await books.reports.revenue_by_tenant(ReportRevenueByTenant())
    assert "E8T" not in {row.currency for row in by_tenant.rows}
    await books.open_account(tenant_id, "SALES", AccountType.REVENUE)
    await books.open_account(tenant_id, "CHEST", AccountType.ASSET)
    await RoleCommands(books.database, clock=books.clock).assign(
        AssignAccountRole(tenant_id=tenant_id, role=Role.REVENUE, account="SALES", actor="ana")
    )
    await books.post(tenant_id, *[moved("CHEST", "SALES", "1", "E8T") for _ in range(9)])
    await books.refresh()
    with pytest.raises(QueryInvalid, match="the revenue in E8T exceeds"):
        await books.reports.revenue(requested)


async def test_a_policy_asks_for_a_second_person_from_an_amount_on(books: Books, tenant_id: str) -> None:
    await add(books, tenant_id, "PT2")
    board = Board(books, tenant_id)
    threshold = Threshold(currency="PT2", at_least_minor=OWN_UNIT_MINOR_MAX)
    await board.approve(await board.propose(ApprovalRule(thresholds=[threshold])))
    answer = await books.post(tenant_id, moved("CASH", "REVENUE", "9999999999999999.99", "PT2"))
    assert answer.results[0].outcome is Outcome.POSTED
    refused = await books.post(tenant_id, moved("CASH", "REVENUE", "10000000000000000.00", "PT2"))
    assert refused.results[0].code == "approval_required"
