"""The payment on which all agree: most of them are, so that this is found out with as little work as can be. Pure.

What `agreeing` says is what `compare_payment` would say as well; of all others it says nothing.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from libs.common.contracts.api_facts import PaymentFact
from libs.common.contracts.gateway_movements import MovementKind
from libs.common.contracts.gateway_reconciliation import SubjectKind
from libs.common.contracts.ledger import EntryKind
from libs.common.contracts.ledger_facts import EntryFact
from services.gateway.reconciliation.runs.domain.books import FEE_ROLES, PENDING
from services.gateway.reconciliation.runs.domain.facts import RULES, Match, MovementFact, entry_of

_RULE = RULES[MovementKind.CHARGE]
_NO_FEES: Mapping[str, int] = MappingProxyType({})


def agreeing(
    payment: PaymentFact | None,
    movements: Sequence[MovementFact],
    entries: Sequence[EntryFact],
    available: EntryFact | None,
) -> Match | None:
    """Return how a payment matches that was captured, charged once and booked, and of which nothing was given back or is in dispute.

    Args:
        payment: what the api has of it.
        movements: all that moved for it.
        entries: all that the books have of it by its id.
        available: the entry by which what moved can be paid out; it was found by the id that it must have.
    """
    if payment is None or payment.refunds or payment.disputes or len(movements) != 1:
        return None
    moved = movements[0]
    currency = payment.currency
    if (
        moved.kind is not MovementKind.CHARGE
        or not moved.is_booked
        or moved.amount_minor != payment.captured_minor
        or moved.amount_minor <= 0
        or moved.net_minor <= 0
        or moved.currency != currency
        or moved.source_currency
        or moved.source_amount_minor is not None
        or len(entries) != 2
    ):
        return None
    capture, settled = entries
    if capture.kind is not EntryKind.CAPTURE:
        capture, settled = settled, capture
    if (
        capture.kind is not EntryKind.CAPTURE
        or capture.amount_minor != payment.captured_minor
        or not _stands(capture, currency)
        or settled.kind is not EntryKind.MOVEMENT
        or not _stands(settled, currency)
        or not _is_booked_as(moved, settled)
    ):
        return None
    if moved.is_available and (
        available is None or available.amount_minor != moved.net_minor or not _stands(available, currency)
    ):
        return None
    if (
        capture.entry_id.int != entry_of(payment.payment_intent_id, EntryKind.CAPTURE).int
        or settled.entry_id.int != entry_of(moved.movement_id, EntryKind.MOVEMENT).int
    ):
        return None
    return Match(
        movement_id=moved.movement_id,
        rule=_RULE,
        subject_kind=SubjectKind.PAYMENT,
        subject=str(payment.payment_intent_id),
        entry_id=settled.entry_id,
    )


def _stands(entry: EntryFact, currency: str) -> bool:
    return entry.currency == currency and not entry.is_reversed


def _is_booked_as(moved: MovementFact, settled: EntryFact) -> bool:
    """Return whether an entry has what is left of a movement, and each part of its fee."""
    if settled.shared_roles:
        return False
    has, rest = settled.amounts, moved.amount_minor
    kept = dict(moved.fees) if moved.fees else _NO_FEES
    if len(kept) != len(moved.fees):
        return False
    for kind, role in FEE_ROLES.items():
        fee = kept.get(kind, 0)
        if has.get(role, 0) != fee:
            return False
        rest -= fee
    # A fee of any other kind is missing in the rest.
    return has.get(PENDING, 0) == moved.net_minor == rest
