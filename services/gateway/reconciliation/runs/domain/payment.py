"""The comparison of a payment: what the api, the processor's statement and the books have of it. Pure.

A group has all facts on one payment, and what comes of it follows from them and the time of the run alone: the same facts lead to
the same discrepancies under the same ids, however often, in whatever order and in how many parts they are compared.

References alone decide what belongs together; amounts are compared in the payment's currency, to the minor unit.
"""

from collections.abc import Iterable, Sequence

from libs.common.contracts.api_facts import PaymentFact
from libs.common.contracts.gateway_movements import MovementKind
from libs.common.contracts.gateway_reconciliation import DiscrepancyType, SubjectKind
from libs.common.contracts.ledger import EntryKind
from libs.common.ids import time_of_id
from services.gateway.reconciliation.runs.domain.books import booked, in_the_books, lost, strange
from services.gateway.reconciliation.runs.domain.facts import (
    CHARGES,
    REFUNDS,
    RULES,
    Compared,
    Difference,
    Match,
    MovementFact,
    Patience,
    PaymentGroup,
    about_movement,
    about_payment,
    compared,
    entry_id_of,
    entry_of,
)
from services.gateway.reconciliation.runs.domain.given_back import disputed, refunded
from services.gateway.reconciliation.runs.domain.only_booked import about_entry, only_booked

_ONCE = frozenset((MovementKind.CHARGE, MovementKind.REFUND))
"""Kinds of which one source moves money once; a dispute may be taken up again."""


def compare_payment(group: PaymentGroup, patience: Patience) -> Compared:
    """Compare what the api, the processor's statement and the books have of one payment."""
    if not group.is_whole:
        return compared([_too_large(group)])
    if group.agreed is not None:
        return Compared(matches=(group.agreed,))
    once, differences = _without_duplicates(group)
    alone = only_booked(group)
    differences += [about_entry(each, patience) for each in alone.values()]
    if group.payment is None:
        differences += _unknown_here(group, once, patience)
    else:
        at_processor = patience.until(group.statement_until or patience.now)
        differences += _charged(group, group.payment, once, at_processor)
        differences += refunded(group, group.payment, once, at_processor)
        differences += disputed(group, group.payment, once, at_processor)
        differences += in_the_books(group, group.payment, patience)
        differences += lost(group, group.payment, patience, without=alone)
    for moved in group.movements:
        differences += booked(moved, group.entries, patience)
        differences += strange(moved)
    return compared(differences, _matches(group, differences))


def _too_large(group: PaymentGroup) -> Difference:
    """Say of a payment that it was not compared, so that no month is closed as if it had been."""
    return about_payment(
        DiscrepancyType.AMBIGUOUS,
        group,
        "it has more refunds, disputes or entries than can be compared",
        aspect="size",
        since=time_of_id(group.payment_intent_id),
    )


def _without_duplicates(group: PaymentGroup) -> tuple[list[MovementFact], list[Difference]]:
    """Set aside what one source has moved twice; the first counts."""
    kept: list[MovementFact] = []
    found: list[Difference] = []
    seen: set[tuple[MovementKind, str]] = set()
    for moved in sorted(group.movements, key=lambda each: (each.created_at, each.id)):
        source = moved.kind, moved.source_ref
        if moved.kind in _ONCE and moved.source_ref and source in seen:
            found.append(
                about_movement(
                    DiscrepancyType.DUPLICATE,
                    moved,
                    "processor",
                    f"the {moved.kind} {moved.source_ref} has moved money before {moved.id}",
                    expected_minor=None,
                    actual_minor=moved.value,
                )
            )
        else:
            seen.add(source)
            kept.append(moved)
    return kept, found


def _unknown_here(group: PaymentGroup, once: Sequence[MovementFact], patience: Patience) -> list[Difference]:
    """What moved for a payment that the api does not have, or is booked of one."""
    found = []
    if once:
        found.append(
            about_payment(
                patience.or_timing(DiscrepancyType.MISSING_LOCAL, once[-1].created_at),
                group,
                f"{once[0].value_currency} moved for a payment that we do not have",
                since=once[0].created_at,
                gateway_ref=once[0].source_ref,
                currency=once[0].value_currency,
                actual_minor=sum(moved.value for moved in once if moved.value_currency == once[0].value_currency),
            )
        )
    capture = group.entries.get(entry_of(group.payment_intent_id, EntryKind.CAPTURE))
    if capture is not None and not capture.is_reversed:
        found.append(
            about_payment(
                patience.or_timing(DiscrepancyType.MISSING_LOCAL, capture.posted_at),
                group,
                "the books have the capture of a payment that we do not have",
                aspect="book",
                since=capture.occurred_at,
                currency=capture.currency,
                actual_minor=capture.amount_minor,
            )
        )
    return found


def _charged(
    group: PaymentGroup, payment: PaymentFact, once: Sequence[MovementFact], patience: Patience
) -> list[Difference]:
    """What a payment brought; what a capture leaves goes back in a line of its own, which may be listed later."""
    charges = [moved for moved in once if moved.kind in CHARGES]
    other = next((moved for moved in charges if moved.value_currency != payment.currency), None)
    charged = sum(moved.value for moved in charges)
    if other is None and charged == payment.captured_minor:
        return []
    if not charges and group.statement_until is None:
        return []
    named: DiscrepancyType | None = DiscrepancyType.CURRENCY_MISMATCH
    if other is not None:
        kind, status = DiscrepancyType.CURRENCY_MISMATCH, other.value_currency
    elif not charges:
        kind, status = DiscrepancyType.MISSING_REMOTE, ""
    elif not payment.captured_minor or not charged:
        kind, status = DiscrepancyType.STATUS_MISMATCH, "charged" if charged else "released"
    else:
        kind, status = DiscrepancyType.AMOUNT_MISMATCH, ""
    if other is None:
        named = patience.or_timing(kind, payment.updated_at, *(moved.created_at for moved in charges))
    return [
        about_payment(
            named,
            group,
            f"it is {payment.status} with {payment.captured_minor} {payment.currency} captured, and the processor's statement "
            f"has {charged if charges else 'nothing of it'}",
            since=payment.created_at,
            gateway_ref=charges[0].source_ref if charges else payment.gateway_ref,
            expected_minor=payment.captured_minor,
            actual_minor=charged if charges else None,
            expected_status=payment.status,
            actual_status=status,
        )
    ]


def _matches(group: PaymentGroup, differences: Sequence[Difference]) -> Iterable[Match]:
    """Movements about which, and about whose subject, nothing differs."""
    if group.payment is None:
        return
    wrong = {(each.subject_kind, each.subject) for each in differences}
    wrong_refs = {each.gateway_ref for each in differences if each.subject_kind is not SubjectKind.PAYMENT} - {""}
    for moved in group.movements:
        if (SubjectKind.MOVEMENT, moved.id) in wrong or moved.kind not in RULES or moved.source_ref in wrong_refs:
            continue
        if moved.kind in CHARGES:
            subject = SubjectKind.PAYMENT, str(group.payment_intent_id)
        elif moved.kind in REFUNDS:
            subject = SubjectKind.REFUND, str(moved.refund_id or moved.source_ref)
        else:
            subject = SubjectKind.DISPUTE, moved.source_ref
        if subject not in wrong:
            yield Match(
                movement_id=moved.movement_id,
                rule=RULES[moved.kind],
                subject_kind=subject[0],
                subject=subject[1],
                entry_id=entry_id_of(moved),
            )
