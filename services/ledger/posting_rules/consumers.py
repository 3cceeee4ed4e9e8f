"""What is handled by the posting rules: each event of money at the processor, and requests about roles."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

import msgspec

from libs.common.contracts import gateway, gateway_movements, gateway_payouts
from libs.common.contracts.gateway_base import PaymentMessage
from libs.common.contracts.gateway_movements import Direction
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
from libs.common.money import InvalidAmount
from services.ledger.posting_rules import domain as rules
from services.ledger.posting_rules.commands import PaymentCommands, RoleCommands

type PaymentEvent = PaymentMessage | gateway_payouts.PayoutMessage
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
        gateway_payouts.PayoutCreated: Rule(
            entry=rules.payout_created_entry, subject="payout_id", happened_at="happened_at"
        ),
        gateway_payouts.PayoutPaid: Rule(entry=rules.payout_paid_entry, subject="payout_id", happened_at="happened_at"),
        gateway_payouts.PayoutFailed: Rule(
            entry=rules.payout_failed_entry, subject="payout_id", happened_at="happened_at"
        ),
        gateway_movements.PayoutDebited: Rule(
            entry=rules.payout_debited_entry, subject="payout_id", happened_at="happened_at"
        ),
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
        bus.handle(gateway_movements.MovementRecorded, self.on_movement_recorded)
        bus.handle(gateway_movements.MovementAvailable, self.on_movement_available)

    def handler(self, kind: type[PaymentEvent]) -> Callable[[Connection, Sequence[Received[Any]]], Awaitable[None]]:
        """Return what handles events of one kind."""

        async def on_event(tx: Connection, events: Sequence[Received[Any]]) -> None:
            await self.on_events(tx, events, rule=RULES[kind])

        return on_event

    async def on_events(self, tx: Connection, events: Sequence[Received[Any]], *, rule: Rule) -> None:
        """Post events of one kind by their rule."""
        facts = [(event.correlation, _occurrence(event, rule)) for event in events if _is_booked(event.body)]
        await self._commands.post_occurrences(tx, rule.entry, facts)

    async def on_movement_recorded(
        self, tx: Connection, events: Sequence[Received[gateway_movements.MovementRecorded]]
    ) -> None:
        """Post what moved at the processor."""
        moved = [(event.correlation, _recorded(event)) for event in events]
        await self._commands.post_movements(tx, rules.movement_entries, moved)

    async def on_movement_available(
        self, tx: Connection, events: Sequence[Received[gateway_movements.MovementAvailable]]
    ) -> None:
        """Post what the processor can pay out from now on."""
        moved = [(event.correlation, _available(event)) for event in events]
        await self._commands.post_movements(tx, rules.available_entries, moved)


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
    match event:
        case gateway.RefundFailed():
            # A refund that never succeeded was not booked, and there is nothing to undo.
            return event.after_success
        case gateway.DisputeOpened():
            return not event.by_statement
        case gateway.DisputeWon():
            # The statement shows the money that is back; a reversal also empties the losses.
            return not event.by_statement or event.reversals > 0
        case _:
            return True


def _occurrence(received: Received[PaymentEvent], rule: Rule) -> rules.Occurrence:
    event = received.body
    subject_id: UUID = getattr(event, rule.subject)
    happened_at: datetime = getattr(event, rule.happened_at)
    return rules.Occurrence(
        subject_id=subject_id,
        payment_intent_id=event.payment_intent_id if isinstance(event, PaymentMessage) else None,
        amount_minor=event.amount_minor,
        currency=event.currency,
        occurred_at=happened_at,
        source_event_id=received.id,
        reversals=event.reversals if isinstance(event, gateway.DisputeDecision) else 0,
        by_statement=getattr(event, "by_statement", False),
    )


def _recorded(received: Received[gateway_movements.MovementRecorded]) -> rules.Movement:
    event = received.body
    is_exchanged = event.source_amount_minor is not None and event.source_currency not in ("", event.currency)
    return rules.Movement(
        id=event.movement_id,
        kind=event.kind,
        gateway_ref=event.gateway_ref,
        payment_intent_id=event.payment_intent_id,
        refund_id=event.refund_id,
        amount_minor=_signed(event.amount_minor, event.direction),
        currency=event.currency,
        fees=tuple((fee.kind, -_signed(fee.amount_minor, fee.direction)) for fee in event.fees),
        source_amount_minor=_signed(event.source_amount_minor or 0, event.direction) if is_exchanged else 0,
        source_currency=event.source_currency if is_exchanged else "",
        occurred_at=event.happened_at,
        source_event_id=received.id,
    )


def _available(received: Received[gateway_movements.MovementAvailable]) -> rules.Movement:
    event = received.body
    return rules.Movement(
        id=event.movement_id,
        # What moved makes no difference to where it is available.
        kind=gateway_movements.MovementKind.OTHER,
        gateway_ref=event.gateway_ref,
        amount_minor=_signed(event.amount_minor, event.direction),
        currency=event.currency,
        occurred_at=event.happened_at,
        source_event_id=received.id,
    )


def _signed(amount_minor: int, direction: Direction) -> int:
    """Return an amount as the account sees it.

    Raises:
        InvalidAmount: when it is below zero, which a direction says already.
    """
    if amount_minor < 0:
        raise InvalidAmount("an amount must not be below zero: its direction says which way it went")
    return amount_minor if direction is Direction.IN else -amount_minor
