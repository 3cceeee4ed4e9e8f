"""What is handled of reports: requests to read and to refresh them."""

from libs.common.contracts.ledger_reports import (
    BalancesReport,
    EntryReport,
    JournalPage,
    RefreshReports,
    ReportBalances,
    ReportEntry,
    ReportJournal,
    ReportRevenue,
    ReportRevenueByTenant,
    ReportsRefreshed,
    ReportStatement,
    ReportTrialBalance,
    RevenueReport,
    StatementPage,
    TrialBalance,
)
from libs.common.messaging import Bus
from services.ledger.reports.commands import ReportCommands
from services.ledger.reports.queries import ReportQueries


class ReportConsumers:
    """Answers requests for reports."""

    def __init__(self, commands: ReportCommands, queries: ReportQueries) -> None:
        self._commands = commands
        self._queries = queries

    def register(self, bus: Bus) -> None:
        """Answer every request of this subject."""
        bus.answer(ReportRevenue, self.on_report_revenue)
        bus.answer(ReportRevenueByTenant, self.on_report_revenue_by_tenant)
        bus.answer(ReportBalances, self.on_report_balances)
        bus.answer(ReportTrialBalance, self.on_report_trial_balance)
        bus.answer(ReportStatement, self.on_report_statement)
        bus.answer(ReportJournal, self.on_report_journal)
        bus.answer(ReportEntry, self.on_report_entry)
        bus.answer(RefreshReports, self.on_refresh_reports)

    async def on_report_revenue(self, request: ReportRevenue) -> RevenueReport:
        """Report a tenant's revenue."""
        return await self._queries.revenue(request)

    async def on_report_revenue_by_tenant(self, request: ReportRevenueByTenant) -> RevenueReport:
        """Report the revenue of every tenant."""
        return await self._queries.revenue_by_tenant(request)

    async def on_report_balances(self, request: ReportBalances) -> BalancesReport:
        """Report what a tenant's accounts held."""
        return await self._queries.balances(request)

    async def on_report_trial_balance(self, request: ReportTrialBalance) -> TrialBalance:
        """Report all accounts with their totals."""
        return await self._queries.trial_balance(request)

    async def on_report_statement(self, request: ReportStatement) -> StatementPage:
        """Report what happened on one account."""
        return await self._queries.statement(request)

    async def on_report_journal(self, request: ReportJournal) -> JournalPage:
        """Report entries in the order of record."""
        return await self._queries.journal(request)

    async def on_report_entry(self, request: ReportEntry) -> EntryReport:
        """Report one entry."""
        return await self._queries.entry(request)

    async def on_refresh_reports(self, request: RefreshReports) -> ReportsRefreshed:
        """Refresh the report views now."""
        return await self._commands.refresh(request)
