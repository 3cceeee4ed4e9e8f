"""The comparison with the books: of what payments came to, and of what moved. Pure."""

from collections.abc import Collection, Iterable, Mapping
from uuid import UUID

from libs.common.contracts.api_facts import PaymentFact
from libs.common.contracts.gateway_movements import MovementKind
from libs.common.contracts.gateway_reconciliation import DiscrepancyType, SubjectKind
from libs.common.contracts.ledger import EntryKind
from libs.common.contracts.ledger_facts import EntryFact
from libs.common.ids import time_of_id
from services.gateway.reconciliation.runs.domain.facts import (
    OF_PAYMENTS,
    Compared,
    Difference,
    Match,
    MovementFact,
    Patience,
    PaymentGroup,
    about_movement,
    about_part,
    compared,
    entry_id_of,
    entry_of,
)

FEE_ROLES = {"processor": "PROCESSOR_FEES", "tax": "TAX_RECOVERABLE", "platform": "PLATFORM_FEES"}
"""Where each part of a fee stands."""
PENDING = "PROCESSOR_PENDING"
_PAYOUTS = (MovementKind.PAYOUT, MovementKind.PAYOUT_RETURN)
_LOSSES = "DISPUTE_LOSSES"


def compare_movement(moved: MovementFact, entries: Mapping[UUID, EntryFact], patience: Patience) -> Compared:
    """Compare a movement that belongs to no payment of ours with the books; what should belong to one is foreign."""
    differences = [*booked(moved, entries, patience), *strange(moved), *paid_out(moved, patience)]
    if differences:
        return compared(differences)
    match = Match(
        movement_id=moved.movement_id,
        rule="of_account",
        subject_kind=SubjectKind.MOVEMENT,
        subject=moved.source_ref or moved.id,
        entry_id=entry_id_of(moved),
    )
    return compared((), [match])


def strange(moved: MovementFact) -> Iterable[Difference]:
    """What belongs to nothing that we know, and stands in SUSPENSE; what is older than the books is in their opening balance."""
    is_unknown = moved.kind is MovementKind.OTHER or (moved.kind in OF_PAYMENTS and moved.payment_intent_id is None)
    if is_unknown and moved.is_booked:
        yield about_movement(
            DiscrepancyType.FOREIGN,
            moved,
            "processor",
            f"the {moved.kind.replace('_', ' ')} {moved.id} belongs to nothing of ours",
            expected_minor=None,
            actual_minor=moved.amount_minor,
        )


def paid_out(moved: MovementFact, patience: Patience) -> Iterable[Difference]:
    """What a payout moved that is not known, or has moved as much before, or is in another currency."""
    if moved.kind not in _PAYOUTS or not moved.source_ref or not moved.is_booked:
        return
    if moved.payout_currency is None:
        kind, detail = DiscrepancyType.MISSING_LOCAL, "is one that we do not have"
    elif moved.payout_currency != moved.currency:
        kind, detail = DiscrepancyType.CURRENCY_MISMATCH, f"is in {moved.payout_currency}"
    elif not moved.is_of_payout:
        kind, detail = DiscrepancyType.DUPLICATE, "names another movement than this one"
    else:
        return
    yield about_movement(
        patience.or_timing(kind, moved.created_at, moved.seen_at),
        moved,
        "processor",
        f"the payout {moved.source_ref} of the {moved.kind.replace('_', ' ')} {moved.id} {detail}",
        expected_minor=None,
        actual_minor=moved.amount_minor,
        expected_status=moved.payout_currency or "",
        actual_status=moved.currency if kind is DiscrepancyType.CURRENCY_MISMATCH else "",
    )


