"""What the books alone have: entries that the posting rules made of something that neither we nor the processor have. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from types import MappingProxyType
from uuid import UUID

from libs.common.contracts.api_facts import PaymentFact
from libs.common.contracts.gateway_reconciliation import DiscrepancyType, SubjectKind
from libs.common.contracts.ledger import EntryKind
from libs.common.contracts.ledger_facts import EntryFact
from libs.common.ids import derived_id
from services.gateway.reconciliation.runs.domain.facts import (
    Compared,
    Difference,
    MovementFact,
    Patience,
    PaymentGroup,
    compared,
    entry_of,
)

ASPECT = "entry"
"""Under which it is found: its subject is the entry, since nothing else has an id."""
_LOCAL, _REMOTE = DiscrepancyType.MISSING_LOCAL, DiscrepancyType.MISSING_REMOTE
_RULES: Mapping[EntryKind, tuple[DiscrepancyType, SubjectKind]] = MappingProxyType(
    {
        EntryKind.CAPTURE: (_LOCAL, SubjectKind.PAYMENT),
        EntryKind.REFUND: (_LOCAL, SubjectKind.REFUND),
        EntryKind.REFUND_FAILURE: (_LOCAL, SubjectKind.REFUND),
        EntryKind.DISPUTE_OPENED: (_LOCAL, SubjectKind.DISPUTE),
        EntryKind.DISPUTE_WON: (_LOCAL, SubjectKind.DISPUTE),
        EntryKind.DISPUTE_LOST: (_LOCAL, SubjectKind.DISPUTE),
        EntryKind.PROCESSOR_FEE: (_REMOTE, SubjectKind.MOVEMENT),
        EntryKind.MOVEMENT: (_REMOTE, SubjectKind.MOVEMENT),
        EntryKind.MOVEMENT_EXCHANGED: (_REMOTE, SubjectKind.MOVEMENT),
        EntryKind.AVAILABLE: (_REMOTE, SubjectKind.MOVEMENT),
        EntryKind.PAYOUT_CREATED: (_REMOTE, SubjectKind.PAYOUT),
        EntryKind.PAYOUT_PAID: (_REMOTE, SubjectKind.PAYOUT),
        EntryKind.PAYOUT_FAILED: (_REMOTE, SubjectKind.PAYOUT),
        EntryKind.PAYOUT_DEBITED: (_REMOTE, SubjectKind.PAYOUT),
    }
)
"""Who lacks what the posting rules have booked, and what it is; what people post is nobody's to have."""
OF_PAYOUTS = frozenset(each for each, (_, subject_kind) in _RULES.items() if subject_kind is SubjectKind.PAYOUT)
"""What the posting rules make of payouts."""
_DECISIONS = (EntryKind.DISPUTE_WON, EntryKind.DISPUTE_LOST)


def only_booked(group: PaymentGroup) -> Mapping[UUID, EntryFact]:
    """Return the entries of a payment that follow from nothing that we or the processor have of it."""
    entries = {key: each for key, each in group.entries.items() if each.kind in _RULES and _stands(each)}
    if not entries:
        return {}
    known = {entry_of(group.payment_intent_id, EntryKind.CAPTURE)}
    known.update(_of_movements(group.movements))
    if group.payment is not None:
        known.update(_of_parts(group.payment, entries.values()))
    return {
        key: each
        for key, each in entries.items()
        # A payment that is older than its statement has fees that were booked before there was one.
        if key not in known and (each.kind is not EntryKind.PROCESSOR_FEE or group.statement_until)
    }


def about_entry(entry: EntryFact, patience: Patience) -> Difference:
    """Say what the books alone have."""
    kind, subject_kind = _RULES[entry.kind]
    lacking = "we have" if kind is _LOCAL else "the processor has"
    return Difference(
        type=patience.or_timing(kind, entry.posted_at),
        subject_kind=subject_kind,
        subject=str(entry.entry_id),
        aspect=ASPECT,
        since=entry.occurred_at,
        payment_intent_id=entry.payment_intent_id,
        currency=entry.currency,
        expected_minor=entry.amount_minor,
        detail=f"the books have the entry '{entry.kind}' of {entry.amount_minor} {entry.currency}, and {lacking} nothing that it follows from",
    )


def compare_entries(entries: Iterable[EntryFact], patience: Patience) -> Compared:
    """Compare entries of no payment, of which it is known that nothing has led to them."""
    return compared([about_entry(each, patience) for each in entries if each.kind in _RULES and _stands(each)])


def _stands(entry: EntryFact) -> bool:
    return not entry.is_reversed


def _of_movements(movements: Iterable[MovementFact]) -> Iterator[UUID]:
    """Derive the entries that can follow from what moved."""
    for moved in movements:
        if moved.is_booked:
            yield entry_of(moved.movement_id, EntryKind.MOVEMENT)
            if moved.source_currency:
                yield entry_of(moved.movement_id, EntryKind.MOVEMENT_EXCHANGED)
        yield entry_of(moved.movement_id, EntryKind.AVAILABLE)
        if moved.refund_id is not None:
            # One that we do not have is found by its movement.
            yield entry_of(moved.refund_id, EntryKind.REFUND)
            yield entry_of(moved.refund_id, EntryKind.REFUND_FAILURE)
        if moved.payment_intent_id is not None:
            # As the gateway derives the fee of what is older than the statement.
            fee = derived_id(moved.payment_intent_id, f"fee:{moved.id}")
            yield entry_of(fee, EntryKind.PROCESSOR_FEE)


def _of_parts(payment: PaymentFact, entries: Collection[EntryFact]) -> Iterator[UUID]:
    """Derive the entries that can follow from refunds and disputes: of decisions, one for each time that one was reversed."""
    for refund in payment.refunds:
        yield entry_of(refund.refund_id, EntryKind.REFUND)
        yield entry_of(refund.refund_id, EntryKind.REFUND_FAILURE)
    decisions = sum(each.kind in _DECISIONS for each in entries)
    for dispute in payment.disputes:
        yield entry_of(dispute.dispute_id, EntryKind.DISPUTE_OPENED)
        for kind in _DECISIONS:
            yield entry_of(dispute.dispute_id, kind)
            # Won and lost by turns, and not every one is booked.
            for number in range(1, 2 * decisions + 1):
                yield derived_id(dispute.dispute_id, f"{kind}:{number}")
