"""What the engine knows of accounts and periods holds for entries that people make, and reports follow an account's role."""

from datetime import timedelta

import msgspec
import pytest

from libs.common.contracts.ledger import AccountType, OpenAccount
from libs.common.contracts.ledger_books import ClosePeriod
from libs.common.contracts.ledger_journal import Mode
from libs.common.contracts.ledger_reports import ReportRevenue
from libs.common.contracts.ledger_roles import AssignAccountRole, Role
from libs.common.errors import Unavailable
from libs.common.ids import new_id
from services.ledger.periods import Periods
from services.ledger.posting_rules import RoleCommands
from tests.integration.ledger.books import Books, moved


async def test_a_closed_period_refuses_what_happened_in_it(books: Books, tenant_id: str) -> None:
    now = books.clock.now()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    periods = Periods(books.database, clock=books.clock)
    await periods.close(ClosePeriod(tenant_id=tenant_id, ends_before=midnight, closed_by="cfo"))
    late = msgspec.structs.replace(moved("CASH", "REVENUE"), occurred_at=midnight - timedelta(seconds=1))
    answer = await books.post(tenant_id, moved("CASH", "REVENUE"), late)
    assert [(r.outcome, r.code, r.pointer) for r in answer.results] == [
        ("not_posted", "", ""),
        ("refused", "period_closed", "/entries/1"),
    ]
    assert await books.count(tenant_id) == (0, 0, 0)


async def test_whoever_closes_a_period_stops_waiting_for_a_group_that_hangs(books: Books, tenant_id: str) -> None:
    midnight = books.clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    periods = Periods(books.database, clock=books.clock)
    closing = ClosePeriod(tenant_id=tenant_id, ends_before=midnight, closed_by="cfo")
    async with books.database.transaction() as hanging:
        await hanging.execute("SELECT pg_advisory_xact_lock_shared(x'636c6f7365'::int8)")
        with pytest.raises(Unavailable, match="entries are being posted"):
            await periods.close(closing)
        # Nobody stands behind it any longer.
        answer = await books.post(tenant_id, moved("CASH", "REVENUE"))
        assert [result.outcome for result in answer.results] == ["posted"]
    assert (await periods.close(closing)).ends_before == midnight


async def test_an_accounts_own_limits_refuse_only_what_crosses_them(books: Books, tenant_id: str) -> None:
    await books.commands.open_account(
        OpenAccount(
            tenant_id=tenant_id,
            account_id=new_id(),
            code="WALLET",
            label="Wallet",
            account_type=AccountType.LIABILITY,
            floor_minor=0,
            currencies=["BRL"],
        )
    )
    answer = await books.post(
        tenant_id,
        moved("CASH", "WALLET", "5.00"),
        moved("WALLET", "CASH", "6.00"),
        moved("WALLET", "CASH", "5.00"),
        moved("CASH", "WALLET", "5.00", "USD"),
        mode=Mode.INDEPENDENT,
    )
    assert [(r.outcome, r.code) for r in answer.results] == [
        ("posted", ""),
        ("refused", "floor_crossed"),
        ("posted", ""),
        ("refused", "currency_not_taken"),
    ]


async def test_revenue_counts_every_account_that_has_played_the_role(books: Books, tenant_id: str) -> None:
    await books.open_account(tenant_id, "SALES", AccountType.REVENUE)
    await books.post(tenant_id, moved("CASH", "REVENUE", "1.00"), moved("CASH", "SALES", "2.00"))
    await books.refresh()
    before = await books.reports.revenue(ReportRevenue(tenant_id=tenant_id))
    await RoleCommands(books.database, clock=books.clock).assign(
        AssignAccountRole(tenant_id=tenant_id, role=Role.REVENUE, account="SALES", actor="cfo")
    )
    after = await books.reports.revenue(ReportRevenue(tenant_id=tenant_id))
    assert [row.gross_minor for row in (*before.rows, *after.rows)] == [100, 300]