def in_the_books(group: PaymentGroup, payment: PaymentFact, patience: Patience) -> list[Difference]:
    """What payments and refunds came to, beside the entries of that."""
    expected = [
        (SubjectKind.PAYMENT, group.payment_intent_id, EntryKind.CAPTURE, payment.captured_minor, payment.status)
    ]
    expected += [
        (
            SubjectKind.REFUND,
            refund.refund_id,
            EntryKind.REFUND,
            refund.amount_minor if refund.status == "COMPLETED" else 0,
            refund.status,
        )
        for refund in payment.refunds
    ]
    found = []
    for subject_kind, subject_id, entry_kind, amount, status in expected:
        entry, back = standing(group.entries, subject_id, entry_kind), None
        if entry_kind is EntryKind.REFUND:
            # One that had succeeded and came back: the two entries take each other away.
            back = standing(group.entries, subject_id, EntryKind.REFUND_FAILURE)
        stands = [each for each in (entry, back) if each is not None]
        currencies = {each.currency for each in stands} or {payment.currency}
        has = sum(each.amount_minor if each is entry else -each.amount_minor for each in stands)
        if (has, currencies) == (amount, {payment.currency}):
            continue
        if not stands:
            kind = DiscrepancyType.NOT_BOOKED
        elif not amount or (back is not None and currencies == {payment.currency}):
            kind = DiscrepancyType.STATUS_MISMATCH
        elif currencies != {payment.currency}:
            kind = DiscrepancyType.CURRENCY_MISMATCH
        else:
            kind = DiscrepancyType.AMOUNT_MISMATCH
        found.append(
            about_part(
                patience.or_timing(kind, payment.updated_at, *(each.posted_at for each in stands)),
                group,
                subject_kind,
                str(subject_id),
                f"the {entry_kind} of {amount} {payment.currency} is {status}, and the books have "
                f"{f'{has} {min(currencies)}' if stands else 'nothing of it'}",
                aspect="book",
                since=time_of_id(subject_id),
                expected_minor=has if stands else None,
                actual_minor=amount,
                expected_status="booked" if has else "returned" if stands else "",
                actual_status=status,
            )
        )
    return found


def lost(
    group: PaymentGroup, payment: PaymentFact, patience: Patience, *, without: Collection[UUID]
) -> Iterable[Difference]:
    """What banks have kept, beside the account of such losses: over all decisions, since one that is reversed takes its loss away.

    Entries `without` are found by themselves.
    """
    entries = [each for key, each in group.entries.items() if key not in without]
    if any(_LOSSES in {*each.shared_roles, *each.shared_roles.values()} for each in entries):
        # The books cannot tell it from what another role has there.
        return
    booked_entries = [each for each in entries if each.amounts.get(_LOSSES)]
    # Each entry that is reversed has its reversal beside it.
    abroad = sum(each.amounts[_LOSSES] for each in booked_entries if each.currency != payment.currency)
    has = sum(each.amounts[_LOSSES] for each in booked_entries if each.currency == payment.currency)
    kept = sum(dispute.amount_minor for dispute in payment.disputes if dispute.status == "LOST")
    if (has == kept and not abroad) or not payment.disputes:
        return
    if abroad:
        kind = DiscrepancyType.CURRENCY_MISMATCH
    elif not has:
        kind = DiscrepancyType.NOT_BOOKED
    else:
        kind = DiscrepancyType.AMOUNT_MISMATCH if kept else DiscrepancyType.STATUS_MISMATCH
    subject = max(payment.disputes, key=lambda dispute: (dispute.status == "LOST", dispute.dispute_id))
    yield about_part(
        patience.or_timing(kind, payment.updated_at, *(each.posted_at for each in booked_entries)),
        group,
        SubjectKind.DISPUTE,
        str(subject.dispute_id),
        f"of its disputes {kept} {payment.currency} are lost, and the books have {has} as lost",
        aspect="book",
        since=time_of_id(subject.dispute_id),
        gateway_ref=subject.gateway_ref,
        expected_minor=has or None,
        actual_minor=kept,
        actual_status=subject.status,
    )


