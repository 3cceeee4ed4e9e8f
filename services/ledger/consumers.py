"""What the ledger hears, and what it is asked."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from libs.common.contracts import api, gateway, ledger_journal, ledger_reports
from libs.common.contracts import ledger as contract
from libs.common.contracts import ledger_money as money
from libs.common.db import Connection
from libs.common.messaging import Bus, Received
from libs.common.observability.correlation import Correlation
from services.ledger import rules
from services.ledger.claims import Claims
from services.ledger.commands import Commands, ExchangeCommands, JournalCommands, ReportCommands, RoleCommands
from services.ledger.domain import Account
from services.ledger.queries import ExchangeQueries, JournalQueries, Queries, ReportQueries, wire_rate


class Consumers:
    """One `on_<event>` per message heard, one `answer_<request>` per question."""

    def __init__(
        self,
        commands: Commands,
        queries: Queries,
        *,
        roles: RoleCommands,
        exchange: ExchangeCommands,
        exchange_queries: ExchangeQueries,
    ) -> None:
        self._commands = commands
        self._queries = queries
        self._roles = roles
        self._exchange = exchange
        self._exchange_queries = exchange_queries

    async def on_payment_captured(self, tx: Connection, received: Sequence[Received[gateway.PaymentCaptured]]) -> None:
        """The processor took funds: post each capture once."""
        facts = [_fact(event, event.body.payment_intent_id, event.body.captured_at) for event in received]
        await self._commands.post_occurrences(tx, rules.capture_entry, facts)

    async def on_refund_succeeded(self, tx: Connection, received: Sequence[Received[gateway.RefundSucceeded]]) -> None:
        """The processor gave money back: post each refund once."""
        facts = [_fact(event, event.body.refund_id, event.body.refunded_at) for event in received]
        await self._commands.post_occurrences(tx, rules.refund_entry, facts)

    async def on_refund_failed(self, tx: Connection, received: Sequence[Received[gateway.RefundFailed]]) -> None:
        """A refund did not reach the customer: undo what was posted, or will be once its success is heard."""
        undone = [event for event in received if event.body.after_success]
        facts = [_fact(event, event.body.refund_id, event.body.failed_at) for event in undone]
        await self._commands.post_occurrences(tx, rules.refund_failure_entry, facts)

    async def on_dispute_opened(self, tx: Connection, received: Sequence[Received[gateway.DisputeOpened]]) -> None:
        """A customer's bank took money back: it waits in clearing."""
        facts = [_fact(event, event.body.dispute_id, event.body.happened_at) for event in received]
        await self._commands.post_occurrences(tx, rules.dispute_opened_entry, facts)

    async def on_dispute_won(self, tx: Connection, received: Sequence[Received[gateway.DisputeWon]]) -> None:
        """The bank gave the money back: clear it to where it came from."""
        facts = [_fact(event, event.body.dispute_id, event.body.happened_at) for event in received]
        await self._commands.post_occurrences(tx, rules.dispute_won_entry, facts)

    async def on_dispute_lost(self, tx: Connection, received: Sequence[Received[gateway.DisputeLost]]) -> None:
        """The money is gone: clear it to the losses."""
        facts = [_fact(event, event.body.dispute_id, event.body.happened_at) for event in received]
        await self._commands.post_occurrences(tx, rules.dispute_lost_entry, facts)

    async def on_processor_fee_charged(
        self, tx: Connection, received: Sequence[Received[gateway.ProcessorFeeCharged]]
    ) -> None:
        """The processor kept a fee: post each fee once."""
        facts = [_fact(event, event.body.fee_id, event.body.charged_at) for event in received]
        await self._commands.post_occurrences(tx, rules.processor_fee_entry, facts)

    async def on_payout_created(self, tx: Connection, received: Sequence[Received[gateway.PayoutCreated]]) -> None:
        """Money is on its way to the tenant's bank."""
        facts = [_fact(event, event.body.payout_id, event.body.happened_at) for event in received]
        await self._commands.post_occurrences(tx, rules.payout_created_entry, facts)

    async def on_payout_paid(self, tx: Connection, received: Sequence[Received[gateway.PayoutPaid]]) -> None:
        """It has arrived."""
        facts = [_fact(event, event.body.payout_id, event.body.happened_at) for event in received]
        await self._commands.post_occurrences(tx, rules.payout_paid_entry, facts)

    async def on_payout_failed(self, tx: Connection, received: Sequence[Received[gateway.PayoutFailed]]) -> None:
        """It came back."""
        facts = [_fact(event, event.body.payout_id, event.body.happened_at) for event in received]
        await self._commands.post_occurrences(tx, rules.payout_failed_entry, facts)

    async def on_tenant_provisioned(self, tx: Connection, received: Sequence[Received[api.TenantProvisioned]]) -> None:
        """A tenant may use the platform: open its default accounts."""
        await self._commands.open_charts(tx, [event.body.tenant_id for event in received])

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

    async def answer_list_account_roles(self, request: money.ListAccountRoles) -> money.AccountRoleList:
        """Which account plays which role?"""
        return money.AccountRoleList(roles=await self._roles.every(request.tenant_id))

    async def answer_get_account_role(self, request: money.GetAccountRole) -> money.AccountRoleHistory:
        """Which account plays this role, and which did before?"""
        return await self._roles.history(request.tenant_id, request.role)

    async def answer_assign_account_role(self, request: money.AssignAccountRole) -> money.AccountRole:
        """Let another account play a role."""
        return await self._roles.assign(request)

    async def answer_list_exchange_rates(self, request: money.ListExchangeRates) -> money.ExchangeRatePage:
        """Which exchange rates are there?"""
        return await self._exchange_queries.rates(request)

    async def answer_record_exchange_rate(self, request: money.RecordExchangeRate) -> money.ExchangeRate:
        """Record an exchange rate."""
        return wire_rate(await self._exchange.record_rate(request))

    async def answer_get_converted_amount(self, request: money.GetConvertedAmount) -> money.ConvertedAmount:
        """What is an amount worth in another currency?"""
        return await self._exchange_queries.converted(request)

    async def answer_post_conversion(self, request: money.PostConversion) -> money.MoneyConversion:
        """Exchange money between currencies in the books."""
        return await self._exchange_queries.told(await self._exchange.convert(request))

    async def answer_get_conversion(self, request: money.GetConversion) -> money.MoneyConversion:
        """What was exchanged by this conversion?"""
        return await self._exchange_queries.conversion(request)

    async def answer_get_consolidated_balances(
        self, request: money.GetConsolidatedBalances
    ) -> money.ConsolidatedBalances:
        """What do this tenant's accounts hold, told in one currency?"""
        return await self._exchange_queries.consolidated(request)


