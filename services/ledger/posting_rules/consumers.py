"""What is handled by the posting rules: each event of money at the processor, and requests about roles."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

import msgspec

from libs.common.contracts import gateway
from libs.common.contracts.ledger_roles import (
    AccountRole,
    AccountRoleHistory,
    AccountRoleList,
    AssignAccountRole,
    GetAccountRole,
    ListAccountRoles,
)
from libs.common.db import Connection
from libs.common.messaging import Bus, Received
from services.ledger.posting_rules import domain as rules
from services.ledger.posting_rules.commands import PaymentCommands, RoleCommands

type PaymentEvent = gateway.PaymentMessage | gateway.PayoutMessage
"""What the gateway publishes of money at the processor."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """How one kind of event is posted."""

    entry: rules.PostingRule
    """The rule that makes its entry."""
    subject: str
    """The field with what it happened to."""
    happened_at: str
    """The field with when it happened."""


RULES: Mapping[type[PaymentEvent], Rule] = MappingProxyType(
    {
        gateway.PaymentCaptured: Rule(
            entry=rules.capture_entry, subject="payment_intent_id", happened_at="captured_at"
        ),
        gateway.RefundSucceeded: Rule(entry=rules.refund_entry, subject="refund_id", happened_at="refunded_at"),
        gateway.RefundFailed: Rule(entry=rules.refund_failure_entry, subject="refund_id", happened_at="failed_at"),
        gateway.DisputeOpened: Rule(entry=rules.dispute_opened_entry, subject="dispute_id", happened_at="happened_at"),
        gateway.DisputeWon: Rule(entry=rules.dispute_won_entry, subject="dispute_id", happened_at="happened_at"),
        gateway.DisputeLost: Rule(entry=rules.dispute_lost_entry, subject="dispute_id", happened_at="happened_at"),
        gateway.ProcessorFeeCharged: Rule(entry=rules.processor_fee_entry, subject="fee_id", happened_at="charged_at"),
        gateway.PayoutCreated: Rule(entry=rules.payout_created_entry, subject="payout_id", happened_at="happened_at"),
        gateway.PayoutPaid: Rule(entry=rules.payout_paid_entry, subject="payout_id", happened_at="happened_at"),
        gateway.PayoutFailed: Rule(entry=rules.payout_failed_entry, subject="payout_id", happened_at="happened_at"),
    }
)
"""The rule of each event. Each is posted once, however often and in whatever order it arrives."""


class PaymentConsumers:
    """Posts what happened to money at the processor."""

    def __init__(self, commands: PaymentCommands) -> None:
        self._commands = commands

    def register(self, bus: Bus) -> None:
        """Subscribe to every event that has a rule."""
        for kind in RULES:
            bus.handle(kind, self.handler(kind))

    def handler(self, kind: type[PaymentEvent]) -> Callable[[Connection, Sequence[Received[Any]]], Awaitable[None]]:
        """Return what handles events of one kind."""

        async def on_event(tx: Connection, events: Sequence[Received[Any]]) -> None:
            await self.on_events(tx, events, rule=RULES[kind])

        return on_event

    async def on_events(self, tx: Connection, events: Sequence[Received[Any]], *, rule: Rule) -> None:
        """Post events of one kind by their rule."""
        facts = [(event.correlation, _occurrence(event, rule)) for event in events if _is_booked(event.body)]
        await self._commands.post_occurrences(tx, rule.entry, facts)


class RoleConsumers:
    """Answers requests about the accounts that play the roles of the rules."""

    def __init__(self, commands: RoleCommands) -> None:
        self._commands = commands

    def register(self, bus: Bus) -> None:
        """Answer every request about roles."""
        bus.answer(ListAccountRoles, self.on_list_account_roles)
        bus.answer(GetAccountRole, self.on_get_account_role)
        bus.answer(AssignAccountRole, self.on_assign_account_role)

    async def on_list_account_roles(self, request: ListAccountRoles) -> AccountRoleList:
        """List which account plays each role."""
        return AccountRoleList(roles=await self._commands.every(request.tenant_id))

    async def on_get_account_role(self, request: GetAccountRole) -> AccountRoleHistory:
        """Show which account plays a role, and which did before."""
        return await self._commands.history(request.tenant_id, request.role)

    async def on_assign_account_role(self, request: AssignAccountRole) -> AccountRole:
        """Let another account play a role."""
        return await self._commands.assign(request)


def _is_booked(event: PaymentEvent) -> bool:
    # A refund that never succeeded was not booked, and there is nothing to undo.
    return not isinstance(event, gateway.RefundFailed) or event.after_success


def _occurrence(received: Received[PaymentEvent], rule: Rule) -> rules.Occurrence:
    event = received.body
    subject_id: UUID = getattr(event, rule.subject)
    happened_at: datetime = getattr(event, rule.happened_at)
    return rules.Occurrence(
        subject_id=subject_id,
        payment_intent_id=event.payment_intent_id if isinstance(event, gateway.PaymentMessage) else None,
        amount_minor=event.amount_minor,
        currency=event.currency,
        occurred_at=happened_at,
        source_event_id=received.id,
        reversals=event.reversals if isinstance(event, gateway.DisputeDecision) else 0,
    )
