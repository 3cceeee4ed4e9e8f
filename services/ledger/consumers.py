"""What the ledger hears, and what it is asked."""

from collections.abc import Sequence

from libs.common.contracts import api, gateway, ledger_journal, ledger_reports
from libs.common.contracts import ledger as contract
from libs.common.db import Connection
from libs.common.messaging import Bus, Heard
from services.ledger.commands import Commands, JournalCommands, ReportCommands
from services.ledger.domain import Account
from services.ledger.queries import JournalQueries, Queries, ReportQueries


class Consumers:
    """One `on_<event>` per message heard, one `answer_<request>` per question."""

    def __init__(self, commands: Commands, queries: Queries) -> None:
        self._commands = commands
        self._queries = queries

    async def on_payment_captured(self, tx: Connection, heard: Sequence[Heard[gateway.PaymentCaptured]]) -> None:
        """The processor took funds: post each capture once."""
        await self._commands.post_captures(tx, heard)

    async def on_tenant_provisioned(self, tx: Connection, heard: Sequence[Heard[api.TenantProvisioned]]) -> None:
        """A tenant may use the platform: open its default accounts."""
        await self._commands.open_charts(tx, [event.body.tenant_id for event in heard])

    async def answer_list_accounts(self, request: contract.ListAccounts) -> contract.AccountList:
        """What accounts does this tenant have?"""
        return contract.AccountList(accounts=[_wire(a) for a in await self._queries.accounts(request.tenant_id)])

    async def answer_open_account(self, request: contract.OpenAccount) -> contract.Account:
        """Open an account."""
        return _wire(await self._commands.open_account(request))

    async def answer_list_entries(self, request: contract.ListEntries) -> contract.EntryPage:
        """What stands in this tenant's books?"""
        return await self._queries.entries(request)

    async def answer_list_balances(self, request: contract.ListBalances) -> contract.BalanceList:
        """What do this tenant's accounts hold?"""
        return await self._queries.balances(request)


def register(bus: Bus, consumers: Consumers) -> None:
    """Connect every message and question of the ledger with the one that hears it."""
    bus.hear(gateway.PaymentCaptured, consumers.on_payment_captured)
    bus.hear(api.TenantProvisioned, consumers.on_tenant_provisioned)
    bus.answer(contract.ListAccounts, consumers.answer_list_accounts)
    bus.answer(contract.OpenAccount, consumers.answer_open_account)
    bus.answer(contract.ListEntries, consumers.answer_list_entries)
    bus.answer(contract.ListBalances, consumers.answer_list_balances)


def register_reports(bus: Bus, queries: ReportQueries, commands: ReportCommands) -> None:
    """Connect every question about reports with the one that answers it."""
    bus.answer(ledger_reports.ReportRevenue, queries.revenue)
    bus.answer(ledger_reports.ReportRevenueByTenant, queries.revenue_by_tenant)
    bus.answer(ledger_reports.ReportBalances, queries.balances)
    bus.answer(ledger_reports.ReportTrialBalance, queries.trial_balance)
    bus.answer(ledger_reports.ReportStatement, queries.statement)
    bus.answer(ledger_reports.ReportJournal, queries.journal)
    bus.answer(ledger_reports.RefreshReports, commands.refresh)


def register_journal(bus: Bus, queries: JournalQueries, commands: JournalCommands) -> None:
    """Connect everything that is asked about entries that people make with the one that answers it."""
    bus.answer(ledger_journal.PostEntries, commands.post_entries)
    bus.answer(ledger_journal.ProposeEntries, commands.propose)
    bus.answer(ledger_journal.ApproveProposal, commands.approve)
    bus.answer(ledger_journal.RejectProposal, commands.reject)
    bus.answer(ledger_journal.GetProposal, queries.proposal)
    bus.answer(ledger_journal.ListProposals, queries.proposals)
    bus.answer(ledger_journal.GetJournalPolicy, queries.policy)
    bus.answer(ledger_journal.SetJournalPolicy, commands.set_policy)


def _wire(account: Account) -> contract.Account:
    return contract.Account(
        id=account.id,
        code=account.code,
        label=account.label,
        account_type=account.account_type,
        is_default=account.is_default,
    )
