"""The posting rules of payments: what each business event debits and credits. Pure; the functions are the only truth.

What payments have brought stands in CASH until the processor's statement has it (`movements.py`), what the processor has sent
to the bank in GATEWAY_CLEARING until it is there, what a customer's bank took back in DISPUTE_CLEARING until it is decided.
The clearing accounts are empty when nothing is in progress.

Where the processor has a statement, it books what left it and came back: refunds and disputes then move only the rest.

Events may arrive in any order, and an entry never waits for the one that it follows: sums commute, so the books are the
same once all have arrived. In between, a clearing account may stand on its other side for a moment.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

import msgspec

from libs.common.contracts.ledger import EntryKind, Side
from libs.common.contracts.ledger_roles import Role
from libs.common.ids import derived_id
from services.ledger.core import Chart, Entry, Line


class Occurrence(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to money at the processor, as far as a rule needs to know it."""

    subject_id: UUID
    """What it happened to: the intent of a capture, the refund, dispute, fee or payout."""
    payment_intent_id: UUID | None
    """The intent it belongs to; None for a payout, which pays out many."""
    amount_minor: int
    """How much, in minor units of `currency`, above zero."""
    currency: str
    """ISO 4217 code, upper case."""
    occurred_at: datetime
    """When it happened in the world. No part of the content: answer and later notice of a processor may differ in it."""
    source_event_id: UUID | None
    """The message that reported it."""
    reversals: int = 0
    """How often a decision about it had been reversed by then; the first is none."""
    by_statement: bool = False
    """Whether the processor's statement books the money that it moved there."""


type PostingRule = Callable[[Chart, Occurrence], Entry]
"""Turns one business event into one entry.

Raises EntryInvalid when the amount or the currency cannot stand in a book.
"""


def capture_entry(chart: Chart, captured: Occurrence) -> Entry:
    """Record that the processor took the customer's money for us, all of what was authorized or a part of it.

    The captured amount is earned and held by the processor; what was not captured was never ours and is not booked.
    """
    return _entry(chart, captured, EntryKind.CAPTURE, debit=Role.CASH, credit=Role.REVENUE)


def refund_entry(chart: Chart, refunded: Occurrence) -> Entry:
    """Record that captured money was given back: an expense of its own, so that revenue keeps the amount that was sold.

    Where the processor's statement shows what left it, it comes from there: `REFUND_CLEARING` is empty again.
    """
    source = Role.REFUND_CLEARING if refunded.by_statement else Role.CASH
    return _entry(chart, refunded, EntryKind.REFUND, debit=Role.REFUND_EXPENSE, credit=source)


def refund_failure_entry(chart: Chart, returned: Occurrence) -> Entry:
    """Undo a refund that did not reach the customer: the money is back at the processor and was no expense."""
    target = Role.REFUND_CLEARING if returned.by_statement else Role.CASH
    return _entry(chart, returned, EntryKind.REFUND_FAILURE, debit=target, credit=Role.REFUND_EXPENSE)


def dispute_opened_entry(chart: Chart, taken: Occurrence) -> Entry:
    """Record that the customer's bank took the disputed money back: neither ours nor lost until it is decided."""
    return _entry(chart, taken, EntryKind.DISPUTE_OPENED, debit=Role.DISPUTE_CLEARING, credit=Role.CASH)


def dispute_won_entry(chart: Chart, returned: Occurrence) -> Entry:
    """Record that the bank gave the disputed money back: the clearing account is empty again.

    After a reversal it comes out of the losses, where it was. What the processor's statement shows is not booked again: then
    only a reversal is left, which empties the losses.
    """
    source = Role.DISPUTE_LOSSES if returned.reversals else Role.DISPUTE_CLEARING
    target = Role.DISPUTE_CLEARING if returned.by_statement else Role.CASH
    return _entry(chart, returned, EntryKind.DISPUTE_WON, debit=target, credit=source)


def dispute_lost_entry(chart: Chart, lost: Occurrence) -> Entry:
    """Record that the disputed money is gone: what waited in clearing becomes a loss.

    After a reversal the bank takes it again, out of what the processor holds for us, unless its statement shows that.
    """
    source = Role.CASH if lost.reversals and not lost.by_statement else Role.DISPUTE_CLEARING
    return _entry(chart, lost, EntryKind.DISPUTE_LOST, debit=Role.DISPUTE_LOSSES, credit=source)