def booked(moved: MovementFact, entries: Mapping[UUID, EntryFact], patience: Patience) -> Iterable[Difference]:
    """What moved, beside its entries: that it did, what was kept of it, and that it can be paid out."""
    kept: dict[str, int] = {}
    for kind, amount in moved.fees:
        kept[kind] = kept.get(kind, 0) + amount
    kept = {kind: amount for kind, amount in kept.items() if amount}
    if moved.amount_minor - sum(kept.values()) != moved.net_minor:
        yield about_movement(
            DiscrepancyType.FEE_MISMATCH,
            moved,
            "fee",
            f"of {moved.id} {moved.amount_minor - moved.net_minor} were kept, and the parts come to {sum(kept.values())}",
            expected_minor=sum(kept.values()),
            actual_minor=moved.amount_minor - moved.net_minor,
        )
        return
    if not moved.is_booked or not (moved.amount_minor or moved.net_minor or kept):
        return
    entry = standing(entries, moved.movement_id, EntryKind.MOVEMENT)
    if entry is None:
        yield about_movement(
            patience.or_timing(DiscrepancyType.NOT_BOOKED, moved.created_at, moved.updated_at),
            moved,
            "book",
            f"the {moved.kind.replace('_', ' ')} {moved.id} is not in the books",
            expected_minor=None,
            actual_minor=moved.net_minor,
        )
        return
    has_net, has_fees = _amounts(entry, kept, moved)
    if entry.currency != moved.currency:
        yield about_movement(
            DiscrepancyType.CURRENCY_MISMATCH,
            moved,
            "book",
            f"{moved.id} moved {moved.currency}, and the books have {entry.currency}",
            expected_minor=has_net,
            actual_minor=moved.net_minor,
            expected_status=entry.currency,
            actual_status=moved.currency,
        )
    elif moved.kind in OF_PAYMENTS and has_fees != kept:
        yield about_movement(
            DiscrepancyType.FEE_MISMATCH,
            moved,
            "book",
            f"of {moved.id} {_named(kept)} were kept, and the books have {_named(has_fees)}",
            expected_minor=sum(has_fees.values()),
            actual_minor=sum(kept.values()),
        )
    elif has_net != moved.net_minor:
        yield about_movement(
            DiscrepancyType.AMOUNT_MISMATCH,
            moved,
            "book",
            f"{moved.id} brought {moved.net_minor}, and the books have {has_net}",
            expected_minor=has_net,
            actual_minor=moved.net_minor,
        )
    also: list[tuple[EntryKind, str, int, str]] = []
    if moved.source_currency and moved.source_amount_minor:
        also.append((EntryKind.MOVEMENT_EXCHANGED, "exchange", moved.source_amount_minor, moved.source_currency))
    if moved.is_available and moved.net_minor:
        also.append((EntryKind.AVAILABLE, "available", moved.net_minor, moved.currency))
    for entry_kind, aspect, amount, currency in also:
        entry = standing(entries, moved.movement_id, entry_kind)
        if entry is not None and (entry.amount_minor, entry.currency) == (abs(amount), currency):
            continue
        if entry is None:
            kind = DiscrepancyType.NOT_BOOKED
        elif entry.currency != currency:
            kind = DiscrepancyType.CURRENCY_MISMATCH
        else:
            kind = DiscrepancyType.AMOUNT_MISMATCH
        yield about_movement(
            patience.or_timing(kind, moved.created_at, moved.updated_at),
            moved,
            aspect,
            f"of {moved.id} the entry '{entry_kind}' of {abs(amount)} {currency} is "
            + ("not in the books" if entry is None else f"{entry.amount_minor} {entry.currency} in the books"),
            expected_minor=None if entry is None else entry.amount_minor,
            actual_minor=abs(amount),
        )


def standing(entries: Mapping[UUID, EntryFact], subject_id: UUID, kind: EntryKind) -> EntryFact | None:
    """Return the entry that the posting rules make of a subject; None where there is none, or it was taken back."""
    entry = entries.get(entry_of(subject_id, kind))
    return None if entry is None or entry.is_reversed else entry


def _amounts(entry: EntryFact, kept: Mapping[str, int], moved: MovementFact) -> tuple[int, dict[str, int]]:
    """Return what an entry has of a movement: what is left of it, and each part of the fee that is not zero.

    Where one account plays several of these roles, the books cannot tell them apart: what they have together is then taken as
    what it should be, if it is that together.
    """
    expected = {PENDING: moved.net_minor} | {role: kept.get(kind, 0) for kind, role in FEE_ROLES.items()}
    has = {role: entry.amounts.get(role, 0) for role in expected}
    for holder in {*entry.shared_roles.values()}:
        members = {holder, *(role for role, other in entry.shared_roles.items() if other == holder)}
        together = members & expected.keys()
        # With the account that the movement meets, they cannot be compared.
        if members - together or sum(expected[role] for role in together) == entry.amounts.get(holder, 0):
            has.update({role: expected[role] for role in together})
    fees = {kind: has[role] for kind, role in FEE_ROLES.items() if has[role]}
    return has[PENDING], fees


def _named(fees: Mapping[str, int]) -> str:
    return " and ".join(f"{amount} of {kind}" for kind, amount in sorted(fees.items())) or "nothing"