def register(bus: Bus, consumers: Consumers) -> None:
    """Connect every message and question of the ledger with the one that hears it."""
    bus.handle(gateway.PaymentCaptured, consumers.on_payment_captured)
    bus.handle(gateway.RefundSucceeded, consumers.on_refund_succeeded)
    bus.handle(gateway.RefundFailed, consumers.on_refund_failed)
    bus.handle(gateway.DisputeOpened, consumers.on_dispute_opened)
    bus.handle(gateway.DisputeWon, consumers.on_dispute_won)
    bus.handle(gateway.DisputeLost, consumers.on_dispute_lost)
    bus.handle(gateway.ProcessorFeeCharged, consumers.on_processor_fee_charged)
    bus.handle(gateway.PayoutCreated, consumers.on_payout_created)
    bus.handle(gateway.PayoutPaid, consumers.on_payout_paid)
    bus.handle(gateway.PayoutFailed, consumers.on_payout_failed)
    bus.handle(api.TenantProvisioned, consumers.on_tenant_provisioned)
    bus.answer(contract.ListAccounts, consumers.answer_list_accounts)
    bus.answer(contract.OpenAccount, consumers.answer_open_account)
    bus.answer(contract.ListEntries, consumers.answer_list_entries)
    bus.answer(contract.ListBalances, consumers.answer_list_balances)
    bus.answer(money.ListAccountRoles, consumers.answer_list_account_roles)
    bus.answer(money.GetAccountRole, consumers.answer_get_account_role)
    bus.answer(money.AssignAccountRole, consumers.answer_assign_account_role)
    bus.answer(money.ListExchangeRates, consumers.answer_list_exchange_rates)
    bus.answer(money.RecordExchangeRate, consumers.answer_record_exchange_rate)
    bus.answer(money.GetConvertedAmount, consumers.answer_get_converted_amount)
    bus.answer(money.PostConversion, consumers.answer_post_conversion)
    bus.answer(money.GetConversion, consumers.answer_get_conversion)
    bus.answer(money.GetConsolidatedBalances, consumers.answer_get_consolidated_balances)


def _fact(
    received: Received[gateway.PaymentMessage] | Received[gateway.PayoutMessage],
    subject_id: UUID,
    occurred_at: datetime,
) -> tuple[Correlation, rules.Occurrence]:
    body = received.body
    occurrence = rules.Occurrence(
        subject_id=subject_id,
        payment_intent_id=body.payment_intent_id if isinstance(body, gateway.PaymentMessage) else None,
        amount_minor=body.amount_minor,
        currency=body.currency,
        occurred_at=occurred_at,
        source_event_id=received.id,
        reversals=body.reversals if isinstance(body, gateway.DisputeDecision) else 0,
    )
    return received.correlation, occurrence


def register_claims(bus: Bus, claims: Claims) -> None:
    """Connect what the api says of settled payments and completed refunds with the one that compares it."""
    bus.handle(api.PaymentSettled, claims.on_payment_settled)
    bus.handle(api.PaymentRefunded, claims.on_payment_refunded)


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
        floor_minor=account.floor_minor,
        ceiling_minor=account.ceiling_minor,
        currencies=None if account.currencies is None else list(account.currencies),
    )