def processor_fee_entry(chart: Chart, charged: Occurrence) -> Entry:
    """Record that the processor kept a fee out of what it holds for us."""
    return _entry(chart, charged, EntryKind.PROCESSOR_FEE, debit=Role.PROCESSOR_FEES, credit=Role.CASH)


def payout_created_entry(chart: Chart, sent: Occurrence) -> Entry:
    """Record that the processor sent money to the tenant's bank: it is with neither of them until it arrives."""
    return _entry(chart, sent, EntryKind.PAYOUT_CREATED, debit=Role.GATEWAY_CLEARING, credit=Role.CASH)


def payout_paid_entry(chart: Chart, arrived: Occurrence) -> Entry:
    """Record that a payout has arrived at the bank."""
    return _entry(chart, arrived, EntryKind.PAYOUT_PAID, debit=Role.BANK, credit=Role.GATEWAY_CLEARING)


def payout_failed_entry(chart: Chart, returned: Occurrence) -> Entry:
    """Record that the bank did not take a payout: the money is back at the processor."""
    return _entry(chart, returned, EntryKind.PAYOUT_FAILED, debit=Role.CASH, credit=Role.GATEWAY_CLEARING)


def payout_debited_entry(chart: Chart, debited: Occurrence) -> Entry:
    """Record that the bank was debited: a payout that had arrived was taken back, or a balance below zero was covered.

    The processor's statement books the other side: the clearing account is empty once both are there.
    """
    return _entry(chart, debited, EntryKind.PAYOUT_DEBITED, debit=Role.GATEWAY_CLEARING, credit=Role.BANK)


PAYMENT_RULES: Mapping[EntryKind, PostingRule] = MappingProxyType(
    {
        EntryKind.CAPTURE: capture_entry,
        EntryKind.REFUND: refund_entry,
        EntryKind.REFUND_FAILURE: refund_failure_entry,
        EntryKind.DISPUTE_OPENED: dispute_opened_entry,
        EntryKind.DISPUTE_WON: dispute_won_entry,
        EntryKind.DISPUTE_LOST: dispute_lost_entry,
        EntryKind.PROCESSOR_FEE: processor_fee_entry,
        EntryKind.PAYOUT_CREATED: payout_created_entry,
        EntryKind.PAYOUT_PAID: payout_paid_entry,
        EntryKind.PAYOUT_FAILED: payout_failed_entry,
        EntryKind.PAYOUT_DEBITED: payout_debited_entry,
    }
)
"""The rule of each business event of a payment or payout."""


def _entry(chart: Chart, happened: Occurrence, kind: EntryKind, *, debit: Role, credit: Role) -> Entry:
    """Move the whole amount from one role's account to another's.

    The entry's id follows from its subject and kind alone, and from how often it was reversed: reported twice, or by two ways,
    it is posted once.
    """
    is_of_intent = happened.subject_id == happened.payment_intent_id
    named = kind.replace("_", " ") if is_of_intent else f"{kind.replace('_', ' ')} {happened.subject_id}"
    of_intent = "" if happened.payment_intent_id is None else f" of payment intent {happened.payment_intent_id}"
    amount, currency = happened.amount_minor, happened.currency
    return Entry(
        tenant_id=chart.tenant_id,
        id=derived_id(happened.subject_id, f"{kind.value}:{happened.reversals}" if happened.reversals else kind.value),
        kind=kind,
        content=f"{named}{of_intent}: {amount} {currency}",
        payment_intent_id=happened.payment_intent_id,
        subject_id=None if is_of_intent else happened.subject_id,
        occurred_at=happened.occurred_at,
        source_event_id=happened.source_event_id,
        lines=(
            Line(account_id=chart.roles[debit], side=Side.DEBIT, amount_minor=amount, currency=currency),
            Line(account_id=chart.roles[credit], side=Side.CREDIT, amount_minor=amount, currency=currency),
        ),
    )
